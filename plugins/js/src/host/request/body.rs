//! Bodies of requests: bound to models, forms of parts. Knows nothing of answers.

use pocketbase::{Error, Record, read_json};
use serde_json::{Map, Value as Json};

use super::{Origin, Request, plain, shared};
use crate::{
    bind::{Args, Fail, Res, Val, encode, new_map},
    host::{exchange::Uploaded, fault, model::Model, record},
    run::wait,
};

/// How far the body of a request was read.
#[derive(Default)]
pub(super) struct Reading {
    at: usize,
    is_closed: bool,
}

/// How a body is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Form,
    Xml,
    Other,
}

impl Request {
    pub(super) fn kind(&self) -> Kind {
        let kind = self.header("Content-Type");
        let is = |prefix: &str| kind.starts_with(prefix);
        if is("application/json") {
            Kind::Json
        } else if is("application/x-www-form-urlencoded") || is("multipart/") {
            Kind::Form
        } else if is("application/xml") || is("text/xml") {
            Kind::Xml
        } else {
            Kind::Other
        }
    }
    /// The whole body, whatever was read of it.
    pub(in crate::host) fn body(&self) -> Res<Vec<u8>> {
        match &self.0.origin {
            Origin::Route(event) => Ok(wait(event.bytes())?.to_vec()),
            Origin::Hook(_) => Ok(encode(&self.info()?.body())?),
        }
    }
    /// Reads what is left of the body, or so many bytes of it unless that is 0.
    pub(in crate::host) fn take_body(&self, most: usize) -> Res<Vec<u8>> {
        let all = self.body()?;
        let mut reading = self.0.state.reading.lock();
        if reading.is_closed && !all.is_empty() {
            return Err(Fail::other("http: invalid Read on closed Body"));
        }
        let left = all.get(reading.at..).unwrap_or_default();
        let part = if most == 0 { left } else { &left[..most.min(left.len())] };
        // whoever comes to the end leaves it to the next one from its beginning, as the recorded reference does; 0.40 does not
        let end = reading.at + part.len();
        reading.at = if end >= all.len() { 0 } else { end };
        Ok(part.to_vec())
    }
    pub(in crate::host) fn close_body(&self) {
        self.0.state.reading.lock().is_closed = true;
    }
    pub(in crate::host) fn reread_body(&self) {
        self.0.state.reading.lock().at = 0;
    }
    /// The body as an object.
    fn object(&self) -> Res<Map<String, Json>> {
        let all = self.body()?;
        let object: Result<Option<_>, _> = read_json(&all);
        object
            .map(Option::unwrap_or_default)
            .map_err(|error| fault::of_object(&all).map_or_else(|| error.into(), Fail::other))
    }
    /// What is wrong with a body that does not become facts, in the words of its format.
    pub(super) fn unreadable(&self, error: Error) -> Fail {
        let Origin::Route(event) = &self.0.origin else { return error.into() };
        match self.kind() {
            Kind::Json => match wait(event.bytes()) {
                Ok(bytes) => fault::of_object(&bytes).map_or_else(|| error.into(), Fail::other),
                Err(other) => other.into(),
            },
            Kind::Xml => Fail::other("unknown type map[string]interface {}"),
            _ => error.into(),
        }
    }
    pub(super) fn bind_body(&self, args: &Args<'_, '_>) -> Res<()> {
        let kind = self.kind();
        if kind != Kind::Form && self.body()?.is_empty() {
            return Ok(());
        }
        let is_pointer =
            args.opt_host::<Record>(0)?.is_some() || args.opt_host::<Model>(0)?.is_some();
        match kind {
            Kind::Form if !is_pointer => return Err(Fail::other("dst must be a pointer")),
            Kind::Xml if !is_pointer => {
                return Err(Fail::other("non-pointer passed to Unmarshal"));
            }
            Kind::Other => return Err(Fail::other("Unsupported Content-Type.")),
            _ => {}
        }
        if let Some(record) = args.opt_host::<Record>(0)? {
            // forms are bound to fields of structs, and those of a record are not
            if kind == Kind::Json {
                record::load(&record, self.object()?.into())?;
            }
            return Ok(());
        }
        let pointer = || {
            Fail::other(
                "json: unable to unmarshal into Go map[string]interface {}: value must be passed as a non-nil pointer reference",
            )
        };
        let model = args.opt_host::<Model>(0)?.ok_or_else(pointer)?;
        let body = match kind {
            Kind::Json => self.object()?,
            _ => self.info()?.body().into_object(),
        };
        model.fill(body, false)?;
        if kind == Kind::Form {
            model.zero_nulls();
        }
        Ok(())
    }
    /// The values and files of a form of parts, by field.
    pub(in crate::host) fn multipart_form(&self) -> Res<Val> {
        let Origin::Route(event) = &self.0.origin else { return Ok(Val::Null) };
        if !self.header("Content-Type").starts_with("multipart/") {
            return Ok(Val::Null);
        }
        let (files, values) = (new_map([]), new_map([]));
        let add = |map: &crate::bind::MapRef, key: &str, value: Val| {
            let mut map = map.lock();
            if let Val::List(list) = map.entry(key.to_owned()).or_insert_with(|| Val::List(vec![]))
            {
                list.push(value);
            }
        };
        for (key, file) in &wait(event.uploaded_files())? {
            add(&files, key, Val::Host(shared(Uploaded(file.clone()))));
        }
        if let Val::Map(given) = self.info()?.body() {
            for (key, value) in &*given.lock() {
                let one = std::slice::from_ref(value);
                let all = if let Val::List(items) = value { items } else { one };
                for value in all.iter().filter(|value| !matches!(value, Val::Host(_))) {
                    add(&values, key, plain(value.clone()).into());
                }
            }
        }
        Ok(Val::Map(new_map([
            ("value".to_owned(), Val::Map(values)),
            ("file".to_owned(), Val::Map(files)),
        ])))
    }
}
