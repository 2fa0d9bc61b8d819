//! `$app.crypto()`: encryption with the master key (spec extensions 0.3). Not part of the reference.

use std::sync::Arc;

use pocketbase::crypto::{Error, Keyring};

use crate::bind::{Fail, native, table};

/// The keys of an app.
pub(crate) struct Crypto(pub(crate) Arc<Keyring>);
native!(Crypto = CRYPTO);

fn fail(error: &Error) -> Fail {
    Fail::other(error.to_string())
}

table! {
    pub(crate) static CRYPTO: Crypto = "core.CryptoProvider", "Encryption with the master key." {
        fn "isEnabled" "(): boolean" "True if there is a master key." => |cx, c, a| c.0.is_enabled();
        fn "encrypt" "(text: string): string" "The text, encrypted and in base64; another one each time." => |cx, c, a| c.0.encrypt(&a.str(0)?).map_err(|e| fail(&e))?;
        fn "decrypt" "(sealed: string): string" "The reverse of encrypt." => |cx, c, a| c.0.decrypt(&a.str(0)?).map_err(|e| fail(&e))?;
    }
}
