//! `x-if-unchanged: updated=…;title=…` on a PATCH: it is done only if the record still has these values, else 409 with the
//! record as it is. The row is kept from others in between. Not part of the reference. Source: spec dashboard §8 A22.

use engine::{
    Error, FieldError, FieldErrors,
    record::{self, RecordRef, export, find, hold},
};
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::{
    error::{ApiError, Data, Result},
    response::Response,
    routes::records::{Call, Write, prepare, proceed},
};

const CHANGED: &str = "The record has been changed by somebody else.";

/// The values that must still be there, by field.
pub(crate) type Wanted = Vec<(String, String)>;

/// Read once, not at each request.
static IF_UNCHANGED: HeaderName = HeaderName::from_static("x-if-unchanged");

/// Reads the header; values are percent-encoded where they hold `;`, `%` or what is not ASCII.
///
/// # Errors
/// 400 for what is none.
pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Wanted>> {
    let Some(value) = headers.get(&IF_UNCHANGED) else { return Ok(None) };
    let refused = || ApiError::bad_request("The header x-if-unchanged cannot be read.");
    let text = value.to_str().map_err(|_| refused())?;
    let mut wanted = Wanted::new();
    for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (field, value) = pair.split_once('=').ok_or_else(refused)?;
        let value = percent_decode_str(value).decode_utf8().map_err(|_| refused())?;
        wanted.push((field.trim().to_owned(), value.into_owned()));
    }
    Ok(Some(wanted))
}

/// An update that wants values to be as they were.
pub(crate) async fn update(call: Call, id: String, wanted: Wanted) -> Result<Response> {
    let Call { ctx, collection, submission, expand, exchange } = call;
    let answer = exchange.clone();
    let done = ctx.run_in_transaction(move |ctx| async move {
        hold::row(&ctx, &collection, &id).await?;
        let answer = exchange.clone();
        let call = Call { ctx, collection, submission, expand, exchange };
        let what = Write::Update { id: id.clone() };
        // Who may not change the record learns nothing of it.
        let step = prepare(&call, &what).await?;
        let stored: RecordRef = find::by_id_or_404(&call.ctx, &call.collection, &id).await?.into();
        record::enrich(&call.ctx, &call.collection, std::slice::from_ref(&stored), &call.expand)
            .await?;
        let mut text = Vec::new();
        export::write_json(&stored, &mut text);
        let shown: Map<String, Value> =
            serde_json::from_slice(&text).map_err(|e| Error::Message(e.to_string()))?;
        check(&shown, &wanted)?;
        let (response, _) = Box::pin(proceed(call, what, step, None)).await?;
        answer.respond(response);
        Ok(())
    });
    done.await?;
    Ok(answer.take())
}

fn check(shown: &Map<String, Value>, wanted: &Wanted) -> Result<()> {
    for (field, value) in wanted {
        let Some(stored) = shown.get(field) else {
            let mut errors = FieldErrors::default();
            errors.set(field.clone(), FieldError::new("validation_unknown_field", "unknown field"));
            return Err(ApiError::bad_request("").with_fields(errors));
        };
        let is_same = match stored {
            Value::String(text) => text == value,
            other => serde_json::to_string(other).is_ok_and(|text| text == *value),
        };
        if !is_same {
            let mut error = ApiError::new(409, CHANGED);
            error.data = Data::Raw(Box::new(Value::Object(shown.clone())));
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-if-unchanged", text.parse().expect("a value"));
            of(&headers).ok().flatten()
        };
        let pairs = |list: &[(&str, &str)]| -> Option<Wanted> {
            Some(list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
        };
        assert_eq!(read("a=1; b = x%3By=z;"), pairs(&[("a", "1"), ("b", " x;y=z")]));
        assert_eq!(read("a="), pairs(&[("a", "")]));
        assert_eq!(read("a"), None);
        assert_eq!(read("a=%ff"), None);
    }
}
