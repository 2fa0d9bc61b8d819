//! Boxed futures, as traits and hooks return them, and as the doors of crates do: an `async fn` is compiled again, with all
//! that it awaits, in every crate that awaits it; a boxed future is compiled where it is made.

use std::{future::Future, pin::Pin};

/// A boxed future.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A boxed future that borrows.
pub type BoxFutureRef<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A future as a boxed one, for functions that give an `impl Future`.
pub fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFutureRef<'a, T> {
    Box::pin(future)
}
