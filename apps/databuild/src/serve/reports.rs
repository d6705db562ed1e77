//! `POST /api/reports`: what a command prints that only reads ([`reports`](crate::reports)).

use std::sync::Arc;

use axum::extract::State;
use ironweave::{Entity, HistoryEntry, ReadError, Snapshot, StoreReader};
use schemars::JsonSchema;
use serde::Serialize;

use crate::dirs::Dirs;
use crate::jobs::Jobs;
use crate::model::build::Model;
use crate::plan::Question;
use crate::reports::{Origin, PlannedBy, Report, unreadable};
use crate::serve::api::{Answer, Api};
use crate::serve::commands::once;
use crate::serve::failure::{Asked, Body, Nothing};
use crate::simulate::past::Past;

/// A graph of a daemon, and the log up to it.
pub struct Beside<'a> {
    /// The daemon.
    pub api: &'a Api,
    /// The graph.
    pub db: &'a Snapshot<Model>,
}

impl Origin for Beside<'_> {
    type Graph = Snapshot<Model>;

    fn graph(&self) -> &Snapshot<Model> {
        self.db
    }

    fn snapshot(&self) -> Snapshot<Model> {
        self.db.clone()
    }

    fn reader(&self) -> StoreReader<Model> {
        self.api.reader.clone()
    }

    fn history<T: Entity<Model = Model>>(
        &self,
        of: T,
    ) -> Result<Vec<HistoryEntry<Model>>, ReadError> {
        let mut history = self.api.reader.history(of)?;
        // The log may have grown since.
        history.retain(|entry| Some(entry.seq()) <= self.db.seq());
        Ok(history)
    }

    fn planned_by(&self) -> anyhow::Result<PlannedBy> {
        Ok(PlannedBy {
            jobs: Some(self.api.jobs()?),
            jobs_max: self.api.jobs_max,
        })
    }

    fn past(&self, jobs: Option<&Arc<Jobs>>, dirs: &Dirs) -> anyhow::Result<Arc<Past>> {
        let past = self.api.last_past.of((&self.api.reader, self.db), jobs);
        past.map_err(|e| unreadable(dirs, &e))
    }
}

/// What the command prints.
#[derive(Serialize, JsonSchema)]
pub struct Printed {
    /// The text.
    text: String,
}

/// `POST /api/reports`.
pub async fn report(
    State(api): State<Api>,
    _: Asked<Nothing>,
    Body(mut report): Body<Report>,
) -> Answer<Printed> {
    let names = match &mut report {
        Report::WhatIf { want, .. } => Some(("want", want)),
        Report::Plan { question, .. } => Some(match question {
            Question::Want(want) => ("want", want),
            Question::Change(change) => ("change", change),
        }),
        _ => None,
    };
    if let Some((field, names)) = names {
        *names = once(field, std::mem::take(names))?;
    }
    let turn = match report {
        Report::Plan { .. } => Some(api.last_past.turn().await),
        _ => None,
    };
    let answer = move |api: &Api| {
        // Also if the client does not wait for the answer any more.
        let _turn = turn;
        let from = Beside {
            api,
            db: &api.reader.snapshot(),
        };
        let text = report.text(&from, &api.dirs.absolute())?;
        Ok(Printed { text })
    };
    api.blocking(answer).await
}
