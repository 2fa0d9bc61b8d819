//! The registered services, in display order. To add one: one file, one line.

use super::provider::Provider;

/// Declares the modules of the services and the list of them.
macro_rules! providers {
    ($($file:ident: $($item:ident),+;)*) => {
        $(mod $file;)*
        /// Every service a collection may configure.
        pub static ALL: &[&Provider] = &[$($(&$file::$item),+),*];
    };
}

providers! {
    apple: PROVIDER;
    google: PROVIDER;
    microsoft: PROVIDER;
    yandex: PROVIDER;
    facebook: PROVIDER;
    instagram2: PROVIDER;
    github: PROVIDER;
    gitlab: PROVIDER;
    bitbucket: PROVIDER;
    gitee: PROVIDER;
    gitea: PROVIDER;
    discord: PROVIDER;
    twitter: PROVIDER;
    kakao: PROVIDER;
    vk: PROVIDER;
    linear: PROVIDER;
    notion: PROVIDER;
    monday: PROVIDER;
    lark: PROVIDER;
    box_com: PROVIDER;
    spotify: PROVIDER;
    trakt: PROVIDER;
    twitch: PROVIDER;
    patreon: PROVIDER;
    strava: PROVIDER;
    wakatime: PROVIDER;
    livechat: PROVIDER;
    mailcow: PROVIDER;
    planningcenter: PROVIDER;
    oidc: PROVIDER, SECOND, THIRD;
}

#[cfg(test)]
mod tests;
