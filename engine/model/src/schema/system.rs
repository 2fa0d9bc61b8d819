//! The collections of a fresh installation, in creation order.
//!
//! Source: spec collections-and-fields §1.7, auth §8.

use super::{Collection, Kind, normalize::new_collection};
use crate::field::{
    Field, FieldType, autodate::Autodate, file::File, password::Password, text::Text,
};

/// Name of the collection of superusers.
pub const SUPERUSERS: &str = "_superusers";
/// Name of the collection of pending second factors.
pub const MFAS: &str = "_mfas";
/// Name of the collection of one-time passwords.
pub const OTPS: &str = "_otps";
/// Name of the collection of linked OAuth2 accounts.
pub const EXTERNAL_AUTHS: &str = "_externalAuths";
/// Name of the collection of places logins came from.
pub const AUTH_ORIGINS: &str = "_authOrigins";
/// The fixed id of the default `users` collection.
pub const USERS_ID: &str = "_pb_users_auth_";

/// A record belongs to the caller.
pub const OWNER_RULE: &str = "@request.auth.id != '' && recordRef = @request.auth.id && collectionRef = @request.auth.collectionId";

fn required_text(name: &str) -> Field {
    let mut field = Field::new(name, Text::default());
    field.required = true;
    field
}

fn autodate(name: &str, on_update: bool) -> Field {
    Field::new(name, Autodate { on_create: true, on_update })
}

/// A base collection whose rows refer to an auth record.
fn refs(name: &str, extra: Vec<Field>, indexes: &[&str]) -> Collection {
    let mut collection = new_collection(Kind::Base, name);
    collection.system = true;
    collection.list_rule = Some(OWNER_RULE.into());
    collection.view_rule = Some(OWNER_RULE.into());
    collection.fields.extend([required_text("collectionRef"), required_text("recordRef")]);
    collection.fields.extend(extra);
    collection.fields.extend([autodate("created", false), autodate("updated", true)]);
    for field in &mut collection.fields {
        field.system = true;
    }
    collection.indexes = indexes.iter().map(|&text| text.to_owned()).collect();
    collection
}

fn mfas() -> Collection {
    refs(
        MFAS,
        vec![required_text("method")],
        &["CREATE INDEX `idx_mfas_collectionRef_recordRef` ON `_mfas` (collectionRef,recordRef)"],
    )
}

/// The `_otps.sentTo` field (also added by migration `v0.23_migrate4`).
#[must_use]
pub fn sent_to_field() -> Field {
    let mut field = Field::new("sentTo", Text::default());
    field.system = true;
    field.hidden = true;
    field
}

fn otps() -> Collection {
    let mut password = Field::new("password", Password { cost: 8, ..Password::default() });
    password.hidden = true;
    password.required = true;
    refs(
        OTPS,
        vec![password, sent_to_field()],
        &["CREATE INDEX `idx_otps_collectionRef_recordRef` ON `_otps` (collectionRef, recordRef)"],
    )
}

fn external_auths() -> Collection {
    let mut collection = refs(
        EXTERNAL_AUTHS,
        vec![required_text("provider"), required_text("providerId")],
        &[
            "CREATE UNIQUE INDEX `idx_externalAuths_record_provider` ON `_externalAuths` (collectionRef, recordRef, provider)",
            "CREATE UNIQUE INDEX `idx_externalAuths_collection_provider` ON `_externalAuths` (collectionRef, provider, providerId)",
        ],
    );
    collection.delete_rule = Some(OWNER_RULE.into());
    collection
}

fn auth_origins() -> Collection {
    let mut collection = refs(
        AUTH_ORIGINS,
        vec![required_text("fingerprint")],
        &[
            "CREATE UNIQUE INDEX `idx_authOrigins_unique_pairs` ON `_authOrigins` (collectionRef, recordRef, fingerprint)",
        ],
    );
    collection.delete_rule = Some(OWNER_RULE.into());
    collection
}

fn superusers() -> Collection {
    let mut collection = new_collection(Kind::Auth, SUPERUSERS);
    collection.system = true;
    collection.auth.auth_token.duration = 86_400;
    let system = |mut field: Field| {
        field.system = true;
        field
    };
    collection.fields.push(system(autodate("created", false)));
    collection.fields.push(system(autodate("updated", true)));
    collection
}

fn users() -> Collection {
    let own = "id = @request.auth.id";
    let mut collection = new_collection(Kind::Auth, "users");
    let before = std::mem::replace(&mut collection.id, USERS_ID.into());
    for text in &mut collection.indexes {
        *text = text.replace(&before, USERS_ID);
    }
    collection.auto_id.clear();
    for rule in [
        &mut collection.list_rule,
        &mut collection.view_rule,
        &mut collection.update_rule,
        &mut collection.delete_rule,
    ] {
        *rule = Some(own.to_owned());
    }
    collection.create_rule = Some(String::new());
    let mime_types = ["jpeg", "png", "svg+xml", "gif", "webp"].map(|t| format!("image/{t}"));
    collection.fields.extend([
        plain("name", Text { max: 255, ..Text::default() }),
        plain("avatar", File { max_select: 1, mime_types: mime_types.into(), ..File::default() }),
        autodate("created", false),
        autodate("updated", true),
    ]);
    let mapped = &mut collection.auth.oauth2.mapped_fields;
    mapped.name = "name".into();
    mapped.avatar_url = "avatar".into();
    collection
}

fn plain(name: &str, kind: impl FieldType) -> Field {
    Field::new(name, kind)
}

/// The collections of a fresh installation, not yet normalized.
#[must_use]
pub fn fresh() -> Vec<Collection> {
    vec![mfas(), otps(), external_auths(), auth_origins(), superusers(), users()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Snapshot, normalize::normalize};

    #[test]
    fn ids_are_the_known_ones() {
        let want = [
            "pbc_2279338944",
            "pbc_1638494021",
            "pbc_2281828961",
            "pbc_4275539003",
            "pbc_3142635823",
            USERS_ID,
        ];
        for (mut collection, id) in fresh().into_iter().zip(want) {
            normalize(&mut collection, None, &Snapshot::default(), "now");
            assert_eq!(collection.id, id);
            if collection.is_auth() {
                assert!(collection.indexes[0].contains(&format!("idx_tokenKey_{id}")));
            }
        }
        let mut users = users();
        normalize(&mut users, None, &Snapshot::default(), "now");
        let ids: Vec<_> = users.fields.iter().skip(6).map(|f| f.id.as_str()).collect();
        assert_eq!(
            ids,
            ["text1579384326", "file376926767", "autodate2990389176", "autodate3332085495"]
        );
    }
}
