//! `POST …/auth-with-password`. Source: spec auth §3.2.

use engine::{
    FieldError, FieldErrors,
    auth::{self, login},
    ctx::Ctx,
    event::{AuthWithPasswordEvent, no_ext},
    hook::Slot,
    record::{Record, RecordRef},
};
use serde_json::Value;

use super::{
    auth_form::auth_collection,
    auth_response::{Login, answer},
};
use crate::{
    bind::Members,
    describe::operations::op,
    error::{ApiError, Result},
    request::Req,
    response::Response,
    route::{Endpoint, Rate},
    routes::{INVALID, h},
};

pub(crate) const ROUTES: &[Endpoint] =
    &[Endpoint::new("POST /api/collections/{collection}/auth-with-password", h!(login))
        .op(op("passwordAuthOf", "Auth", "Sign in with a password")
            .everybody()
            .for_auth()
            .shown()
            .takes("PasswordLogin")
            .gives("@Auth"))
        .rate(Rate::Collection(&["authWithPassword", "auth"]))];

const MAX: usize = 255;

/// A decoded login form.
struct Form {
    identity: String,
    password: String,
    identity_field: String,
}

async fn login(req: &mut Req) -> Result<Response> {
    let collection = auth_collection(req)?;
    if !collection.auth.password_auth.enabled {
        return Err(ApiError::no_passwords(403));
    }
    let body = Members::of(req).await?;
    let form = Form {
        identity: body.text("identity")?,
        password: body.text("password")?,
        identity_field: body.text("identityField")?,
    };
    form.check(&collection.auth.password_auth.identity_fields)?;
    let ctx = req.ctx(body.into_map()).in_context("password");
    let found =
        login::find_identity(&ctx, &collection, &form.identity, &form.identity_field).await?;
    let (hook, asked) = (&req.app().hooks().record_auth_with_password_request, req.exchange());
    let event = AuthWithPasswordEvent {
        ctx,
        collection,
        record: Slot::new(found.map(RecordRef::from)),
        identity: Slot::new(form.identity),
        identity_field: Slot::new(form.identity_field),
        password: Slot::new(form.password),
        ext: no_ext(),
    };
    let inside = asked.clone();
    let answered = asked.through(hook, event, move |event| async move {
        let found = event.record.get().map(|record| record.snapshot());
        let record = verified(&event.ctx, &event.collection, found, &event.password.get()).await?;
        let token = auth::new_auth_token(&record, 0, true)?;
        let login = Login { record, token, method: "password", meta: Value::Null };
        Ok(answer(&inside, &event.ctx, login).await?)
    });
    Ok(answered.await?)
}

async fn verified(
    ctx: &Ctx,
    collection: &std::sync::Arc<engine::schema::Loaded>,
    found: Option<Record>,
    password: &str,
) -> Result<Record> {
    let ok = login::verify(ctx, collection, found.as_ref(), password).await?;
    found.filter(|_| ok).ok_or_else(ApiError::no_login)
}

impl Form {
    fn check(&self, identity_fields: &[String]) -> Result<()> {
        let mut errors = FieldErrors::default();
        let too_long = || {
            FieldError::new(
                "validation_length_out_of_range",
                format!("the length must be between 1 and {MAX}"),
            )
            .param("max", MAX)
            .param("min", 1)
        };
        for (name, value) in [("identity", &self.identity), ("password", &self.password)] {
            if value.is_empty() {
                errors.set(name, FieldError::new("validation_required", "cannot be blank"));
            } else if value.len() > MAX {
                errors.set(name, too_long());
            }
        }
        if self.identity_field.len() > MAX {
            errors.set("identityField", too_long());
        } else if !self.identity_field.is_empty() && !identity_fields.contains(&self.identity_field)
        {
            errors.set(
                "identityField",
                FieldError::new("validation_in_invalid", "must be a valid value"),
            );
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::bad_request(INVALID).with_fields(errors))
        }
    }
}
