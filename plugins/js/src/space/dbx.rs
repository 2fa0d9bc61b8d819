//! `$dbx` (spec extending §3.3): conditions of queries.

use std::sync::Arc;

use pocketbase::db::{
    Expr, and, between, exists, exp_with, hash, is_in, like, not, not_between, not_exists, not_in,
    not_like, or, or_like,
};

use super::Space;
use crate::{
    bind::{Args, Res, Shared, Val, export, table},
    host::{Condition, condition, conditions},
};

table! {
    pub(crate) static DBX: Space = "$dbx", "Conditions of queries." {
        fn "exp" "(sql: string, params?: { [key: string]: any }): dbx.Expression" "A written condition." => |cx, s, a| made(exp_with(&a.str(0)?, a.object(1, "dbx.Params")?));
        fn "hashExp" "(columns: { [key: string]: any }): dbx.Expression" "Columns with these values." => |cx, s, a| {
            a.object(0, "map[string]interface {}")?;
            (!a.is_nil(0)).then(|| a.val(0).map(|columns| made(hashed(columns)))).transpose()?
        };
        fn "not" "(e: dbx.Expression): dbx.Expression" "The opposite." => |cx, s, a| made(not(condition(a, 0)?));
        fn "and" "(...e: dbx.Expression[]): dbx.Expression" "All of them." => |cx, s, a| made(and(conditions(a, 0)?));
        fn "or" "(...e: dbx.Expression[]): dbx.Expression" "One of them." => |cx, s, a| made(or(conditions(a, 0)?));
        fn "in" "(column: string, ...values: any[]): dbx.Expression" "One of these values." => |cx, s, a| made(is_in(&a.str(0)?, values(a)?));
        fn "notIn" "(column: string, ...values: any[]): dbx.Expression" "None of these values." => |cx, s, a| made(not_in(&a.str(0)?, values(a)?));
        fn "like" "(column: string, ...texts: string[]): dbx.Expression" "Contains all texts." => |cx, s, a| made(plain(like(&a.str(0)?, a.texts(1)?)));
        fn "orLike" "(column: string, ...texts: string[]): dbx.Expression" "Contains one of the texts." => |cx, s, a| made(plain(or_like(&a.str(0)?, a.texts(1)?)));
        fn "notLike" "(column: string, ...texts: string[]): dbx.Expression" "Contains none of the texts." => |cx, s, a| made(plain(not_like(&a.str(0)?, a.texts(1)?)));
        fn "orNotLike" "(column: string, ...texts: string[]): dbx.Expression" "Lacks one of the texts." => |cx, s, a| made(plain(not_like(&a.str(0)?, a.texts(1)?).any()));
        fn "exists" "(query: dbx.Expression | string): dbx.Expression" "A query that finds something." => |cx, s, a| made(exists(condition(a, 0)?));
        fn "notExists" "(query: dbx.Expression | string): dbx.Expression" "A query that finds nothing." => |cx, s, a| made(not_exists(condition(a, 0)?));
        fn "between" "(column: string, low: any, high: any): dbx.Expression" "Within a range." => |cx, s, a| made(between(&a.str(0)?, a.json(1)?, a.json(2)?));
        fn "notBetween" "(column: string, low: any, high: any): dbx.Expression" "Outside of a range." => |cx, s, a| made(not_between(&a.str(0)?, a.json(1)?, a.json(2)?));
    }
}

fn made(expr: Expr) -> Shared {
    Arc::new(Condition(expr))
}
fn values(args: &Args<'_, '_>) -> Res<Vec<serde_json::Value>> {
    args.rest(1).iter().map(|value| Ok(export(args.cx(), value)?.into_json())).collect()
}
/// Members that are conditions themselves stand for themselves.
fn hashed(columns: Val) -> Expr {
    let Val::Map(map) = columns else { return Expr::always() };
    let map = map.lock().clone();
    let (mut plain, mut parts) = (Vec::new(), Vec::new());
    for (key, value) in map {
        let condition = match &value {
            Val::Host(host) => host.get::<Condition>().map(|condition| condition.0.clone()),
            _ => None,
        };
        match condition {
            Some(condition) => parts.push(condition),
            None => plain.push((key, value.into_json())),
        }
    }
    if parts.is_empty() {
        return if plain.is_empty() { Expr::always() } else { hash(plain) };
    }
    if !plain.is_empty() {
        parts.insert(0, hash(plain));
    }
    and(parts)
}
/// As the reference: escapes that SQLite does not read.
fn plain(like: Expr) -> Expr {
    let pairs = [("\\", "\\\\"), ("%", "\\%"), ("_", "\\_")];
    like.escaped_with(pairs.map(|(from, to)| (from.to_owned(), to.to_owned())).to_vec())
}
