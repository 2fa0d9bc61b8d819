//! Commands in JavaScript: `new Command({…})`, `$app.rootCmd`, and how they run (spec extending §9.9).
//!
//! Their functions are those of the loader's context, so that they see what surrounds them in the file.

mod flags;
mod flagset;
mod run;
mod usage;

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rquickjs::{Ctx, Function, Value};

use self::flags::Flag;
pub(crate) use self::run::register;
use crate::{
    bind::{Args, Res, Shared, Type, Val, globals, items, native, table, text},
    run::Local,
};

/// A command.
#[derive(Clone)]
pub(crate) struct Cmd(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    line: String,
    short: String,
    long: String,
    example: String,
    aliases: Vec<String>,
    hidden: bool,
    deprecated: String,
    version: String,
    silence_usage: bool,
    silence_errors: bool,
    no_flags: bool,
    /// Functions by their names, as places in the context's list.
    steps: Vec<(&'static str, usize)>,
    parent: Option<Weak<Mutex<State>>>,
    commands: Vec<Cmd>,
    own: Vec<Flag>,
    persistent: Vec<Flag>,
    /// What is left of the arguments when the flags were read.
    args: Vec<String>,
    /// What `setArgs` has given instead of the arguments of the process.
    given: Option<Vec<String>>,
}

native!(Cmd = COMMAND);

/// The tables of its host types, for `types.d.ts`.
pub(crate) static TYPES: &[&Type] =
    &[&COMMAND, &flagset::FLAG_SET, &flagset::FLAG, &flagset::FLAG_VALUE];

globals! {
    pub(crate) static CONSTRUCTORS {
        new "Command" "(data?: { [key: string]: any })" "A command of the executable." => |cx, a| Cmd::new(cx, a)?;
    }
}

macro_rules! command {
    ($($step:literal)*) => {
        table! {
            pub(crate) static COMMAND: Cmd = "cobra.Command", "A command of the executable." {
                prop "use": "string", "Its name and what it takes." => |cx, c| c.0.lock().line.clone(), set |cx, c, v| c.0.lock().line = text(cx, &v)?;
                prop "short": "string", "What it does, in one line." => |cx, c| c.0.lock().short.clone(), set |cx, c, v| c.0.lock().short = text(cx, &v)?;
                prop "long": "string", "What it does." => |cx, c| c.0.lock().long.clone(), set |cx, c, v| c.0.lock().long = text(cx, &v)?;
                prop "example": "string", "How to use it." => |cx, c| c.0.lock().example.clone(), set |cx, c, v| c.0.lock().example = text(cx, &v)?;
                prop "aliases": "string[]", "Other names." => |cx, c| c.0.lock().aliases.clone(), set |cx, c, v| c.0.lock().aliases = texts(cx, &v)?;
                prop "hidden": "boolean", "Whether help leaves it out." => |cx, c| c.0.lock().hidden, set |cx, c, v| c.0.lock().hidden = truth(cx, &v)?;
                prop "deprecated": "string", "Why it should not be used any more." => |cx, c| c.0.lock().deprecated.clone(), set |cx, c, v| c.0.lock().deprecated = text(cx, &v)?;
                prop "version": "string", "Its version." => |cx, c| c.0.lock().version.clone(), set |cx, c, v| c.0.lock().version = text(cx, &v)?;
                prop "silenceUsage": "boolean", "Whether failures do not print how it is used." => |cx, c| c.0.lock().silence_usage, set |cx, c, v| c.0.lock().silence_usage = truth(cx, &v)?;
                prop "silenceErrors": "boolean", "Taken; the executable prints the one line of a failure." => |cx, c| c.0.lock().silence_errors, set |cx, c, v| c.0.lock().silence_errors = truth(cx, &v)?;
                prop "disableFlagParsing": "boolean", "Whether it gets flags as arguments." => |cx, c| c.0.lock().no_flags, set |cx, c, v| c.0.lock().no_flags = truth(cx, &v)?;
                $(prop $step: "(cmd: cobra.Command, args: string[]) => any", "A function of it." => |cx, c| Step(c.clone(), $step), set |cx, c, v| c.set_step(cx, $step, &v);)*
                fn "addCommand" "(...commands: cobra.Command[]): void" "Adds commands below it." => |cx, c, a| for at in 0..a.len() { c.add(&*a.host::<Cmd>(at)?); };
                fn "removeCommand" "(...commands: cobra.Command[]): void" "Removes commands below it." => |cx, c, a| for at in 0..a.len() {
                    let gone = a.host::<Cmd>(at)?;
                    c.0.lock().commands.retain(|one| !Arc::ptr_eq(&one.0, &gone.0));
                };
                fn "commands" "(): cobra.Command[]" "The commands below it, by name." => |cx, c, a| {
                    c.commands().into_iter().map(|one| Val::Host(Arc::new(one) as Shared)).collect::<Vec<_>>()
                };
                fn "parent" "(): cobra.Command" "The command above it." => |cx, c, a| c.parent().map(|parent| Val::Host(Arc::new(parent) as Shared));
                fn "root" "(): cobra.Command" "The executable." => |cx, c, a| shared(c.chain().pop().unwrap_or_else(|| c.clone()));
                fn "hasParent" "(): boolean" "Whether it is below another." => |cx, c, a| c.parent().is_some();
                fn "hasSubCommands" "(): boolean" "Whether others are below it." => |cx, c, a| !c.0.lock().commands.is_empty();
                fn "runnable" "(): boolean" "Whether it does something itself." => |cx, c, a| c.runs();
                fn "name" "(): string" "Its name." => |cx, c, a| c.name();
                fn "commandPath" "(): string" "The names from the executable on." => |cx, c, a| c.path();
                fn "flags" "(): pflag.FlagSet" "Its flags." => |cx, c, a| shared(flagset::FlagSet { of: c.clone(), persistent: false });
                fn "localFlags" "(): pflag.FlagSet" "Its flags." => |cx, c, a| shared(flagset::FlagSet { of: c.clone(), persistent: false });
                fn "persistentFlags" "(): pflag.FlagSet" "Flags that the commands below it have, too." => |cx, c, a| shared(flagset::FlagSet { of: c.clone(), persistent: true });
                fn "setArgs" "(args: string[]): void" "Arguments to run with instead of those of the process." => |cx, c, a| c.0.lock().given = Some(a.list(0)?);
                fn "println" "(...values: any[]): void" "Prints a line on stderr." => |cx, c, a| run::err(&format!("{}\n", a.texts(0)?.join(" ")));
                fn "print" "(...values: any[]): void" "Prints on stderr." => |cx, c, a| run::err(&printed(cx, &a.rest(0))?);
                fn "printErrln" "(...values: any[]): void" "Prints a line on stderr." => |cx, c, a| run::err(&format!("{}\n", a.texts(0)?.join(" ")));
                fn "printErr" "(...values: any[]): void" "Prints on stderr." => |cx, c, a| run::err(&printed(cx, &a.rest(0))?);
                fn "printf" "(format: string, ...values: any[]): void" "Prints on stderr." => |cx, c, a| run::err(&crate::space::formatted(cx, &a.rest(0))?);
                fn "help" "(): void" "Prints help." => |cx, c, a| run::out(&usage::help(&c.told(cx)));
                fn "usage" "(): void" "Prints how it is used." => |cx, c, a| run::err(&usage::usage(&c.told(cx)));
                fn "usageString" "(): string" "How it is used." => |cx, c, a| usage::usage(&c.told(cx));
            }
        }
    };
}
command! {
    "args" "run" "runE" "preRun" "preRunE" "postRun" "postRunE" "persistentPreRun" "persistentPreRunE" "persistentPostRun"
    "persistentPostRunE"
}

/// A function of a command, on its way into the context that has it.
struct Step(Cmd, &'static str);

impl crate::bind::ToJs for Step {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> rquickjs::Result<Value<'js>> {
        Ok(match self.0.step(cx, self.1) {
            Some(function) => function.into_value(),
            None => Value::new_null(cx.clone()),
        })
    }
}

fn shared<T: crate::bind::Native>(value: T) -> Shared {
    Arc::new(value)
}

fn truth<'js>(cx: &Ctx<'js>, value: &Value<'js>) -> Res<bool> {
    use rquickjs::FromJs as _;
    Ok(rquickjs::Coerced::<bool>::from_js(cx, value.clone())?.0)
}

