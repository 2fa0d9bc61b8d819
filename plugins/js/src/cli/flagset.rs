//! Sets of flags as scripts see them (spec extending §9.9).

use std::sync::Arc;

use super::{
    Cmd,
    flags::{Flag, Value},
};
use crate::bind::{Args, Fail, Res, Shared, Val, native, table};

/// The flags of a command.
pub(crate) struct FlagSet {
    pub(super) of: Cmd,
    pub(super) persistent: bool,
}
/// One of them.
pub(crate) struct OneFlag(Flag);
/// The value of one.
pub(crate) struct FlagValue(Value);

native!(FlagSet = FLAG_SET, OneFlag = FLAG, FlagValue = FLAG_VALUE);

table! {
    pub(crate) static FLAG_SET: FlagSet = "pflag.FlagSet", "Flags of a command." {
        fn "bool" "(name: string, value: boolean, usage: string): void" "Adds a switch." => |cx, s, a| s.add(a, false, Value::Bool(a.bool(1)?))?;
        fn "boolP" "(name: string, shorthand: string, value: boolean, usage: string): void" "Adds a switch." => |cx, s, a| s.add(a, true, Value::Bool(a.bool(2)?))?;
        fn "string" "(name: string, value: string, usage: string): void" "Adds a text." => |cx, s, a| s.add(a, false, Value::Text(a.str(1)?))?;
        fn "stringP" "(name: string, shorthand: string, value: string, usage: string): void" "Adds a text." => |cx, s, a| s.add(a, true, Value::Text(a.str(2)?))?;
        fn "int" "(name: string, value: number, usage: string): void" "Adds an integer." => |cx, s, a| s.add(a, false, Value::Int(a.int(1)?))?;
        fn "intP" "(name: string, shorthand: string, value: number, usage: string): void" "Adds an integer." => |cx, s, a| s.add(a, true, Value::Int(a.int(2)?))?;
        fn "float64" "(name: string, value: number, usage: string): void" "Adds a number." => |cx, s, a| s.add(a, false, Value::Float(a.num(1)?))?;
        fn "float64P" "(name: string, shorthand: string, value: number, usage: string): void" "Adds a number." => |cx, s, a| s.add(a, true, Value::Float(a.num(2)?))?;
        fn "duration" "(name: string, value: number, usage: string): void" "Adds a duration, in nanoseconds." => |cx, s, a| s.add(a, false, Value::Duration(a.int(1)?))?;
        fn "durationP" "(name: string, shorthand: string, value: number, usage: string): void" "Adds a duration, in nanoseconds." => |cx, s, a| s.add(a, true, Value::Duration(a.int(2)?))?;
        fn "stringSlice" "(name: string, value: string[], usage: string): void" "Adds a list of texts." => |cx, s, a| s.add(a, false, Value::List(a.list(1)?))?;
        fn "stringSliceP" "(name: string, shorthand: string, value: string[], usage: string): void" "Adds a list of texts." => |cx, s, a| s.add(a, true, Value::List(a.list(2)?))?;
        fn "getBool" "(name: string): boolean" "The value of a switch." => |cx, s, a| match s.value(a, "bool")? { Value::Bool(on) => on, _ => false };
        fn "getString" "(name: string): string" "The value of a text." => |cx, s, a| s.value(a, "string")?.text();
        fn "getInt" "(name: string): number" "The value of an integer." => |cx, s, a| match s.value(a, "int")? { Value::Int(n) => n, _ => 0 };
        fn "getFloat64" "(name: string): number" "The value of a number." => |cx, s, a| match s.value(a, "float")? { Value::Float(n) => n, _ => 0.0 };
        fn "getDuration" "(name: string): number" "The value of a duration, in nanoseconds." => |cx, s, a| match s.value(a, "duration")? { Value::Duration(n) => n, _ => 0 };
        fn "getStringSlice" "(name: string): string[]" "The value of a list." => |cx, s, a| match s.value(a, "strings")? { Value::List(items) => items, _ => Vec::new() };
        fn "set" "(name: string, value: string): void" "Sets a flag." => |cx, s, a| s.set(&a.str(0)?, &a.str(1)?)?;
        fn "lookup" "(name: string): pflag.Flag" "A flag." => |cx, s, a| s.find(&a.str(0)?).map(|flag| Val::Host(Arc::new(OneFlag(flag)) as Shared));
        fn "changed" "(name: string): boolean" "Whether a flag was given." => |cx, s, a| s.find(&a.str(0)?).is_some_and(|flag| flag.changed);
        fn "args" "(): string[]" "The arguments that are no flags." => |cx, s, a| s.of.0.lock().args.clone();
        fn "nArg" "(): number" "How many of them there are." => |cx, s, a| s.of.0.lock().args.len();
        fn "arg" "(at: number): string" "One of them." => |cx, s, a| {
            let at = usize::try_from(a.int(0)?).unwrap_or(usize::MAX);
            s.of.0.lock().args.get(at).cloned().unwrap_or_default()
        };
    }
}

