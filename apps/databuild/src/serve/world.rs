//! The graph that a request reads: the current one, or the one as of the step or the time in its `at`.
//!
//! Requests are answered on threads that may block, a limited number at a time. Pages ask for several answers as of the same point, so
//! the last graphs of the past are kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use ironweave::{AsOf, Snapshot};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::model::build::Model;
use crate::past::{self, Moment, NoMoment};
use crate::serve::api::{Answer, Api, panicked};
use crate::serve::failure::Failure;

/// The number of graphs of the past that are kept.
const KEPT: usize = 8;
/// The number of requests that are answered at a time.
const READERS: usize = 8;

/// Which graph is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// The number of a step, or a time. Without it, the current graph is read.
    pub at: Option<String>,
}

/// The graphs of the past that were read last.
pub struct Worlds {
    kept: Mutex<VecDeque<(AsOf, Snapshot<Model>)>>,
    readers: Arc<Semaphore>,
}

impl Default for Worlds {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            readers: Arc::new(Semaphore::new(READERS)),
        }
    }
}

impl Worlds {
    fn find(&self, when: AsOf) -> Option<Snapshot<Model>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(of, _)| *of == when)?;
        // The one that was used last is the last one.
        let found = kept.remove(at)?;
        kept.push_back(found.clone());
        Some(found.1)
    }

    fn keep(&self, when: AsOf, db: &Snapshot<Model>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(of, _)| *of != when);
        kept.push_back((when, db.clone()));
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }
}

/// A graph, and which one it is.
pub struct World {
    /// The graph.
    pub db: Snapshot<Model>,
    /// Whether it is the current graph.
    pub is_live: bool,
}

impl World {
    /// The step and the time of the graph, for the answer.
    fn at(&self) -> Value {
        let moment = Moment::of_snapshot(&self.db);
        json!({
            "seq": moment.as_ref().map(|moment| moment.seq),
            "time": moment.map(|moment| moment.time),
            "live": self.is_live,
        })
    }
}

impl From<NoMoment> for Failure {
    fn from(e: NoMoment) -> Self {
        match e {
            NoMoment::Invalid(why) => Self::invalid(why),
            NoMoment::Absent(why) | NoMoment::OtherModel(why) => Self::not_found(why),
            NoMoment::Unreadable(e) => Self::unreadable(e),
        }
    }
}

impl Api {
    /// Returns the current graph, or the one as of a point, which may read the log.
    ///
    /// # Errors
    /// 400 or 404 if there is no such point.
    pub fn world(&self, at: Option<&str>) -> Result<World, Failure> {
        let Some(text) = at
            .map(str::trim)
            .filter(|at| !at.is_empty() && *at != "now")
        else {
            return Ok(World {
                db: self.reader.snapshot(),
                is_live: true,
            });
        };
        let when = past::point(text)?;
        if let Some(db) = self.worlds.find(when) {
            return Ok(World { db, is_live: false });
        }
        let newest = self.reader.snapshot();
        let db = past::as_of(&self.reader, when)?;
        // Later steps may still have the time of the last one.
        let is_final = match when {
            AsOf::Time(time) => time < newest.time(),
            AsOf::Seq(_) | AsOf::Position(_) => true,
        };
        if is_final {
            self.worlds.keep(when, &db);
        }
        Ok(World { db, is_live: false })
    }

    /// Answers a request on a thread that may block.
    ///
    /// # Errors
    /// Those of the answer; 500 if it panics.
    pub async fn blocking(
        &self,
        answer: impl FnOnce(&Self) -> Result<Value, Failure> + Send + 'static,
    ) -> Answer {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.worlds.readers).acquire_owned().await;
        let api = self.clone();
        let answered = tokio::task::spawn_blocking(move || {
            // Also if the client does not wait for the answer any more.
            let _permit = permit;
            answer(&api)
        });
        answered.await.map_err(panicked)?.map(Json)
    }

    /// Answers a request about a graph. The answer, which is an object, gets the field `at`.
    ///
    /// # Errors
    /// As [`Api::blocking`], and as [`Api::world`].
    pub async fn read(
        &self,
        at: Option<String>,
        answer: impl FnOnce(&Self, &World) -> Result<Value, Failure> + Send + 'static,
    ) -> Answer {
        let answered = move |api: &Self| {
            let world = api.world(at.as_deref())?;
            let mut answered = answer(api, &world)?;
            answered["at"] = world.at();
            Ok(answered)
        };
        self.blocking(answered).await
    }
}
