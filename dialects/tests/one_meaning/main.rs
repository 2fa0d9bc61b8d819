//! One meaning, several executions: judge ≡ eval ≡ SQLite ≡ PostgreSQL on random schemas, rows and expressions.
//!
//! `ONE_MEANING_CASES` (default 500) sets how many expressions run, `ONE_MEANING_SEED` where they start. Prints what
//! was covered. An expression that some execution cannot run is a failure.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

mod call;
mod coverage;
mod expression;
mod path;
mod rng;
mod samples;
mod scope;
#[path = "../support/mod.rs"]
mod support;
mod tables;

use std::{collections::BTreeSet, sync::Arc};

use coverage::Coverage;
use dialects::Dialect;
use expression::Gen;
use filter_lang::{
    Error, Flags, Resolver, judge, parse,
    plan::{Cond, Expr, NodeKind, Op, Operand, Plan},
    prim::Type,
    schema::{Collection, Schema},
    scope::Scope,
    value::Affinity,
};
use rng::Rng;
use scope::scope;
use support::{check, common::Memory, fill_postgres, fresh, pg, run_postgres, run_sqlite, sqlite};
use tables::{NAMES, tables};

const CASES_PER_SCHEMA: usize = 60;

#[test]
fn judge_eval_sqlite_and_postgres_agree() {
    // The test's own model of `jsonb` recurses.
    let on_a_large_stack = std::thread::Builder::new().stack_size(64 << 20).spawn(run_cases);
    if let Err(panic) = on_a_large_stack.unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

fn run_cases() {
    let setting = |name: &str, default: usize| {
        std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
    };
    let wanted = setting("ONE_MEANING_CASES", 500);
    let mut seed = setting("ONE_MEANING_SEED", 1) as u64;
    let server = pg::Server::start();
    let postgres = server.as_ref().map(pg::Server::connect);
    let mut coverage = Coverage::default();
    let mut wrong = Vec::new();
    while coverage.done < wanted && wrong.len() < 20 {
        seed += 1;
        let mut rng = Rng::new(seed);
        let stores = Stores::fill(tables(&mut rng), postgres.as_ref());
        let memory = &stores.memory;
        let (mut here, mut tries) = (0, 0);
        while here < CASES_PER_SCHEMA && tries < 4000 && coverage.done < wanted {
            tries += 1;
            let case = Case::write(&mut rng, memory);
            let Ok(plan) = case.plan(memory) else {
                coverage.refused += 1;
                continue;
            };
            if plan.broken.is_some() || weight(&plan) > 3000 || prints_number(&plan.cond) {
                continue;
            }
            // Prefer expressions that split the table: the others prove little.
            let hits = judge::select(&plan, memory).len();
            let splits = hits > 0 && hits < memory.rows_of(&case.base.name).len();
            if !splits && rng.chance(85) {
                continue;
            }
            here += 1;
            coverage.add(&case, &plan, splits);
            if let Err(error) = stores.compare(&plan) {
                let Case { base, filter, sort, .. } = &case;
                wrong.push(format!(
                    "seed {seed}, {} : {filter}\n  sort {sort}\n  {error}",
                    base.name
                ));
            }
        }
    }
    eprintln!("{coverage}");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n\n"));
    let Coverage { done, split, .. } = coverage;
    assert!(split * 2 >= done, "only {split} of {done} cases split their table");
}

/// One expression to run.
struct Case {
    base: Arc<Collection>,
    scope: Scope,
    filter: String,
    sort: String,
    flags: Flags,
    /// What the generator says it wrote.
    seen: BTreeSet<String>,
}

impl Case {
    fn write(rng: &mut Rng, memory: &Memory) -> Self {
        let base = base(rng, memory);
        let scope = scope(rng, memory);
        let mut generator = Gen { rng: &mut *rng, memory, seen: BTreeSet::new() };
        let filter = generator.expression(&base, 2);
        let sort = if generator.rng.chance(30) && !scope.draft {
            generator.sort(&base)
        } else {
            String::new()
        };
        let seen = generator.seen;
        let flags = if rng.chance(25) { Flags::CLIENT } else { Flags::RULE };
        Self { base, scope, filter, sort, flags, seen }
    }

    fn plan(&self, memory: &Memory) -> Result<Plan, Error> {
        let resolver = Resolver::new(memory, Arc::clone(&self.base), &self.scope);
        let resolver = resolver.filter(&parse(&self.filter)?, self.flags)?;
        Ok(resolver.sort(&self.sort, self.flags)?.finish())
    }
}

/// A collection to start from, rather one with several rows.
fn base(rng: &mut Rng, memory: &Memory) -> Arc<Collection> {
    loop {
        let name = *rng.pick(NAMES);
        if name != "watch" && (memory.rows_of(name).len() > 1 || rng.chance(5)) {
            return memory.collection(name).unwrap();
        }
        if NAMES.iter().all(|n| *n == "watch" || memory.rows_of(n).len() < 2) {
            return memory.collection("alpha").unwrap();
        }
    }
}

/// Tuples the judge may have to visit, roughly.
fn weight(plan: &Plan) -> usize {
    plan.nodes.iter().skip(1).fold(1, |product, node| {
        let rows = match node.kind {
            NodeKind::RelOne { .. } | NodeKind::Auth { .. } => 1,
            NodeKind::Cross { .. } => 7,
            _ => 3,
        };
        product * rows
    })
}

/// True if a computed number is looked at as text. SQLite prints a double with 17 digits where it does not end in
/// 99… or 00…, the reference's version prints the shortest that reads back; so do PostgreSQL and memory.
fn prints_number(cond: &Cond) -> bool {
    let number =
        |o: &Operand| matches!(o.expr, Expr::Call { func, .. } if func.returns() == Type::Real);
    match cond {
        Cond::Const(_) => false,
        Cond::And(parts) | Cond::Or(parts) => parts.iter().any(prints_number),
        Cond::Cmp(cmp) => {
            let text = matches!(cmp.op, Op::Like | Op::NotLike)
                || [&cmp.left, &cmp.right].iter().any(|o| o.affinity == Affinity::Text);
            text && (number(&cmp.left) || number(&cmp.right))
        }
    }
}

/// The same tables in every store.
struct Stores<'a> {
    /// As SQLite keeps them: the text it was given.
    memory: Memory,
    /// The same values as `jsonb` spells them.
    modern: Memory,
    sqlite: rusqlite::Connection,
    postgres: Option<&'a pg::Db<'a>>,
}

impl<'a> Stores<'a> {
    fn fill(memory: Memory, postgres: Option<&'a pg::Db<'a>>) -> Self {
        if let Some(db) = postgres {
            fill_postgres(db, &memory);
        }
        Self { modern: fresh(&memory), sqlite: sqlite(&memory), memory, postgres }
    }

    /// Runs a plan everywhere; what differs from the judge.
    fn compare(&self, plan: &Plan) -> Result<(), String> {
        let on_sqlite = |sql: &_| run_sqlite(&self.sqlite, sql);
        check(&self.memory, plan, &[(Dialect::SQLITE, &on_sqlite)])?;
        if let Some(db) = self.postgres {
            let on_postgres = |sql: &_| run_postgres(db, sql);
            check(&self.modern, plan, &[(Dialect::POSTGRES, &on_postgres)])?;
        }
        Ok(())
    }
}
