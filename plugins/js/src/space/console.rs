//! `console` (spec extending §1.11): lines with a time, on stdout and stderr.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]

use super::Space;
use crate::bind::{Args, Res, table, text};

table! {
    pub(crate) static CONSOLE: Space = "Console", "Lines on the terminal." {
        fn "log" "(...values: any[]): void" "Prints a line." => |cx, c, a| out(&line(a)?);
        fn "error" "(...values: any[]): void" "Prints a line on stderr." => |cx, c, a| err(&line(a)?);
        fn "warn" "(...values: any[]): void" "Prints a line on stderr." => |cx, c, a| err(&line(a)?);
        fn "info" "(...values: any[]): void" "Prints a line." => |cx, c, a| out(&line(a)?);
        fn "debug" "(...values: any[]): void" "Prints a line." => |cx, c, a| out(&line(a)?);
    }
}

fn stamped(line: &str) -> String {
    let time = pocketbase::now().to_string();
    let time = time.get(..19).unwrap_or_default().replace('-', "/");
    format!("{time} {line}")
}
fn out(line: &str) {
    println!("{}", stamped(line));
}
fn err(line: &str) {
    eprintln!("{}", stamped(line));
}

/// The first value is a format if it asks for others: `%s %d %j %%`.
fn line(args: &Args<'_, '_>) -> Res<String> {
    formatted(args.cx(), &args.rest(0))
}

pub(crate) fn formatted<'js>(
    cx: &rquickjs::Ctx<'js>,
    values: &[rquickjs::Value<'js>],
) -> Res<String> {
    let Some(first) = values.first() else { return Ok(String::new()) };
    let format = text(cx, first)?;
    let format = if first.is_null() {
        "null".into()
    } else if first.is_undefined() {
        "undefined".into()
    } else {
        format
    };
    let mut rest = values.iter().skip(1);
    let mut line = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        let kind = chars.peek().copied();
        match (c, kind) {
            ('%', Some('%')) => {
                chars.next();
                line.push('%');
            }
            ('%', Some(kind @ ('s' | 'd' | 'j'))) => {
                chars.next();
                match rest.next() {
                    None => line.extend(['%', kind]),
                    Some(value) if kind == 'j' => {
                        let json = cx.json_stringify(value.clone())?;
                        line.push_str(
                            &json.map(|json| json.to_string()).transpose()?.unwrap_or_default(),
                        );
                    }
                    Some(value) => line.push_str(&shown(cx, value)?),
                }
            }
            (c, _) => line.push(c),
        }
    }
    for value in rest {
        line.push(' ');
        line.push_str(&shown(cx, value)?);
    }
    Ok(line)
}

fn shown<'js>(cx: &rquickjs::Ctx<'js>, value: &rquickjs::Value<'js>) -> Res<String> {
    if value.is_null() {
        return Ok("null".into());
    }
    if value.is_undefined() {
        return Ok("undefined".into());
    }
    text(cx, value)
}
