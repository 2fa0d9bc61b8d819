//! `$jobs` for scripts: names in camelCase, values as JSON; in the transaction of the script's context.
//!
//! Must not know any language.

use std::time::Duration;

use pocketbase::{App, DateTime, Error, Native, Result, Setup, parse_date_time};
use serde_json::{Value, json};

use crate::{Filter, Job, JobStore, NewJob, TopicOptions, get_job_store};

const JOB: &str = "{ id: string; topic: string; payload: any; status: string; runAt: string; lockedUntil: string; retries: number; \
     maxRetries: number; lastError?: string; created: string; updated: string; priority?: number; uniqueKey?: string; \
     started?: string; finished?: string }";
const OPTIONS: &str = "{ runAt?: string | Date | DateTime; maxRetries?: number; priority?: number; uniqueKey?: string }";

fn queue(app: &App) -> Result<JobStore> {
    get_job_store(app).ok_or_else(|| Error::other("jobs are disabled"))
}
fn at(args: &[Value], index: usize) -> Value {
    args.get(index).cloned().unwrap_or_default()
}
fn word(args: &[Value], index: usize) -> String {
    match args.get(index) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}
fn bad(text: &str) -> Error {
    Error::Message(text.into())
}

fn moment(value: &Value) -> Result<Option<DateTime>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some(parse_date_time(text).ok_or_else(|| bad("invalid runAt"))?)),
        // what Date.now() gives
        Value::Number(n) => Ok(n.as_f64().map(|millis| {
            #[allow(clippy::cast_possible_truncation, reason = "milliseconds")]
            DateTime::from_millis(millis as i64)
        })),
        _ => Err(bad("invalid runAt")),
    }
}

/// A job with its options.
fn new_job(topic: String, payload: Value, options: &Value) -> Result<NewJob> {
    let number = |name: &str| options[name].as_f64();
    let mut job = NewJob::new(topic, payload);
    if let Some(time) = moment(&options["runAt"])? {
        job = job.run_at(time);
    }
    #[allow(clippy::cast_possible_truncation, reason = "small numbers")]
    let whole = |name: &str| number(name).map_or(0, |n| n as i64);
    let key = options["uniqueKey"].as_str().unwrap_or_default();
    Ok(job.max_retries(whole("maxRetries")).priority(whole("priority")).unique_key(key))
}

pub(crate) fn add(setup: &Setup) -> Result<()> {
    let all =
        [register(), schedule(), unschedule()].into_iter().chain(enqueueing()).chain(reading());
    for native in all {
        setup.native(native)?;
    }
    Ok(())
}

fn register() -> Native {
    Native::new("$jobs.register")
        .doc("Does the jobs of a topic; the handler runs in a context of its own. What it throws is a failed attempt.")
        .param("topic", "string", "the topic")
        .handler("handler", &format!("(job: {JOB} & {{ progress(part: number): void }}) => void"), "what does a job")
        .param("options?", "{ concurrency?: number; deadline?: number }", "jobs at once on this node; seconds an attempt may take")
        .run_with(|app, args, functions| async move {
            let function = functions.into_iter().next().ok_or_else(|| bad("a handler is expected"))?;
            let mut options = TopicOptions::default();
            let given = at(&args, 2);
            if let Some(n) = given["concurrency"].as_u64() {
                options.concurrency = usize::try_from(n).unwrap_or(usize::MAX);
            }
            if let Some(time) = given["deadline"].as_f64().filter(|time| *time > 0.0) {
                options.deadline = Duration::try_from_secs_f64(time).ok();
            }
            queue(&app)?.register_with(&word(&args, 0), options, move |app, job: Job| {
                let function = function.clone();
                async move {
                    let script = job.to_script();
                    let progress = Native::new("progress").run_sync(move |_, args| {
                        job.progress(args.first().and_then(Value::as_f64).unwrap_or_default());
                        Ok(Value::Null)
                    });
                    function.call_with(&app, vec![script], vec![progress]).await.map(drop)
                }
            })?;
            Ok(Value::Null)
        })
}

fn schedule() -> Native {
    Native::new("$jobs.schedule")
        .doc("Enqueues a job whenever a cron expression says so, unless the last one still waits or runs.")
        .param("id", "string", "the schedule")
        .param("expression", "string", "as of cronAdd()")
        .param("topic", "string", "the topic of the jobs")
        .param("payload?", "any", "their payload")
        .param("options?", OPTIONS, "their options")
        .run_sync(|app, args| {
            let job = new_job(word(args, 2), at(args, 3), &at(args, 4))?;
            queue(app)?.schedule(&word(args, 0), &word(args, 1), job)?;
            Ok(Value::Null)
        })
}
fn unschedule() -> Native {
    Native::new("$jobs.unschedule")
        .doc("Ends a schedule.")
        .param("id", "string", "the schedule")
        .run_sync(|app, args| {
            queue(app)?.unschedule(&word(args, 0));
            Ok(Value::Null)
        })
}

