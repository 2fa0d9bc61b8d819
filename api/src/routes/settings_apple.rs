//! `POST /api/settings/apple/generate-client-secret`. Source: spec auth §9.6.

use engine::oauth2::apple_secret::Form;
use serde_json::{Map, Value};

use crate::{
    error::{ApiError, Result},
    guard,
    pipeline::Row,
    request::Req,
    response::Response,
    routes::{UNREADABLE, auth_password::text, h},
};

pub(crate) const ROUTES: &[Row] =
    &[Row::new("POST /api/settings/apple/generate-client-secret", h!(generate))];

async fn generate(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let unreadable =
        |error: ApiError| ApiError::bad_request(UNREADABLE).with_detail(error.to_string());
    let payload = req.payload().await.map_err(unreadable)?;
    let is_form = payload.form;
    let body = payload.into_map().map_err(unreadable)?;
    let form = Form {
        client_id: text(&body, "clientId")?,
        team_id: text(&body, "teamId")?,
        key_id: text(&body, "keyId")?,
        private_key: text(&body, "privateKey")?,
        duration: seconds(&body, is_form)?,
    };
    form.check().map_err(ApiError::wrap_400("Invalid client secret data."))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    let secret = form.secret(now).map_err(|error| {
        ApiError::bad_request(format!("Failed to generate client secret. Raw error: \n{error}"))
    })?;
    Response::of(200, &Map::from_iter([("secret".to_owned(), Value::String(secret))]))
}

fn seconds(body: &Map<String, Value>, is_form: bool) -> Result<i64> {
    let found = match body.get("duration") {
        None | Some(Value::Null) => Some(0),
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) if is_form => text.parse().ok(),
        Some(_) => None,
    };
    found
        .ok_or_else(|| ApiError::bad_request(UNREADABLE).with_detail("duration must be an integer"))
}
