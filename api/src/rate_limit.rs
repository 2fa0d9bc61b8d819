//! Rate limits by address: rules, labels, fixed windows of whole seconds.
//!
//! Knows no request: who is counted is said by [`Who`]. Counters live in this process. Any change of the settings drops all of them.
//! Source: spec server-settings-operations §2.11.

use std::{
    borrow::Cow,
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{
    App,
    ctx::Caller,
    event::AppEvent,
    hook::{Event, Handler},
    schema::Collection,
    settings::{RateLimitRule, Settings},
    subnet::Subnet,
};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;

use crate::{
    error::{ApiError, Result},
    head::Head,
    router,
};

/// A bucket is dropped after this time without use.
const IDLE: Duration = Duration::from_secs(1800);
/// Most buckets; when there are more the oldest windows go, limits of attackers with many addresses included.
const MAX_BUCKETS: usize = 200_000;
/// The job that drops idle buckets; it exists from the first use of a limit to the next change of the settings.
const CLEANUP: (&str, &str) = ("__pbRateLimitersCleanup__", "2 * * * *");

/// Counters of fixed windows. Clones share them.
#[derive(Debug, Default, Clone)]
pub struct Limiter {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    buckets: HashMap<(String, IpAddr), Bucket>,
    has_cleanup: bool,
    swept: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    start: Instant,
    used: Instant,
    left: u64,
}

impl Limiter {
    /// Takes one request from a bucket; false when it is empty.
    pub fn allow(&self, bucket: &str, ip: IpAddr, max: u64, seconds: u64, now: Instant) -> bool {
        let mut state = self.state.lock();
        state.sweep(now);
        let slot = state.buckets.entry((bucket.to_owned(), ip)).or_insert(Bucket {
            start: now,
            used: now,
            left: max,
        });
        slot.used = now;
        if now.duration_since(slot.start).as_secs() >= seconds {
            (slot.start, slot.left) = (now, max);
        }
        if slot.left == 0 {
            return false;
        }
        slot.left -= 1;
        true
    }

    /// Drops every counter and the clean-up job whenever the settings are loaded again.
    pub(crate) fn follow_settings(&self, app: &App) {
        let limiter = self.clone();
        let handler = Handler::new(move |event: Event<AppEvent>| {
            let limiter = limiter.clone();
            async move {
                let app = event.app.clone();
                event.next().await?;
                let mut state = limiter.state.lock();
                state.buckets.retain(|(bucket, _), _| bucket.starts_with('@'));
                if std::mem::take(&mut state.has_cleanup) {
                    app.crons().remove(CLEANUP.0);
                }
                Ok(())
            }
        });
        app.hooks().settings_reload.bind_handler(handler.id("__pbRateLimitersSettingsHook__"));
    }

    /// Makes sure that idle counters go away.
    fn ensure_cleanup(&self, app: &App) {
        if std::mem::replace(&mut self.state.lock().has_cleanup, true) {
            return;
        }
        let state = self.state.clone();
        let added = app.crons().add_local(CLEANUP.0, CLEANUP.1, move |_| {
            state.lock().drop_idle(Instant::now());
            std::future::ready(Ok(()))
        });
        if let Err(error) = added {
            tracing::warn!(error, "no clean-up of rate limits");
        }
    }
}

impl State {
    fn sweep(&mut self, now: Instant) {
        let due = self.swept.is_none_or(|last| now.duration_since(last) > Duration::from_secs(60));
        if due {
            self.drop_idle(now);
        }
        if self.buckets.len() >= MAX_BUCKETS {
            let mut starts: Vec<Instant> = self.buckets.values().map(|b| b.start).collect();
            let (_, median, _) = starts.select_nth_unstable(MAX_BUCKETS / 2);
            let median = *median;
            self.buckets.retain(|_, bucket| bucket.start > median);
        }
    }

    fn drop_idle(&mut self, now: Instant) {
        self.swept = Some(now);
        self.buckets.retain(|_, bucket| now.saturating_duration_since(bucket.used) < IDLE);
    }
}

/// True if one of the entries (addresses or networks) contains the address; families are never mixed.
#[must_use]
pub fn contains_ip(entries: &[String], ip: IpAddr) -> bool {
    entries.iter().filter_map(|entry| Subnet::parse(entry)).any(|entry| entry.contains(ip))
}

/// The first rule that fits: per label an exact match over all rules, then the first declared prefix.
fn find<'s>(
    rules: &'s [RateLimitRule],
    labels: &[String],
    signed_in: bool,
) -> Option<&'s RateLimitRule> {
    let fits = |rule: &&RateLimitRule| match rule.audience.as_str() {
        "@guest" => !signed_in,
        "@auth" => signed_in,
        _ => true,
    };
    labels.iter().find_map(|label| {
        let exact = rules.iter().filter(fits).find(|rule| rule.label == *label);
        exact.or_else(|| {
            let slashed = format!("{label}/");
            rules
                .iter()
                .filter(fits)
                .find(|rule| rule.label.ends_with('/') && slashed.starts_with(&rule.label))
        })
    })
}

/// Who is counted.
#[derive(Debug, Clone, Copy)]
pub struct Who<'r> {
    /// Where it is counted.
    pub limiter: &'r Limiter,
    /// Whose settings say how much is allowed.
    pub app: &'r App,
    /// The request as it came in.
    pub head: &'r Head,
    /// Who asks.
    pub caller: &'r Caller,
}

/// An action on a collection.
#[derive(Debug, Clone, Copy)]
pub struct Action<'r> {
    /// `create`, `auth`, …; the first is the most specific.
    pub tags: &'r [&'r str],
    /// Method for the path labels.
    pub method: &'r str,
    /// Path for the path labels.
    pub path: &'r str,
    /// The route's pattern; part of the bucket.
    pub route: &'r str,
}

