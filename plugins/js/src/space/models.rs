//! Constructors of models (spec extending §3.2).

use crate::{bind::{errors::validation_error, globals}, host};

globals! {
    pub(crate) static CONSTRUCTORS {
        new "Record" "(collection?: core.Collection, data?: { [key: string]: any })" "A new record." => |cx, a| host::new_record(a)?;
        new "Collection" "(data?: { [key: string]: any })" "A new collection." => |cx, a| host::new_collection(a)?;
        new "DateTime" "(date?: string, timezone?: string)" "A point in time." => |cx, a| host::new_date_time(a)?;
        new "ValidationError" "(code?: string, message?: string)" "What is wrong with a value." => |cx, a| validation_error(a)?;
    }
}
