//! What `databuild status`, `as-of`, `diff`, `history --facts` and `what-if` print ([reports](crate::reports)), and `databuild log`, which
//! reads the log from the disk, also while a databuild writes it. Long lists are shortened unless `--full` is given.

use std::collections::HashSet;
use std::io::{BufWriter, Write};

use anyhow::{Context, Result};
use ironweave::NameError;
use ironweave::dynamic::GraphView;
use ironweave::prelude::*;

use crate::diff::Diff;
use crate::dirs::Dirs;
use crate::jobs::check_name;
use crate::keep;
use crate::model::build::WantCreated;
use crate::past::{self, NoMoment};
use crate::render::Renderer;
use crate::reports::{Origin, UNWRITABLE, reference, unreadable};
use crate::rules::OF_COMMAND_LINE;
use crate::start::{is_in_use, open_read_only};
use crate::status::{Status, line};

/// Prints every event on one line: sequence, time, the event with its fields, and its facts. An
/// immediate event is indented.
pub fn log(dirs: &Dirs, full: bool) -> Result<()> {
    let store = open_read_only(dirs)?;
    let renderer = Renderer::new(&store, full);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for record in past::records(&store.reader()).map_err(|e| unreadable(dirs, &e))? {
        let record = record.map_err(|e| unreadable(dirs, &e))?;
        let (seq, time) = (record.seq(), record.time());
        for firing in record.firings() {
            let indent = if firing.is_immediate() { "  " } else { "" };
            let firing = renderer.firing(&firing);
            writeln!(out, "{seq:>6} {time} {indent}{firing}").context(UNWRITABLE)?;
        }
    }
    out.flush().context(UNWRITABLE)
}

/// The status, and whether a databuild is running.
pub fn status(from: &impl Origin, dirs: &Dirs, full: bool, json: bool) -> Result<String> {
    let mut status = Status::of(from.graph());
    status.outputs_removed = keep::removed(dirs);
    let is_running = is_in_use(dirs);
    if json {
        #[derive(serde::Serialize)]
        struct Whole {
            is_running: bool,
            #[serde(flatten)]
            status: Status,
        }
        let whole = Whole { is_running, status };
        let text = serde_json::to_string_pretty(&whole).context("cannot write JSON")?;
        return Ok(format!("{text}\n"));
    }
    let running = match is_running {
        true => "a databuild is running\n",
        false => "no databuild is running\n",
    };
    Ok(format!("{}{running}", status.text(full)))
}

/// The status after an earlier step, or at an earlier time.
pub fn status_as_of(from: &impl Origin, dirs: &Dirs, when: &str, full: bool) -> Result<String> {
    let when = past::point(when)?;
    let reader = from.reader();
    match past::as_of(&reader, when) {
        Ok(then) => Ok(Status::of(&then).text(full)),
        Err(NoMoment::OtherModel(_)) => {
            let then = reader.as_of_by_name(when);
            let then = then.map_err(|e| unreadable(dirs, &e))?;
            earlier_status(then.by_name())
        }
        Err(NoMoment::Unreadable(e)) => Err(unreadable(dirs, &e)),
        Err(e) => Err(e.into()),
    }
}

/// What has changed between two points; without the second one, until now.
pub fn diff(
    origin: &impl Origin,
    dirs: &Dirs,
    (from, to): (&str, Option<&str>),
    full: bool,
) -> Result<String> {
    let (from, to) = (past::point(from)?, to.map(past::point).transpose()?);
    let reader = origin.reader();
    let at = |when| match past::as_of(&reader, when) {
        Err(NoMoment::Unreadable(e)) => Err(unreadable(dirs, &e)),
        at => Ok(at?),
    };
    let from = at(from)?;
    let to = to.map_or_else(|| Ok(origin.snapshot()), at)?;
    Ok(Diff::between(&from, &to).text(full))
}

/// The wants, runs and partitions by state, as an earlier version of the model had them.
fn earlier_status(graph: GraphView<'_>) -> Result<String> {
    let mut out = String::new();
    for (what, name) in [
        ("partitions", "Partition"),
        ("runs", "JobRun"),
        ("wants", "Want"),
    ] {
        let of_type = graph.entity_type(name)?;
        let counts = of_type
            .states()
            .map(|state| Ok((state, of_type.count_in(state)?)));
        out += &line(what, &counts.collect::<Result<Vec<_>, NameError>>()?);
    }
    Ok(out)
}

/// Each fact about a partition, its reference and its earlier instances, with its step and event.
pub fn facts(from: &impl Origin, dirs: &Dirs, name: &str, full: bool) -> Result<String> {
    let db = from.graph();
    let reference = reference(name, db, dirs)?;
    let of = from.history(reference);
    let mut all = of.map_err(|e| unreadable(dirs, &e))?;
    for instance in reference.instances(db) {
        let of = from.history(instance);
        all.extend(of.map_err(|e| unreadable(dirs, &e))?);
    }
    all.sort_by_key(|entry| entry.seq());
    // A link between two of them is in the history of each.
    let mut seen = HashSet::new();
    all.retain(|entry| seen.insert((entry.seq(), entry.fact().to_string())));
    let renderer = Renderer::new(db, full);
    let mut out = String::new();
    // The facts of one event are shortened together.
    for of_event in all.chunk_by(|a, b| (a.seq(), a.event()) == (b.seq(), b.event())) {
        let Some(first) = of_event.first() else {
            continue;
        };
        let (seq, time, event) = (first.seq(), first.time(), first.event());
        for fact in renderer.facts(of_event.iter().map(|entry| entry.fact())) {
            out += &format!("{seq:>6} {time} {event}: {fact}\n");
        }
    }
    Ok(out)
}

/// What a want for partitions would change.
pub fn what_if_wanted(
    from: &impl Origin,
    dirs: &Dirs,
    refs: &[String],
    full: bool,
) -> Result<String> {
    refs.iter().try_for_each(|name| check_name(name))?;
    let partitions = refs
        .iter()
        .map(|name| Ensure::from(name.as_str()))
        .collect();
    let outcome = (from.snapshot())
        .with(WantCreated {
            partitions,
            source: OF_COMMAND_LINE.to_owned(),
            comment: String::new(),
            priority: 0,
            deadline: None,
            sla: None,
        })
        .map_err(|e| anyhow::anyhow!("the store in {} rejects it: {e}", dirs.shown().display()))?;
    let renderer = Renderer::new(&outcome.snapshot, full);
    let mut out = String::new();
    for fact in renderer.facts(outcome.record.facts()) {
        out += &format!("{fact}\n");
    }
    let want = outcome.applied.created.want;
    let state = want.state(&outcome.snapshot);
    out += &format!("the want would be {state}\n");
    Ok(out)
}
