//! User agents as few classes, and which of them are no people. Source: spec extensions 7.4.
//!
//! Must not know what is done with them.

/// What a user agent says of a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Agent {
    pub(crate) browser: &'static str,
    pub(crate) os: &'static str,
    pub(crate) device: &'static str,
}

const BOTS: [&str; 14] = [
    "bot",
    "crawler",
    "spider",
    "slurp",
    "yandex",
    "baiduspider",
    "duckduck",
    "facebookexternalhit",
    "pinterest",
    "whatsapp",
    "semrush",
    "ahrefs",
    "headless",
    "python-requests",
];
const BROWSERS: [(&str, &str); 15] = [
    ("micromessenger", "WeChat"),
    ("edg/", "Edge"),
    ("edge/", "Edge"),
    ("opr/", "Opera"),
    ("opera", "Opera"),
    ("ucbrowser", "UCBrowser"),
    ("qqbrowser", "QQBrowser"),
    ("baidubrowser", "Baidu"),
    ("chrome", "Chrome"),
    ("chromium", "Chromium"),
    ("firefox", "Firefox"),
    ("safari", "Safari"),
    ("msie", "IE"),
    ("trident", "IE"),
    ("", "Other"),
];
const SYSTEMS: [(&str, &str); 12] = [
    ("iphone", "iOS"),
    ("ipad", "iPadOS"),
    ("android", "Android"),
    ("nt 10", "Windows 10"),
    ("nt 6.3", "Windows 8.1"),
    ("nt 6.2", "Windows 8"),
    ("nt 6.1", "Windows 7"),
    ("windows", "Windows"),
    ("mac os x", "MacOS"),
    // not the one inside "microsoft"
    (" cros ", "ChromeOS"),
    ("linux", "Linux"),
    ("", "Other"),
];

fn first(table: &[(&'static str, &'static str)], text: &str) -> &'static str {
    table.iter().find(|(part, _)| text.contains(part)).map_or("Other", |(_, name)| name)
}

impl Agent {
    /// The classes of a user agent; `None` if it is a program.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text.is_empty() {
            return Some(Self { browser: "Unknown", os: "Unknown", device: "unknown" });
        }
        if BOTS.iter().any(|bot| text.contains(bot)) || text.contains("curl/") {
            return None;
        }
        let has = |part: &str| text.contains(part);
        let device = match () {
            // an Android that is no phone does not say "mobile"
            () if has("tablet") || has("ipad") || has("android") && !has("mobile") => "tablet",
            () if has("mobile") || has("iphone") || has("android") => "mobile",
            () => "desktop",
        };
        Some(Self { browser: first(&BROWSERS, &text), os: first(&SYSTEMS, &text), device })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        for (text, want) in [
            ("", "Unknown Unknown unknown"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36",
                "Chrome Windows 10 desktop",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 Safari/537.36 Edg/120.0",
                "Edge Windows 10 desktop",
            ),
            ("Mozilla/5.0 (Windows NT 6.3) Chrome/90 OPR/76", "Opera Windows 8.1 desktop"),
            (
                "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko",
                "IE Windows 7 desktop",
            ),
            ("Mozilla/5.0 (Windows NT 5.1) Firefox/52", "Firefox Windows desktop"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17 Mobile Safari/604.1",
                "Safari iOS mobile",
            ),
            ("Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) Safari/604.1", "Safari iPadOS tablet"),
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/120 Mobile Safari/537.36",
                "Chrome Android mobile",
            ),
            (
                "Mozilla/5.0 (Linux; Android 13; SM-X700) Chrome/120 Safari/537.36",
                "Chrome Android tablet",
            ),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605", "Safari MacOS desktop"),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/120 Safari/537.36",
                "Chrome ChromeOS desktop",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) Ubuntu Chromium/120 Chrome/120 Safari/537.36",
                "Chrome Linux desktop",
            ),
            ("Mozilla/5.0 (X11; Linux x86_64) Chromium/12", "Chromium Linux desktop"),
            ("Mozilla/5.0 (iPhone) MicroMessenger/8.0 Safari", "WeChat iOS mobile"),
            ("Mozilla/5.0 (Windows NT 10.0) baidubrowser/8 Chrome", "Baidu Windows 10 desktop"),
            ("Mozilla/5.0 (Linux; U; Android 10) UCBrowser/13 Mobile", "UCBrowser Android mobile"),
            ("Mozilla/5.0 (Windows NT 6.2) QQBrowser/11 Chrome", "QQBrowser Windows 8 desktop"),
            ("Microsoft Office", "Other Other desktop"),
        ] {
            let Agent { browser, os, device } = Agent::of(text).expect("a person");
            assert_eq!(format!("{browser} {os} {device}"), want, "{text}");
        }
    }

    #[test]
    fn programs() {
        for text in [
            "Googlebot/2.1",
            "Mozilla/5.0 (compatible; Baiduspider/2.0)",
            "HeadlessChrome/120",
            "python-requests/2.31",
            "curl/8.5.0",
            "WhatsApp/2.2",
            "YandexBot",
        ] {
            assert_eq!(Agent::of(text), None, "{text}");
        }
    }
}