impl Who<'_> {
    fn skipped(&self, settings: &Settings) -> bool {
        let limits = &settings.rate_limits;
        !limits.enabled
            || self.caller.is_superuser()
            || (!limits.excluded_ips.is_empty()
                && contains_ip(&limits.excluded_ips, self.head.real_ip(settings)))
    }

    /// Counts an action on a collection.
    ///
    /// # Errors
    /// 429.
    pub fn check(&self, collection: &Collection, action: &Action<'_>) -> Result<()> {
        let settings = self.app.settings();
        if self.skipped(&settings) {
            return Ok(());
        }
        let mut labels: Vec<String> =
            action.tags.iter().map(|tag| format!("{}:{tag}", collection.name)).collect();
        labels.extend(action.tags.iter().map(|tag| format!("*:{tag}")));
        let path = decoded(action.path);
        labels.push(format!("{} {path}", action.method));
        labels.push(path.into_owned());
        let Some(rule) = find(&settings.rate_limits.rules, &labels, self.caller.record().is_some())
        else {
            return Ok(());
        };
        let tags = action.tags.join(",");
        self.take(
            &settings,
            rule,
            &format!("{} {} {tags} {}", collection.id, action.route, rule.audience),
        )
    }

    /// Counts a request by its path.
    ///
    /// # Errors
    /// 429.
    pub(crate) fn check_path(&self) -> Result<()> {
        let settings = self.app.settings();
        if self.skipped(&settings) {
            return Ok(());
        }
        let path = decoded(self.head.uri.path());
        let labels = [format!("{} {path}", self.head.method), path.into_owned()];
        let Some(rule) = find(&settings.rate_limits.rules, &labels, self.caller.record().is_some())
        else {
            return Ok(());
        };
        self.take(&settings, rule, &format!("{} {}", rule.label, rule.audience))
    }

    fn take(&self, settings: &Settings, rule: &RateLimitRule, bucket: &str) -> Result<()> {
        self.limiter.ensure_cleanup(self.app);
        let (max, seconds) =
            (rule.max_requests.max(0).unsigned_abs(), rule.duration.max(0).unsigned_abs());
        if self.limiter.allow(bucket, self.head.real_ip(settings), max, seconds, Instant::now()) {
            return Ok(());
        }
        Err(ApiError::too_many(format!(
            "triggered rate limit rule: {{\"label\":\"{}\",\"audience\":\"{}\",\"duration\":{},\"maxRequests\":{}}}",
            rule.label, rule.audience, rule.duration, rule.max_requests
        )))
    }
}

/// A path as it is routed: however it is spelled, it has one limit.
fn decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') && !path.contains("/.") {
        return Cow::Borrowed(path);
    }
    Cow::Owned(router::clean(&percent_decode_str(path).decode_utf8_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_has_one_limit() {
        for (path, want) in [
            ("/api/health", "/api/health"),
            ("/%61pi/health", "/api/health"),
            ("/zz/%2e%2e/-/pub/x", "/-/pub/x"),
            ("/-/./pub/", "/-/pub/"),
            ("/a%2Fb", "/a/b"),
        ] {
            assert_eq!(decoded(path), want, "{path}");
        }
    }

    #[test]
    fn fixed_window() {
        let limiter = Limiter::default();
        let ip: IpAddr = "1.2.3.4".parse().expect("ip");
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let got: Vec<bool> =
            [0, 0, 0, 1, 2, 2, 3, 4].iter().map(|s| limiter.allow("b", ip, 2, 2, at(*s))).collect();
        assert_eq!(got, [true, true, false, false, true, true, false, true]);
        assert!(limiter.allow("c", ip, 2, 2, start));
    }

    #[test]
    fn buckets_are_bounded() {
        let limiter = Limiter::default();
        let start = Instant::now();
        let v6 = |n: usize| IpAddr::from((n as u128).to_be_bytes());
        for n in 0..=MAX_BUCKETS {
            let now = start + Duration::from_millis(n as u64 / 1000);
            assert!(limiter.allow("b", v6(n), 1, 60, now));
        }
        assert!(limiter.state.lock().buckets.len() <= MAX_BUCKETS / 2 + 1);
        assert!(!limiter.allow("b", v6(MAX_BUCKETS), 1, 60, start));
    }

    #[test]
    fn rules() {
        let rule = |label: &str, audience: &str| RateLimitRule {
            label: label.into(),
            audience: audience.into(),
            duration: 1,
            max_requests: 1,
        };
        let rules = [
            rule("POST /api/", ""),
            rule("/api/batch", "@auth"),
            rule("/api/", ""),
            rule("*:list", ""),
            rule("demo:list", "@guest"),
        ];
        let run = |labels: &[&str], signed_in| {
            let labels: Vec<String> = labels.iter().map(|l| (*l).to_owned()).collect();
            find(&rules, &labels, signed_in).map(|rule| rule.label.clone())
        };
        for (labels, signed_in, want) in [
            (&["POST /api/batch", "/api/batch"][..], true, Some("POST /api/")),
            (&["GET /api/batch", "/api/batch"], true, Some("/api/batch")),
            (&["GET /api/batch", "/api/batch"], false, Some("/api/")),
            (&["GET /api", "/api"], false, Some("/api/")),
            (&["GET /apix", "/apix"], false, None),
            (&["demo:list", "*:list"], false, Some("demo:list")),
            (&["demo:list", "*:list"], true, Some("*:list")),
        ] {
            assert_eq!(run(labels, signed_in).as_deref(), want, "{labels:?}");
        }
    }
}
