//! Globals and namespaces, one file each. To add a namespace: a file with its table (of [`Space`]), one line in [`SPACES`].

mod apis;
mod base;
mod command;
mod console;
mod dates;
mod dbx;
mod engine;
mod errors;
mod filepath;
mod files;
mod form_data;
mod gopath;
mod http_send;
mod mails;
mod models;
mod modules;
mod natives;
pub(crate) mod os;
mod root;
mod security;
mod template;

use std::sync::Arc;

use rquickjs::{Ctx, Result, object::Property};

pub(crate) use self::{base::unmarshal, console::formatted, security::claims};
use crate::{
    bind::{Global, Native, Shared, Type, define as define_globals, object},
    run::{Local, Role},
};

/// What a namespace's functions are bound to: nothing but its table.
pub(crate) struct Space(pub(crate) &'static Type);

impl Native for Space {
    fn kind(&self) -> &'static Type {
        self.0
    }
    fn any(&self) -> &dyn std::any::Any {
        self
    }
    fn is_namespace(&self) -> bool {
        true
    }
}

/// The namespaces: the global name, the table, the contexts that have it.
const SPACES: &[(&str, &Type, &[Role])] = &[
    ("console", &console::CONSOLE, ALL),
    ("$filepath", &filepath::FILEPATH, ALL),
    ("$filesystem", &files::FILESYSTEM, ALL),
    ("$http", &http_send::HTTP, ALL),
    ("$mails", &mails::MAILS, ALL),
    ("$os", &os::OS, ALL),
    ("$security", &security::SECURITY, ALL),
    ("$template", &template::TEMPLATE, ALL),
    ("$dbx", &dbx::DBX, ALL),
    ("$apis", &apis::APIS, SCRIPTS),
];

/// The tables of global functions and constructors.
const GLOBALS: &[(&[Global], &[Role])] = &[
    (base::FUNCTIONS, ALL),
    (models::CONSTRUCTORS, ALL),
    (form_data::CONSTRUCTORS, ALL),
    (crate::cli::CONSTRUCTORS, SCRIPTS),
    (errors::CONSTRUCTORS, SCRIPTS),
    (crate::load::CRON, SCRIPTS),
    (crate::load::FUNCTIONS, &[Role::Loader]),
    (crate::migrations::FUNCTIONS, &[Role::Migration]),
];

const ALL: &[Role] = &[Role::Loader, Role::Executor, Role::Migration];
const SCRIPTS: &[Role] = &[Role::Loader, Role::Executor];

/// The namespaces with their tables, and the tables of what they give.
pub(crate) fn tables() -> impl Iterator<Item = (&'static str, &'static Type)> {
    SPACES.iter().map(|(name, table, _)| (*name, *table))
}

/// The host types that namespaces give, for `types.d.ts`.
pub(crate) static TYPES: &[&Type] = &[
    &command::CMD,
    &command::EXIT_ERROR,
    &command::INLET,
    &command::PROCESS,
    &command::PROCESS_STATE,
    &files::FILE_SYSTEM,
    &files::WRITER,
    &form_data::FORM_DATA,
    &http_send::ANSWER,
    &os::ENTRY,
    &os::INFO,
    &os::MODE,
    &root::ROOT,
    &template::RENDERER,
];

/// The global functions and constructors of all contexts.
pub(crate) fn globals() -> impl Iterator<Item = &'static Global> {
    GLOBALS.iter().flat_map(|(table, _)| table.iter())
}

/// Defines everything in a new context.
pub(crate) fn define(cx: &Ctx<'_>, role: Role) -> Result<()> {
    engine::bridge(cx)?;
    let globals = cx.globals();
    for (table, roles) in GLOBALS {
        if roles.contains(&role) {
            define_globals(cx, &globals, table)?;
        }
    }
    for (name, table, roles) in SPACES {
        if roles.contains(&role) {
            let space: Shared = Arc::new(Space(table));
            globals.prop(*name, Property::from(object(cx, space)?).writable().configurable())?;
        }
    }
    let local = Local::of(cx);
    globals
        .prop("__hooks", Property::from(local.js.hooks_dir.as_str()).writable().configurable())?;
    modules::define(cx)?;
    natives::define(cx)?;
    if role == Role::Loader {
        crate::load::define_hooks(cx)?;
    }
    if role != Role::Migration {
        let app = local.js.app.clone();
        drop(local);
        let value = object(cx, Arc::new(app))?;
        globals.set("$app", value)?;
    }
    Ok(())
}
