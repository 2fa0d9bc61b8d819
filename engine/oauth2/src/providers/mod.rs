//! The registered services, in display order. To add one: one file, one line.

use super::provider::Provider;

macro_rules! providers {
    ($($file:ident :: $item:ident),* $(,)?) => {
        /// Every service a collection may configure.
        pub static ALL: &[&Provider] = &[$(&$file::$item),*];
    };
}

mod apple;
mod bitbucket;
mod box_com;
mod discord;
mod facebook;
mod gitea;
mod gitee;
mod github;
mod gitlab;
mod google;
mod instagram2;
mod kakao;
mod lark;
mod linear;
mod livechat;
mod mailcow;
mod microsoft;
mod monday;
mod notion;
mod oidc;
mod patreon;
mod planningcenter;
mod spotify;
mod strava;
mod trakt;
mod twitch;
mod twitter;
mod vk;
mod wakatime;
mod yandex;

providers! {
    apple::PROVIDER,
    google::PROVIDER,
    microsoft::PROVIDER,
    yandex::PROVIDER,
    facebook::PROVIDER,
    instagram2::PROVIDER,
    github::PROVIDER,
    gitlab::PROVIDER,
    bitbucket::PROVIDER,
    gitee::PROVIDER,
    gitea::PROVIDER,
    discord::PROVIDER,
    twitter::PROVIDER,
    kakao::PROVIDER,
    vk::PROVIDER,
    linear::PROVIDER,
    notion::PROVIDER,
    monday::PROVIDER,
    lark::PROVIDER,
    box_com::PROVIDER,
    spotify::PROVIDER,
    trakt::PROVIDER,
    twitch::PROVIDER,
    patreon::PROVIDER,
    strava::PROVIDER,
    wakatime::PROVIDER,
    livechat::PROVIDER,
    mailcow::PROVIDER,
    planningcenter::PROVIDER,
    oidc::PROVIDER,
    oidc::SECOND,
    oidc::THIRD,
}

#[cfg(test)]
mod tests;
