//! How many no-op jobs a second are enqueued and completed, and what the memory does with many queued:
//! `cargo run --release -p jobs --example throughput -- [N] [postgres://…]`.

#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "figures")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use jobs::{Config, JobsPlugin, NewJob, get_job_store};
use pocketbase::{App, Result};
use serde_json::json;

/// Resident memory in MiB, and CPU time in seconds, of this process.
fn used() -> (f64, f64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: f64 =
        stat.split_whitespace().skip(13).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
    (kib.unwrap_or_default() / 1024.0, ticks / 100.0)
}

fn report(what: &str, n: usize, begun: Instant, cpu: f64) {
    let (time, (rss, now)) = (begun.elapsed().as_secs_f64(), used());
    println!(
        "{what:<28} {n:>7} jobs {:>9.0}/s  {:>6.1} µs CPU each  {rss:>6.1} MiB",
        n as f64 / time,
        (now - cpu) / n as f64 * 1e6
    );
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let n: usize = args.next().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let dir = std::env::temp_dir().join(format!("jobs-{}", std::process::id()));
    let config = Config::new().workers(200).batch_size(200);
    let builder = App::builder().data_dir(&dir).plugin(JobsPlugin::with(config));
    let app = match args.next() {
        Some(dsn) => builder.postgres_dsn(dsn),
        None => builder,
    }
    .build()?;
    app.bootstrap().await?;
    let queue = get_job_store(&app).ok_or_else(|| pocketbase::Error::other("disabled"))?;
    let done = Arc::new(AtomicUsize::new(0));
    let counted = done.clone();
    queue.register("noop", move |_, _| {
        counted.fetch_add(1, Relaxed);
        async { Ok(()) }
    })?;
    let reach = async |n: usize| {
        while done.load(Relaxed) < n {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };

    let (begun, cpu) = (Instant::now(), used().1);
    for at in (0..n).step_by(1_000) {
        let some = (at..n.min(at + 1_000)).map(|i| NewJob::new("noop", json!({ "i": i })));
        queue.enqueue_many(some.collect()).await?;
    }
    report("enqueue, by the thousand", n, begun, cpu);
    let (begun, cpu) = (Instant::now(), used().1);
    queue.start().await?;
    reach(n).await;
    report("claim and complete", n, begun, cpu);

    let few = n / 5;
    let (begun, cpu) = (Instant::now(), used().1);
    let tasks = (0..16).map(|task| {
        let queue = queue.clone();
        tokio::spawn(async move {
            for i in (task..few).step_by(16) {
                queue.enqueue("noop", json!({ "i": i })).await?;
            }
            Ok::<_, pocketbase::Error>(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    reach(n + few).await;
    report("one by one, 16 at a time", few, begun, cpu);
    queue.stop().await;
    println!("{:?}", queue.stats().await?);
    app.shutdown().await?;
    std::fs::remove_dir_all(dir)?;
    Ok(())
}