fn enqueueing() -> Vec<Native> {
    let new = |name: &str, doc: &str| {
        Native::new(name)
            .doc(doc)
            .param("topic", "string", "the topic")
            .param("payload", "any", "what it is about")
            .returns(JOB)
    };
    vec![
        new("$jobs.enqueue", "Enqueues a job.").run(|app, args| async move {
            Ok(queue(&app)?.enqueue(&word(&args, 0), at(&args, 1)).await?.to_script())
        }),
        new("$jobs.enqueueAt", "Enqueues a job that is due later.")
            .param("runAt", "string | Date | DateTime", "not before this")
            .run(|app, args| async move {
                let time = moment(&at(&args, 2))?.ok_or_else(|| bad("invalid runAt"))?;
                Ok(queue(&app)?.enqueue_at(&word(&args, 0), at(&args, 1), time).await?.to_script())
            }),
        new(
            "$jobs.enqueueWithOptions",
            "Enqueues a job; if its unique key is taken, gives the job that has it.",
        )
        .param("options?", OPTIONS, "how")
        .run(|app, args| async move {
            let job = new_job(word(&args, 0), at(&args, 1), &at(&args, 2))?;
            Ok(queue(&app)?.enqueue_with_options(job).await?.to_script())
        }),
        Native::new("$jobs.enqueueMany")
            .doc("Enqueues many jobs at once.")
            .param(
                "jobs",
                &format!("({{ topic: string; payload?: any }} & {OPTIONS})[]"),
                "the jobs",
            )
            .returns(&format!("({JOB})[]"))
            .run(|app, args| async move {
                let Value::Array(jobs) = at(&args, 0) else {
                    return Err(bad("an array is expected"));
                };
                let jobs = jobs.iter().map(|job| {
                    let topic = job["topic"].as_str().unwrap_or_default().to_owned();
                    new_job(topic, job["payload"].clone(), job)
                });
                let made = queue(&app)?.enqueue_many(jobs.collect::<Result<_>>()?).await?;
                Ok(made.iter().map(Job::to_script).collect())
            }),
    ]
}

fn reading() -> Vec<Native> {
    let of = |name: &str, doc: &str| Native::new(name).doc(doc).param("id", "string", "the job");
    vec![
        of("$jobs.get", "A job; throws if there is none.").returns(JOB).run(|app, args| async move {
            let job = queue(&app)?.get(&word(&args, 0)).await?;
            Ok(job.ok_or_else(|| bad("job not found"))?.to_script())
        }),
        Native::new("$jobs.list")
            .doc("Jobs, the newest first.")
            .param("filter?", "{ topic?: string; status?: string; limit?: number; offset?: number }", "which")
            .returns(&format!("{{ items: ({JOB})[]; total: number; limit: number; offset: number }}"))
            .run(|app, args| async move {
                let given = at(&args, 0);
                let word = |name: &str| given[name].as_str().unwrap_or_default().to_owned();
                let number = |name: &str| given[name].as_i64().unwrap_or_default();
                let limit = if number("limit") > 0 { number("limit").min(500) } else { 20 };
                let offset = number("offset").max(0);
                let filter =
                    Filter { topic: word("topic"), status: word("status"), limit, offset, ..Filter::default() };
                let (jobs, total) = queue(&app)?.list(filter).await?;
                let items: Vec<Value> = jobs.iter().map(Job::to_script).collect();
                Ok(json!({"items": items, "total": total, "limit": limit, "offset": offset}))
            }),
        Native::new("$jobs.stats")
            .doc("How many jobs there are.")
            .returns("{ pending: number; processing: number; completed: number; failed: number; total: number; successRate: number }")
            .run(|app, _| async move { Ok(queue(&app)?.stats().await?.to_json("successRate")) }),
        of("$jobs.delete", "Removes a job that waits or has failed; throws if it cannot.").run(|app, args| async move {
            match queue(&app)?.delete(&word(&args, 0)).await? {
                true => Ok(Value::Null),
                false => Err(bad("job cannot be deleted (must be in 'pending' or 'failed' status)")),
            }
        }),
        of("$jobs.requeue", "Lets a failed job begin anew; throws if it cannot.").returns(JOB).run(|app, args| async move {
            let job = queue(&app)?.requeue(&word(&args, 0)).await?;
            Ok(job.ok_or_else(|| bad("job cannot be requeued (must be in 'failed' status)"))?.to_script())
        }),
    ]
}
