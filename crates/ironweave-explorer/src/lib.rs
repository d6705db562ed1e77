//! Pages and an HTTP API that show any ironweave store.
#![doc = "\n"]
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod access;
mod answers;
mod http;
mod problem;
mod shown;
mod source;
mod trial;

use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use ironweave::{Model, OpenError, StoreReader};
use tokio::net::TcpListener;

pub use access::Access;
pub use problem::Problem;
pub use source::{DirectorySource, Source, Transactions, TypedSource};
pub use trial::Trial;

use http::Shared;

/// The explorer of one store, from which a [`router`](Explorer::router) is made.
#[must_use]
pub struct Explorer {
    source: Arc<dyn Source>,
    access: Access,
}

/// Without the token.
impl fmt::Debug for Explorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explorer")
            .field("last", &self.source.last())
            .finish_non_exhaustive()
    }
}

impl Explorer {
    /// Shows the store of a program, with the guards, handlers and invariants of its model. The reader keeps no store open.
    pub fn new<M: Model>(reader: StoreReader<M>) -> Self {
        Self::of(TypedSource::new(reader))
    }

    /// Shows the store in a directory by the schema in its log. Another process may write it.
    ///
    /// # Errors
    /// As [`Store::open_read_only`](ironweave::Store::open_read_only).
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self::of(DirectorySource::open(dir, None::<&Path>)?))
    }

    /// Shows what a source answers.
    pub fn of(source: impl Source) -> Self {
        Self {
            source: Arc::new(source),
            // The files of the pages are the same for everybody.
            access: Access::default().open("/assets/"),
        }
    }

    /// Requires a token of each request, except those for the files of the pages; see [`Access`].
    pub fn token(mut self, token: &str) -> Self {
        self.access = self.access.token(token);
        self
    }

    /// Accepts requests for a host of this name, in addition to the names and addresses of the loopback interface. Requests for others
    /// are refused, so that no other site can have a browser ask this server by a name of its own.
    pub fn host(mut self, name: &str) -> Self {
        self.access = self.access.host(name);
        self
    }

    /// Accepts requests for all hosts: for a router that is nested in a service which checks them, or behind a proxy.
    pub fn any_host(mut self) -> Self {
        self.access = self.access.any_host();
        self
    }

    /// Returns the routes, which can be nested under any path. A thread follows the log until the router is dropped.
    pub fn router(self) -> Router {
        http::router(Shared::new(self.source, self.access))
    }

    /// Serves the routes until `shutdown` returns.
    ///
    /// # Errors
    /// A failure of the network.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let served = axum::serve(listener, self.router());
        // Streams have no end, so that open ones are not waited for.
        tokio::select! {
            served = served.into_future() => served,
            () = shutdown => Ok(()),
        }
    }
}
