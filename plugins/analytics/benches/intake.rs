//! What an event costs: parsed, checked and added up, on one core, without HTTP.
//!
//! `cargo bench -p analytics` prints microseconds per event; the bound is 15.
#![allow(clippy::print_stdout, reason = "that is what it is for")]

use std::time::Instant;

use analytics::{AnalyticsPlugin, get_analytics};

const EVENTS: u32 = 200_000;

fn main() -> pocketbase::Result<()> {
    let app = pocketbase::App::builder().plugin(AnalyticsPlugin::new()).build()?;
    let analytics = get_analytics(&app);
    // as many paths and sessions as a busy day has in ten seconds, and more
    let bodies: Vec<String> = (0..EVENTS)
        .map(|n| {
            format!(
                r#"{{"event":"page_view","path":"https://example.com/page/{}?utm=x#top","sid":"session-{}","ts":0,
                "referrer":"https://search{}.example.org/find?q=x","title":"A page","lang":"en","perf_ms":12.5,"dur":3200,
                "userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"}}"#,
                n % 20_000,
                n % 50_000,
                n % 300
            )
        })
        .collect();
    let started = Instant::now();
    let mut n_counted = 0;
    for body in &bodies {
        n_counted += u32::from(analytics.push(&serde_json::from_str(body)?));
    }
    let micros = started.elapsed().as_secs_f64() * 1e6 / f64::from(EVENTS);
    println!("{n_counted} of {EVENTS} events counted, {micros:.2} µs each");
    Ok(())
}
