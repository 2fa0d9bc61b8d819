//! The PostgreSQL end of a move that this executable was built without: there is no [`Session`].

use std::{convert::Infallible, sync::Arc};

use store::postgres::Dsn;
use tokio::sync::mpsc::{Receiver, Sender};

use super::{
    Batch, Error, Layout, Result,
    digest::Digest,
    plan::{Plan, Table},
    row_security::Policies,
};

/// A connection inside of a transaction.
#[derive(Debug, Clone)]
pub(super) struct Session(Infallible);

fn missing<T>() -> Result<T> {
    Err(Error("this executable was built without PostgreSQL (feature \"postgres\")".to_owned()))
}

#[expect(clippy::unused_async, reason = "as with the feature")]
impl Session {
    pub(super) async fn read(_dsn: &Dsn) -> Result<Self> {
        missing()
    }
    pub(super) async fn look(_dsn: &Dsn) -> Result<Self> {
        missing()
    }
    pub(super) async fn fill_new(_: &Dsn, _: &Plan, _overwrite: bool) -> Result<(Self, Policies)> {
        missing()
    }
    pub(super) async fn texts(&self, _text: &str) -> Result<Vec<Vec<String>>> {
        match self.0 {}
    }
    pub(super) async fn mark(&self) -> Result<Option<String>> {
        match self.0 {}
    }
    pub(super) async fn execute(&self, _text: &str) -> Result<()> {
        match self.0 {}
    }
    pub(super) async fn tables(&self) -> Result<Vec<(String, bool)>> {
        match self.0 {}
    }
    pub(super) async fn layout(&self, _name: &str) -> Result<Layout> {
        match self.0 {}
    }
    pub(super) fn send(&self, _table: Arc<Table>, _layout: &Layout, _to: Sender<Batch>) {
        match self.0 {}
    }
    pub(super) async fn fill(&self, _table: Arc<Table>, _from: Receiver<Batch>) -> Result<Digest> {
        match self.0 {}
    }
    pub(super) async fn commit(&self) -> Result<()> {
        match self.0 {}
    }
}
