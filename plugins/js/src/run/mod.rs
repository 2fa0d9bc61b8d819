//! Running scripts: threads with large stacks, contexts, handlers, and waiting for the library from within a script.

mod executor;
mod program;
mod threads;

pub(crate) use self::{
    executor::{Executor, Executors, Local, Role},
    program::{Fatal, Program, call, invoke, source_of, thrown_error},
    threads::{Pool, sleep, wait, wait_serving},
};
