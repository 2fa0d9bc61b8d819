//! Kakao accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider, trusted},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "kakao",
    display_name: "Kakao",
    tile: ("#391b1b", "K"),
    auth_url: "https://kauth.kakao.com/oauth/authorize",
    token_url: "https://kauth.kakao.com/oauth/token",
    user_info_url: "https://kapi.kakao.com/v2/user/me",
    scopes: &["account_email", "profile_nickname", "profile_image"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    let (profile, account) = (info.at("properties")?, info.at("kakao_account")?);
    let (is_valid, is_known) =
        (account.flag("is_email_valid")?, account.flag("is_email_verified")?);
    let is_verified = is_valid && is_known;
    Ok(User {
        id: info.int("id")?.to_string(),
        username: profile.text("nickname")?,
        avatar_url: profile.text("profile_image")?,
        email: trusted(account.text("email")?, is_verified),
        ..User::default()
    })
}
