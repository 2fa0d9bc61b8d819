//! `filter compile`: shows what an expression becomes: tree, plan, statement, parameters.

use std::sync::Arc;

use clap::{Arg, ArgMatches, Command};
use dialects::Dialect;
use engine::{
    Ctx,
    explain::{self, Question},
};
use filter_lang::scope::Scope;

use crate::{
    app::App,
    cli::{commands::Failure, flags::Config, parts, print},
};

pub(super) fn command() -> Command {
    Command::new("filter")
        .about("Inspect filter expressions")
        .disable_help_subcommand(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("compile")
                .about("Prints the tree, the plan, the SQL and the parameters of an expression")
                .arg(
                    Arg::new("collection")
                        .long("collection")
                        .required(true)
                        .value_name("NAME")
                        .help("name or id of the collection"),
                )
                .arg(
                    Arg::new("dialect")
                        .long("dialect")
                        .value_parser(["sqlite", "postgres"])
                        .default_value("sqlite")
                        .help("the database to compile for"),
                )
                .arg(
                    Arg::new("sort")
                        .long("sort")
                        .default_value("")
                        .value_name("SORT")
                        .help("a sort expression"),
                )
                .arg(Arg::new("expression").required(true).value_name("EXPRESSION")),
        )
}

pub(super) async fn run(app: &App, matches: &ArgMatches, _: &Config) -> Result<(), Failure> {
    let Some((_, sub)) = matches.subcommand() else {
        return Ok(());
    };
    let word = |name: &str| sub.get_one::<String>(name).map_or("", String::as_str);
    let is_named = |d: &Dialect| d.name() == word("dialect");
    let dialect = dialects::DIALECTS.into_iter().find(is_named).unwrap_or(Dialect::SQLITE);
    let engine = parts::open(app).await?;
    let text = compile(&engine, word("collection"), word("expression"), word("sort"), dialect);
    app.shutdown().await?;
    print::raw(&text?);
    Ok(())
}

fn compile(
    app: &engine::App,
    collection: &str,
    filter: &str,
    sort: &str,
    dialect: Dialect,
) -> Result<String, Failure> {
    let missing = || Failure(format!("missing or invalid collection \"{collection}\""));
    let found = app.snapshot().find(collection).cloned().ok_or_else(missing)?;
    show_place(&**app.snapshot(), found.plan.clone(), filter)?;
    // rules and superusers see hidden fields: explain what a rule would do
    let question = Question { rule: filter, sort, ..Question::default() };
    let explained = explain::explain(&Ctx::system(app), &found, &question, dialect)?;
    let mut text = String::new();
    for tree in &explained.trees {
        text.push_str(&format!("AST\n{}\n\n", tree.trim_end()));
    }
    text.push_str(&format!(
        "PLAN\n{}\n\nSQL\n{}\n\nPARAMS\n",
        explained.plan.trim_end(),
        explained.sql.text
    ));
    for (idx, value) in explained.sql.params.iter().enumerate() {
        text.push_str(&format!("{}: {}\n", idx + 1, parts::value_text(value)));
    }
    for (title, lines) in [
        ("ADVICE", &explained.advice),
        ("INDEXES", &explained.indexes),
        ("HINTS", &explained.hints),
    ] {
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}\n{}\n", lines.join("\n")));
        }
    }
    Ok(text)
}

/// Fails with the place of the mistake under the expression.
fn show_place(
    schema: &dyn filter_lang::schema::Schema,
    base: Arc<filter_lang::schema::Collection>,
    filter: &str,
) -> Result<(), Failure> {
    let scope = Scope { hidden_allowed: true, ..Scope::default() };
    filter_lang::parse(filter)
        .and_then(|ast| filter_lang::resolve(schema, base, &ast, &scope))
        .map(drop)
        .map_err(|error| {
            let hint = filter_lang::hint::of_error(&error);
            let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            Failure(format!("{}{hint}", error.render(filter).trim_end()))
        })
}