fn texts<'js>(cx: &Ctx<'js>, list: &Value<'js>) -> Res<Vec<String>> {
    items(cx, list)?.iter().map(|item| text(cx, item)).collect()
}

/// As Go's `Print`: blanks only between values of which none is a text.
fn printed<'js>(cx: &Ctx<'js>, values: &[Value<'js>]) -> Res<String> {
    let mut line = String::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 && !value.is_string() && !values[at - 1].is_string() {
            line.push(' ');
        }
        line.push_str(&text(cx, value)?);
    }
    Ok(line)
}

impl Cmd {
    /// The executable itself.
    pub(crate) fn root(name: &str) -> Self {
        let root = Self(Arc::default());
        root.0.lock().line = name.to_owned();
        root
    }
    fn new<'js>(cx: &Ctx<'js>, args: &Args<'_, 'js>) -> Res<Self> {
        let made = Self(Arc::default());
        if let Some(data) = args.at(0).as_object() {
            let host: Shared = Arc::new(made.clone());
            for name in data.keys::<String>() {
                let name = name?;
                let Some(member) = COMMAND.member(&name) else { continue };
                if let crate::bind::What::Field(_, Some(set)) = &member.what {
                    set(cx, &host, data.get(&name)?)?;
                }
            }
        }
        Ok(made)
    }
    fn set_step<'js>(&self, cx: &Ctx<'js>, name: &'static str, value: &Value<'js>) {
        let mut state = self.0.lock();
        state.steps.retain(|(known, _)| *known != name);
        if let Some(function) = value.as_function() {
            let local = Local::of(cx);
            let mut kept = local.closures.borrow_mut();
            state.steps.push((name, kept.len()));
            kept.push(function.clone());
        }
    }
    fn step<'js>(&self, cx: &Ctx<'js>, name: &str) -> Option<Function<'js>> {
        let (_, at) = *self.0.lock().steps.iter().find(|(known, _)| *known == name)?;
        let local = Local::of(cx);
        local.closures.borrow().get(at).cloned()
    }
    fn add(&self, child: &Self) {
        child.0.lock().parent = Some(Arc::downgrade(&self.0));
        self.0.lock().commands.push(child.clone());
    }
    fn commands(&self) -> Vec<Self> {
        let mut all = self.0.lock().commands.clone();
        all.sort_by_key(Self::name);
        all
    }
    fn parent(&self) -> Option<Self> {
        self.0.lock().parent.as_ref()?.upgrade().map(Self)
    }
    /// Itself and what is above it.
    fn chain(&self) -> Vec<Self> {
        let mut chain = vec![self.clone()];
        while let Some(parent) = chain.last().and_then(Self::parent) {
            chain.push(parent);
        }
        chain
    }
    fn name(&self) -> String {
        self.0.lock().line.split_whitespace().next().unwrap_or_default().to_owned()
    }
    fn is_named(&self, name: &str) -> bool {
        self.name() == name || self.0.lock().aliases.iter().any(|alias| alias == name)
    }
    fn path(&self) -> String {
        let mut names: Vec<String> = self.chain().iter().map(Self::name).collect();
        names.reverse();
        names.join(" ")
    }
    fn runs(&self) -> bool {
        self.0.lock().steps.iter().any(|(name, _)| matches!(*name, "run" | "runE"))
    }
    /// Whether help names it.
    fn is_offered(&self) -> bool {
        let hidden = {
            let state = self.0.lock();
            state.hidden || !state.deprecated.is_empty()
        };
        !hidden && (self.runs() || self.commands().iter().any(Self::is_offered))
    }
    /// Flags of what is above it.
    fn inherited(&self, cx: &Ctx<'_>) -> Vec<Flag> {
        let above = self.chain().into_iter().skip(1);
        let mut flags: Vec<Flag> = above.flat_map(|one| one.0.lock().persistent.clone()).collect();
        flags.extend(run::app_flags(&Local::of(cx).js.app));
        flags
    }
    fn told(&self, cx: &Ctx<'_>) -> usage::Told {
        let (path, name, commands) = (self.path(), self.name(), self.commands());
        let inherited = self.inherited(cx);
        let runs = self.runs();
        let parent = self.parent().map(|parent| format!("{} ", parent.path())).unwrap_or_default();
        let offered = commands.iter().filter(|one| one.is_offered());
        let offered = offered.map(|one| (one.name(), one.0.lock().short.clone())).collect();
        let state = self.0.lock();
        let mut own = [state.own.clone(), state.persistent.clone()].concat();
        let help = flags::Value::Bool(false);
        let letter = if own.iter().any(|flag| flag.short == "h") { "" } else { "h" };
        own.push(Flag::new("help".into(), letter.into(), help, format!("help for {name}")));
        let about = if state.long.is_empty() { &state.short } else { &state.long };
        usage::Told {
            path,
            line: format!("{parent}{}", state.line),
            name,
            aliases: state.aliases.clone(),
            about: about.clone(),
            example: state.example.clone(),
            runs,
            commands: offered,
            own,
            inherited,
        }
    }
}
