//! `GET /api/collections/meta/oauth2-providers`: names, display names and drawings of the known OAuth2 providers.
//!
//! The drawings are our own: a colored tile with one or two letters.
//! Source: spec collections-and-fields §4.

use crate::{
    error::Result,
    guard, json,
    pipeline::Row,
    request::Req,
    response::Response,
    routes::h,
};

pub(crate) const ROUTES: &[Row] = &[Row::new("GET /api/collections/meta/oauth2-providers", h!(list))];

/// Name, display name, tile color, letters; in the order of the reference.
const PROVIDERS: &[(&str, &str, &str, &str)] = &[
    ("apple", "Apple", "#000000", "A"),
    ("google", "Google", "#4285f4", "G"),
    ("microsoft", "Microsoft", "#00a4ef", "M"),
    ("yandex", "Yandex", "#fc3f1d", "Y"),
    ("facebook", "Facebook", "#1877f2", "f"),
    ("instagram2", "Instagram", "#e1306c", "I"),
    ("github", "GitHub", "#24292f", "GH"),
    ("gitlab", "GitLab", "#fc6d26", "GL"),
    ("bitbucket", "Bitbucket", "#0052cc", "B"),
    ("gitee", "Gitee", "#c71d23", "G"),
    ("gitea", "Gitea/Forgejo", "#609926", "G"),
    ("discord", "Discord", "#5865f2", "D"),
    ("twitter", "X/Twitter", "#000000", "X"),
    ("kakao", "Kakao", "#391b1b", "K"),
    ("vk", "ВКонтакте", "#0077ff", "VK"),
    ("linear", "Linear", "#5e6ad2", "L"),
    ("notion", "Notion", "#000000", "N"),
    ("monday", "monday.com", "#6161ff", "m"),
    ("lark", "Lark", "#3370ff", "L"),
    ("box", "Box", "#0061d5", "b"),
    ("spotify", "Spotify", "#1db954", "S"),
    ("trakt", "Trakt", "#ed1c24", "T"),
    ("twitch", "Twitch", "#9146ff", "T"),
    ("patreon", "Patreon", "#f96854", "P"),
    ("strava", "Strava", "#fc4c02", "S"),
    ("wakatime", "WakaTime", "#000000", "W"),
    ("livechat", "LiveChat", "#ff5100", "LC"),
    ("mailcow", "mailcow", "#b58800", "mc"),
    ("planningcenter", "Planning Center", "#2266f7", "PC"),
    ("oidc", "OIDC", "#f78c40", "ID"),
    ("oidc2", "OIDC", "#f78c40", "ID"),
    ("oidc3", "OIDC", "#f78c40", "ID"),
];

fn logo(color: &str, letters: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"64\" height=\"64\" viewBox=\"0 0 64 64\">\
         <rect width=\"64\" height=\"64\" rx=\"14\" fill=\"{color}\"/>\
         <text x=\"32\" y=\"44\" font-family=\"sans-serif\" font-size=\"34\" font-weight=\"700\" \
         text-anchor=\"middle\" fill=\"#ffffff\">{letters}</text></svg>"
    )
}

async fn list(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let mut out = Vec::with_capacity(16 << 10);
    out.push(b'[');
    for (idx, (name, display, color, letters)) in PROVIDERS.iter().enumerate() {
        if idx > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"name\":");
        json::write_str(&mut out, name);
        out.extend_from_slice(b",\"displayName\":");
        json::write_str(&mut out, display);
        out.extend_from_slice(b",\"logo\":");
        json::write_str(&mut out, &logo(color, letters));
        out.push(b'}');
    }
    out.push(b']');
    Ok(Response::json(200, out))
}