table! {
    pub(crate) static FLAG: OneFlag = "pflag.Flag", "A flag." {
        prop "name": "string", "Its name." => |cx, f| f.0.name.clone();
        prop "shorthand": "string", "Its letter." => |cx, f| f.0.short.clone();
        prop "usage": "string", "What it is for." => |cx, f| f.0.usage.clone();
        prop "value": "pflag.Value", "Its value." => |cx, f| Val::Host(Arc::new(FlagValue(f.0.value.clone())) as Shared);
        prop "defValue": "string", "What it is if it is not given." => |cx, f| f.0.default.clone();
        prop "changed": "boolean", "Whether it was given." => |cx, f| f.0.changed;
    }
}
table! {
    pub(crate) static FLAG_VALUE: FlagValue = "pflag.Value", "The value of a flag." {
        fn "string" "(): string" "As text." => |cx, v, a| v.0.text();
        fn "type" "(): string" "Its type." => |cx, v, a| v.0.kind();
    }
    text |v| v.0.text();
}

impl FlagSet {
    fn add(&self, args: &Args<'_, '_>, has_letter: bool, value: Value) -> Res<()> {
        let short = if has_letter { args.str(1)? } else { String::new() };
        let usage = args.str(if has_letter { 3 } else { 2 })?;
        let flag = Flag::new(args.str(0)?, short, value, usage);
        let mut state = self.of.0.lock();
        let all = if self.persistent { &mut state.persistent } else { &mut state.own };
        if all.iter().any(|known| known.name == flag.name) {
            return Err(Fail::Type(format!("flag redefined: {}", flag.name)));
        }
        all.push(flag);
        Ok(())
    }
    /// A flag of the command, or one that it has from above.
    fn find(&self, name: &str) -> Option<Flag> {
        for (at, one) in self.of.chain().into_iter().enumerate() {
            let state = one.0.lock();
            let own = if at == 0 { state.own.iter() } else { [].iter() };
            if let Some(found) = own.chain(&state.persistent).find(|flag| flag.name == name) {
                return Some(found.clone());
            }
        }
        None
    }
    fn value(&self, args: &Args<'_, '_>, kind: &str) -> Res<Value> {
        let name = args.str(0)?;
        let flag = self.find(&name);
        let flag =
            flag.ok_or_else(|| Fail::other(format!("flag accessed but not defined: {name}")))?;
        if flag.value.kind() != kind {
            let is = flag.value.kind();
            return Err(Fail::other(format!("trying to get {kind} value of flag of type {is}")));
        }
        Ok(flag.value)
    }
    fn set(&self, name: &str, value: &str) -> Res<()> {
        let mut state = self.of.0.lock();
        let state = &mut *state;
        let mut all = state.own.iter_mut().chain(&mut state.persistent);
        let flag = all.find(|flag| flag.name == name);
        let flag = flag.ok_or_else(|| Fail::other(format!("no such flag -{name}")))?;
        super::run::told(flag.set(value)).map_err(Fail::Host)
    }
}
