//! Constructors of API errors (spec extending §1.7, §3.2).

use crate::bind::{errors::api_error, globals};

globals! {
    pub(crate) static CONSTRUCTORS {
        new "ApiError" "(status?: number, message?: string, data?: any)" "An error answer." => |cx, a| api_error(a, u16::try_from(a.int(0)?).unwrap_or(0), 1, true)?;
        new "BadRequestError" "(message?: string, data?: any)" "400." => |cx, a| api_error(a, 400, 0, true)?;
        new "UnauthorizedError" "(message?: string, data?: any)" "401." => |cx, a| api_error(a, 401, 0, true)?;
        new "ForbiddenError" "(message?: string, data?: any)" "403." => |cx, a| api_error(a, 403, 0, true)?;
        new "NotFoundError" "(message?: string, data?: any)" "404." => |cx, a| api_error(a, 404, 0, true)?;
        new "TooManyRequestsError" "(message?: string, data?: any)" "429." => |cx, a| api_error(a, 429, 0, true)?;
        new "InternalServerError" "(message?: string, data?: any)" "500." => |cx, a| api_error(a, 500, 0, true)?;
    }
}
