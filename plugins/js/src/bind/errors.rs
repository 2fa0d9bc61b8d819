//! Errors as host objects: API errors, validation errors, everything else (spec §1.7, §1.9, §3.2).

use pocketbase::{ApiError, Error, FieldError, FieldErrors};
use serde_json::{Map, Value, json};

use super::{
    Args, Fail, Held, Res, Shared, Val, as_host, fail::text_of, native, new_map, table, text,
};

/// An error answer.
pub(crate) struct ApiErr {
    pub(crate) error: ApiError,
    raw: Val,
}

/// One validation error.
pub(crate) struct Invalid(pub(crate) FieldError);

/// Validation errors by field.
pub(crate) struct Invalids(pub(crate) FieldErrors);

/// Any other error.
pub(crate) struct Plain(Error);

native!(
    ApiErr = API_ERROR,
    Invalid = VALIDATION_ERROR,
    Invalids = VALIDATION_ERRORS,
    Plain = ERROR
);

table! {
    pub(crate) static API_ERROR: ApiErr = "router.ApiError", "An error answer." {
        prop "status": "number", "The HTTP status." => |cx, e| e.error.status;
        prop "message": "string", "The sentence for the client." => |cx, e| e.error.sentence().into_owned();
        prop "data": "{ [key: string]: any }", "What the client is told about fields." => |cx, e| data_of(&e.error);
        fn "rawData" "(): any" "The data as it was given." => |cx, e, a| e.raw.clone();
        fn "error" "(): string" "The sentence." => |cx, e, a| e.error.sentence().into_owned();
        fn "is" "(target: any): boolean" "True if the other error is the same." => |cx, e, a| {
            same_error(a)?.is_some_and(|other| other.error.status == e.error.status && other.error.message == e.error.message)
        };
    }
    text |e| e.error.sentence().into_owned();
    json |e| Val::from(json!({"data": data_of(&e.error), "message": e.error.sentence(), "status": e.error.status}));
}

/// An API error among the errors that may be given.
fn same_error(args: &Args<'_, '_>) -> Res<Option<Held<ApiErr>>> {
    let is_error =
        args.is_nil(0) || as_host(&args.at(0)).is_some_and(|host| to_error(&host).is_some());
    if is_error { args.opt_host(0) } else { Err(args.inconvertible(0, "error")) }
}

fn data_of(error: &ApiError) -> Value {
    match error.public_data() {
        Value::Null => json!({}),
        data => data,
    }
}

table! {
    pub(crate) static VALIDATION_ERROR: Invalid = "ozzo_validation.ErrorObject", "What is wrong with one value." {
        fn "code" "(): string" "The code." => |cx, e, a| code(&e.0);
        fn "message" "(): string" "The template of the message." => |cx, e, a| template(&e.0);
        fn "error" "(): string" "The message." => |cx, e, a| rendered(&e.0);
        fn "params" "(): { [key: string]: any }" "The values of the template." => |cx, e, a| {
            let params = params(&e.0);
            if params.is_empty() { Val::Null } else { Val::from(params) }
        };
        fn "setCode" "(code: string): ozzo_validation.ErrorObject" "A copy with another code." => |cx, e, a| {
            made(a.str(0)?, template(&e.0), params(&e.0))
        };
        fn "setMessage" "(message: string): ozzo_validation.ErrorObject" "A copy with another message." => |cx, e, a| {
            made(code(&e.0), a.str(0)?, params(&e.0))
        };
        fn "setParams" "(params: { [key: string]: any }): ozzo_validation.ErrorObject" "A copy with other values." => |cx, e, a| {
            made(code(&e.0), template(&e.0), a.object(0, "map[string]interface {}")?)
        };
        fn "addParam" "(name: string, value: any): ozzo_validation.ErrorObject" "A copy with one more value." => |cx, e, a| {
            let mut params = params(&e.0);
            params.insert(a.str(0)?, a.json(1)?);
            made(code(&e.0), template(&e.0), params)
        };
    }
    text |e| rendered(&e.0);
    json |e| Val::Map(new_map([]));
}

table! {
    pub(crate) static VALIDATION_ERRORS: Invalids = "ozzo_validation.Errors", "What is wrong, by field." {
        fn "error" "(): string" "All messages." => |cx, e, a| plain(&e.0);
        fn "filter" "(): any" "Itself, or nothing when it is empty." => |cx, e, a| {
            (!e.0.is_empty()).then(|| std::sync::Arc::new(Invalids(e.0.clone())) as Shared)
        };
    }
    text |e| plain(&e.0);
    json |e| messages(&e.0);
}

table! {
    pub(crate) static ERROR: Plain = "Error", "An error of the host." {
        fn "error" "(): string" "The text." => |cx, e, a| text_of(&e.0);
    }
    text |e| text_of(&e.0);
    json |e| Val::Map(new_map([]));
}

