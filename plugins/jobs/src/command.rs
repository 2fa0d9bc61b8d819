//! `pocketbase jobs list|requeue|purge`. Must not know SQL.

use std::time::Duration;

use pocketbase::{
    App, Error, Result, Setup,
    clap::{Arg, ArgMatches, Command},
};

use crate::{Filter, Status, get_job_store};

pub(crate) fn add(setup: &Setup) -> Result<()> {
    let topic = || Arg::new("topic").long("topic").value_name("TOPIC").help("only of this topic");
    let list = Command::new("list")
        .about("Lists jobs, the newest first")
        .arg(topic())
        .arg(Arg::new("status").long("status").value_name("STATUS").help("only of this status"))
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .default_value("20")
                .help("at most so many"),
        );
    let requeue = Command::new("requeue")
        .about("Lets failed jobs begin anew: those of the ids, or all")
        .arg(Arg::new("id").num_args(0..).value_name("ID").help("the jobs"))
        .arg(Arg::new("all").long("all").num_args(0).help("all that failed"))
        .arg(topic());
    let purge = Command::new("purge")
        .about("Removes jobs that are completed, or have another status")
        .arg(
            Arg::new("status")
                .long("status")
                .value_name("STATUS")
                .default_value("completed")
                .help("completed, failed or pending"),
        )
        .arg(
            Arg::new("older")
                .long("older")
                .value_name("HOURS")
                .default_value("0")
                .help("only such that have not changed for so long"),
        );
    let command = Command::new("jobs")
        .about("Looks after the queue of jobs")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(list)
        .subcommand(requeue)
        .subcommand(purge);
    setup.command(command, run)
}

async fn run(app: App, args: ArgMatches) -> Result<()> {
    match args.subcommand() {
        Some(("list", args)) => list(&app, args).await,
        Some(("requeue", args)) => requeue(&app, args).await,
        Some(("purge", args)) => purge(&app, args).await,
        _ => Err(Error::Message("list, requeue or purge".into())),
    }
}

fn word(args: &ArgMatches, name: &str) -> String {
    args.get_one::<String>(name).cloned().unwrap_or_default()
}
fn store(app: &App) -> Result<crate::JobStore> {
    get_job_store(app).ok_or_else(|| Error::Message("jobs are disabled".into()))
}

#[allow(clippy::print_stdout, reason = "a command")]
async fn list(app: &App, args: &ArgMatches) -> Result<()> {
    let limit = word(args, "limit")
        .parse()
        .map_err(|_| Error::Message("--limit must be a number".into()))?;
    let filter = Filter {
        topic: word(args, "topic"),
        status: word(args, "status"),
        limit,
        ..Filter::default()
    };
    let (jobs, total) = store(app)?.list(filter).await?;
    for job in &jobs {
        println!(
            "{}  {:<10}  {}  {}/{}  {}  {}",
            job.id,
            job.status.name(),
            job.run_at,
            job.retries,
            job.max_retries,
            job.topic,
            job.last_error.lines().next().unwrap_or_default(),
        );
    }
    println!("{} of {total}", jobs.len());
    Ok(())
}

#[allow(clippy::print_stdout, reason = "a command")]
async fn requeue(app: &App, args: &ArgMatches) -> Result<()> {
    let store = store(app)?;
    let ids: Vec<&String> = args.get_many("id").unwrap_or_default().collect();
    let topic = word(args, "topic");
    if ids.is_empty() {
        if !args.get_flag("all") && topic.is_empty() {
            return Err(Error::Message("name jobs, --topic or --all".into()));
        }
        println!("{} requeued", store.requeue_failed(&topic).await?);
        return Ok(());
    }
    for id in ids {
        match store.requeue(id).await? {
            Some(_) => println!("{id} requeued"),
            None => return Err(Error::Message(format!("{id} is no failed job"))),
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "a command")]
async fn purge(app: &App, args: &ArgMatches) -> Result<()> {
    let status = match word(args, "status").as_str() {
        "completed" => Status::Completed,
        "failed" => Status::Failed,
        "pending" => Status::Pending,
        _ => return Err(Error::Message("--status must be completed, failed or pending".into())),
    };
    let hours: u64 =
        word(args, "older").parse().map_err(|_| Error::Message("--older must be hours".into()))?;
    let age = Duration::from_secs(hours.saturating_mul(3600));
    println!("{} removed", store(app)?.purge(status, age).await?);
    Ok(())
}
