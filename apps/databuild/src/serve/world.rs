//! The graph that a request reads: the current one, or the one as of the step or the time in its `at`.
//!
//! Requests are answered on threads that may block, a limited number at a time. Pages ask for several answers as of the same point, so
//! the last graphs of the past are kept.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use ironweave::{AsOf, Snapshot};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::model::build::Model;
use crate::past::{self, Moment, NoMoment};
use crate::serve::api::{Answer, Api, Read, panicked};
use crate::serve::failure::Failure;

/// The number of graphs of the past that are kept.
const KEPT: usize = 8;
/// The number of requests that are answered at a time.
const READERS: usize = 8;

/// Which graph is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// The number of a step, or a time such as `2026-02-28T12:30:00Z`: the answer is as of then. 404 if the log does not have it.
    pub at: Option<String>,
}

/// The graph that an answer is about.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "At")]
pub struct AnsweredAt {
    /// The last step of the graph; null if the store is empty.
    seq: Option<u64>,
    /// Its time.
    time: Option<String>,
    /// Whether it is the graph of now.
    live: bool,
}

/// An answer about a graph, which has the fields of `T`.
#[derive(Clone, Debug, Serialize)]
pub struct Dated<T> {
    #[serde(flatten)]
    answer: T,
    /// The graph that the answer is about.
    at: AnsweredAt,
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
    fn at(&self) -> AnsweredAt {
        let moment = Moment::of_snapshot(&self.db);
        AnsweredAt {
            seq: moment.as_ref().map(|moment| moment.seq),
            time: moment.map(|moment| moment.time),
            live: self.is_live,
        }
    }
}

/// The schema of `T`, with the field `at`.
impl<T: JsonSchema> JsonSchema for Dated<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        format!("{} at", T::schema_id()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        let at = generator.subschema_for::<AnsweredAt>();
        for (of_all, value) in [
            ("properties", json!({ "at": at })),
            ("required", json!(["at"])),
        ] {
            match (schema.get_mut(of_all), value) {
                (Some(Value::Object(all)), Value::Object(more)) => all.extend(more),
                (Some(Value::Array(all)), Value::Array(more)) => all.extend(more),
                (_, value) => drop(schema.insert(of_all.to_owned(), value)),
            }
        }
        schema
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
    pub async fn blocking<T: Send + 'static>(
        &self,
        answer: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Answer<T> {
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

    /// Answers a request about a graph, which is named in the answer.
    ///
    /// # Errors
    /// As [`Api::blocking`], and as [`Api::world`].
    pub async fn read<T: Send + 'static>(
        &self,
        at: Option<String>,
        answer: impl FnOnce(&Self, &World) -> Result<T, Failure> + Send + 'static,
    ) -> Read<T> {
        let answered = move |api: &Self| {
            let world = api.world(at.as_deref())?;
            let answer = answer(api, &world)?;
            Ok(Dated {
                answer,
                at: world.at(),
            })
        };
        self.blocking(answered).await
    }
}