fn made(code: String, message: String, params: Map<String, Value>) -> Shared {
    std::sync::Arc::new(Invalid(FieldError::Item { code, message, params }))
}
fn code(error: &FieldError) -> String {
    match error {
        FieldError::Item { code, .. } => code.clone(),
        _ => String::new(),
    }
}
fn template(error: &FieldError) -> String {
    match error {
        FieldError::Item { message, .. } => message.clone(),
        FieldError::Other(text) => text.clone(),
        FieldError::Nested(errors) => plain(errors),
    }
}
fn params(error: &FieldError) -> Map<String, Value> {
    match error {
        FieldError::Item { params, .. } => params.clone(),
        _ => Map::new(),
    }
}
/// The message with its `{{.name}}` filled.
fn rendered(error: &FieldError) -> String {
    let mut text = template(error);
    for (key, value) in params(error) {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text = text.replace(&format!("{{{{.{key}}}}}"), &shown);
    }
    text
}
/// `email: must be …; password: cannot be blank.`
pub(super) fn plain(errors: &FieldErrors) -> String {
    let parts = errors.0.iter().map(|(key, error)| match error {
        FieldError::Nested(inner) => format!("{key}: ({})", plain(inner)),
        other => format!("{key}: {}", rendered(other)),
    });
    let all = parts.collect::<Vec<_>>().join("; ");
    if all.is_empty() { all } else { format!("{all}.") }
}
fn messages(errors: &FieldErrors) -> Val {
    Val::Map(new_map(errors.0.iter().map(|(key, error)| {
        let value = match error {
            FieldError::Nested(inner) => messages(inner),
            other => Val::Str(rendered(other)),
        };
        (key.clone(), value)
    })))
}

/// A host error as an object.
pub(crate) fn of_error(error: Error) -> Shared {
    match error {
        Error::Api(error) => {
            let raw = Val::from(error.public_data());
            std::sync::Arc::new(ApiErr { error: *error, raw })
        }
        Error::Validation(errors) => std::sync::Arc::new(Invalids(errors)),
        other => std::sync::Arc::new(Plain(other)),
    }
}

/// The error behind an object.
pub(crate) fn to_error(host: &Shared) -> Option<Error> {
    if let Some(api) = host.get::<ApiErr>() {
        return Some(api.error.clone().into());
    }
    if let Some(errors) = host.get::<Invalids>() {
        return Some(Error::Validation(errors.0.clone()));
    }
    if let Some(error) = host.get::<Invalid>() {
        return Some(Error::other(rendered(&error.0)));
    }
    Some(host.get::<Plain>()?.0.duplicate())
}

/// `new ValidationError(code, message)`.
pub(crate) fn validation_error(args: &Args<'_, '_>) -> Res<Invalid> {
    Ok(Invalid(FieldError::Item { code: args.str(0)?, message: args.str(1)?, params: Map::new() }))
}

/// `new ApiError(status, message, data)`; `strict`: the constructors take texts only, the methods of events anything.
pub(crate) fn api_error(
    args: &Args<'_, '_>,
    status: u16,
    from: usize,
    strict: bool,
) -> Res<ApiErr> {
    let given = args.at(from);
    if strict && !args.is_nil(from) && !given.is_string() {
        return Err(Fail::Fatal("the message of an API error must be a string".into()));
    }
    let message = text(args.cx(), &given)?;
    let raw = args.val(from + 1)?;
    let mut error = ApiError::new(status, message);
    let data = public(&raw);
    if data.as_object().is_some_and(|data| !data.is_empty()) {
        error = error.with_raw(data);
    }
    Ok(ApiErr { error, raw })
}

/// The part of an error's data that clients may see.
fn public(data: &Val) -> Value {
    match data {
        Val::Map(map) => {
            let map = map.lock().clone();
            let member = |(key, value): (String, Val)| {
                let shown = match &value {
                    Val::Map(_) => public(&value),
                    Val::Host(host) => of_host(host),
                    _ => invalid_value(),
                };
                (key, shown)
            };
            Value::Object(map.into_iter().map(member).collect())
        }
        Val::Host(host) => match host.get::<Invalids>() {
            Some(errors) => of_fields(&errors.0),
            None => json!({}),
        },
        _ => json!({}),
    }
}
fn of_host(host: &Shared) -> Value {
    if let Some(error) = host.get::<Invalid>() {
        return of_field(&error.0);
    }
    match host.get::<Invalids>() {
        Some(errors) => of_fields(&errors.0),
        None => invalid_value(),
    }
}
fn invalid_value() -> Value {
    json!({"code": "validation_invalid_value", "message": "Invalid value."})
}
fn of_fields(errors: &FieldErrors) -> Value {
    Value::Object(errors.0.iter().map(|(key, error)| (key.clone(), of_field(error))).collect())
}
fn of_field(error: &FieldError) -> Value {
    match error {
        FieldError::Nested(inner) => of_fields(inner),
        FieldError::Other(_) => invalid_value(),
        FieldError::Item { code, params, .. } => {
            let mut shown = Map::new();
            shown.insert("code".into(), code.clone().into());
            shown.insert("message".into(), sentence(&rendered(error)).into());
            if !params.is_empty() {
                shown.insert("params".into(), Value::Object(params.clone()));
            }
            Value::Object(shown)
        }
    }
}
fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    first.to_uppercase().chain(chars).collect::<String>() + end
}
