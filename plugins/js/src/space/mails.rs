//! `$mails` (spec extending §3.3): the mails about accounts.

use pocketbase::{App, Record};

use super::Space;
use crate::{bind::table, run::wait};

table! {
    pub(crate) static MAILS: Space = "Mails", "Mails to accounts." {
        fn "sendRecordVerification" "(app: core.App, record: core.Record): void" "Asks an account to confirm its address." => |cx, s, a| {
            wait(a.host::<App>(0)?.send_record_verification(&*a.host::<Record>(1)?))?;
        };
        fn "sendRecordPasswordReset" "(app: core.App, record: core.Record): void" "Sends a link to a new password." => |cx, s, a| {
            wait(a.host::<App>(0)?.send_record_password_reset(&*a.host::<Record>(1)?))?;
        };
        fn "sendRecordChangeEmail" "(app: core.App, record: core.Record, newEmail: string): void" "Asks to confirm a new address." => |cx, s, a| {
            wait(a.host::<App>(0)?.send_record_change_email(&*a.host::<Record>(1)?, &a.str(2)?))?;
        };
        fn "sendRecordOTP" "(app: core.App, record: core.Record, id: string, password: string): void" "Sends a one-time password." => |cx, s, a| {
            wait(a.host::<App>(0)?.send_record_otp(&*a.host::<Record>(1)?, &a.str(2)?, &a.str(3)?))?;
        };
        fn "sendRecordAuthAlert" "(app: core.App, record: core.Record, info: string): void" "Tells of a sign-in from a new place." => |cx, s, a| {
            wait(a.host::<App>(0)?.send_record_auth_alert(&*a.host::<Record>(1)?, &a.str(2)?))?;
        };
    }
}
