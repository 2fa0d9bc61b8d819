//! Lark accounts; outside of China the URLs are configured to `*.larksuite.com`. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "lark",
    display_name: "Lark",
    tile: ("#3370ff", "L"),
    auth_url: "https://accounts.feishu.cn/open-apis/authen/v1/authorize",
    token_url: "https://open.feishu.cn/open-apis/authen/v2/oauth/token",
    user_info_url: "https://open.feishu.cn/open-apis/authen/v1/user_info",
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let data = answer.info.at("data")?;
    Ok(User {
        id: data.text("union_id")?,
        name: data.text("name")?,
        avatar_url: data.text("avatar_url")?,
        ..User::default()
    })
}
