//! What `databuild why` and `runs` print ([reports](crate::reports)).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;
use ironweave::prelude::*;
use ironweave::simulate::Stays;

use crate::dirs::Dirs;
use crate::keep::why_removed;
use crate::model::build::state::{
    Backoff, Building, Checking, Failed, Live, Missing, Running, Stale, Tainted, UpForRetry,
    UpstreamBuilding, UpstreamFailed,
};
use crate::model::build::{JobRun, Partition};
use crate::reports::{LINES_MAX, Origin, known, unreadable};
use crate::rules::{name, source};
use crate::status::{chain, in_one_line, state_of};
use crate::text::{few, in_words, one_line};

/// Why a partition is in its state, and where the output of the run that built it is.
pub fn why(from: &impl Origin, dirs: &Dirs, of: &str) -> Result<String> {
    let db = from.graph();
    let partition = known(of, db, dirs)?;
    let mut out = format!("{of} is {}\n", state_of(partition, db));
    for line in reasons(partition, db) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {}", one_line(&line));
    }
    if let Some(run) = partition.built_by(db) {
        let id = run.id().to_string();
        let kept = dirs.kept_of(&id);
        for path in &kept {
            let _ = writeln!(out, "  all that the run wrote: {}", path.display());
        }
        if let Some(why) = why_removed(dirs, &id).filter(|_| kept.is_empty()) {
            let _ = writeln!(out, "  {why}");
        }
    }
    Ok(out)
}

/// Why a partition is in its state, for people.
pub fn reasons(partition: Partition, db: &impl Db) -> Vec<String> {
    let run = partition.built_by(db);
    let by = run.map_or_else(
        || "no run".to_owned(),
        |run| match run.attempt(db) {
            0 | 1 => format!("run {}", run.id()),
            more => format!("run {}, attempt {more}", run.id()),
        },
    );
    let inputs = partition.inputs(db).map(|p| name(p, db));
    let from = match few(inputs) {
        none if none.is_empty() => "nothing that it reported".to_owned(),
        some => some,
    };
    let wants = partition
        .awaited_by(db)
        .map(|want| match want.asked_by(db) {
            Some(run) => run.label(db).to_owned(),
            None => match want.asked_for(db) {
                Some(of) => name(of, db).to_owned(),
                None => match source(want, db) {
                    unknown if unknown == "unknown" => format!("want {}", want.id().slot()),
                    source => format!("want {} ({source})", want.id().slot()),
                },
            },
        });
    let needed = match few(wants) {
        none if none.is_empty() => "no open want needs it".to_owned(),
        some => format!("needed by {some}"),
    };
    let mut lines = Vec::new();
    if let Some(live) = partition.in_state::<Live>(db) {
        lines.push(format!("built by {by} at {}, from {from}", live.at(db)));
        if let Some(expires) = live.expires(db) {
            lines.push(format!("its time to live ends at {expires}"));
        }
    } else if let Some(failed) = partition.in_state::<Failed>(db) {
        lines.push(format!("{by} failed"));
        lines.extend(failed.reason(db).lines().map(str::to_owned));
        lines.push(match failed.again(db) {
            true => "it is built again when it is wanted".to_owned(),
            false => format!(
                "it stays so until what it is made from changes, or `databuild retry {}`",
                name(partition, db)
            ),
        });
    } else if partition.is::<UpstreamBuilding>(db)
        || partition.is::<UpstreamFailed>(db)
        || partition.is::<Checking>(db)
    {
        let upstreams = partition.upstreams(db).filter(|p| !p.is::<Live>(db));
        lines.extend(upstreams.map(|p| {
            let name = name(partition, db);
            format!("{name} \u{2190} {}", in_one_line(&chain(p, db)))
        }));
        lines.push(needed);
    } else if partition.is::<Stale>(db) {
        lines.extend(staleness(partition, db));
        lines.push(format!("it was built by {by}, from {from}"));
        lines.push(needed);
    } else if let Some(tainted) = partition.in_state::<Tainted>(db) {
        lines.push(format!(
            "tainted at {}: {}",
            tainted.at(db),
            tainted.reason(db)
        ));
        lines.push(format!("it was built by {by}, from {from}"));
        lines.push(needed);
    } else if partition.is::<Building>(db) {
        lines.push(match run.and_then(|run| run.in_state::<Running>(db)) {
            Some(run) => format!("{by} builds it (pid {})", run.pid(db)),
            None => format!("{by} is about to build it"),
        });
        lines.push(needed);
    } else if let Some(backoff) = partition.in_state::<Backoff>(db) {
        lines.push(format!(
            "{by} failed; the next attempt is at {}",
            backoff.until(db)
        ));
        lines.push(needed);
    } else if partition.is::<Missing>(db) || partition.is::<UpForRetry>(db) {
        lines.push("nothing is in its way".to_owned());
        lines.push(needed);
    }
    lines
}

/// Why a partition is stale: the inputs that are stale or were built again, each down to the first cause.
fn staleness(partition: Partition, db: &impl Db) -> Vec<String> {
    let changed = |p: &Partition| {
        let is_old = p.is::<Stale>(db) || p.is::<Checking>(db) || p.is::<Tainted>(db);
        is_old || p.current_of(db).is_none()
    };
    let inputs: Vec<Partition> = partition.inputs(db).filter(changed).collect();
    if inputs.is_empty() {
        return vec![
            "its digest, the version of its job or its data has changed, or its time to live is over"
                .to_owned(),
        ];
    }
    let causes = inputs.into_iter().map(|input| {
        let mut names = vec![name(partition, db)];
        let (mut next, mut seen) = (Some(input), BTreeSet::new());
        let mut why = "which has changed";
        while let Some(input) = next.filter(|p| seen.insert(*p)) {
            names.push(name(input, db));
            if input.current_of(db).is_none() {
                why = "which was built again";
                break;
            }
            if input.is::<Tainted>(db) {
                why = "which is tainted";
                break;
            }
            next = input.inputs(db).find(changed);
        }
        format!("{}, {why}", names.join(" \u{2190} "))
    });
    let all: Vec<String> = causes.collect();
    let more = all.len().saturating_sub(LINES_MAX);
    let mut lines: Vec<String> = all.into_iter().take(LINES_MAX).collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// Runs: the last ones, or those that took longest.
pub fn runs(
    from: &impl Origin,
    dirs: &Dirs,
    (pattern, slowest): (Option<&str>, bool),
    full: bool,
) -> Result<String> {
    let db = from.graph();
    let pattern = pattern.map(crate::pattern::Pattern::parse).transpose();
    let pattern = pattern.map_err(anyhow::Error::msg)?;
    let frames = crate::past::records(&from.reader()).map_err(|e| unreadable(dirs, &e))?;
    let stays = Stays::<JobRun, Running>::of(frames).map_err(|e| unreadable(dirs, &e))?;
    let ended = stays
        .ended()
        .iter()
        .map(|stay| (stay.entity, Some(stay.duration())));
    let now = Timestamp::now();
    let open = stays
        .open()
        .iter()
        .map(|(run, since)| (*run, Some(now.duration_since(*since))));
    let is_meant = |run: &JobRun| {
        pattern
            .as_ref()
            .is_none_or(|pattern| pattern.matches(run.label(db)))
    };
    let mut all: Vec<(JobRun, Option<Duration>)> = (ended.chain(open))
        .filter(|(run, _)| is_meant(run))
        .collect();
    match slowest {
        true => all.sort_by_key(|(run, took)| (std::cmp::Reverse(*took), run.id())),
        false => all.sort_by_key(|(run, _)| std::cmp::Reverse(run.id())),
    }
    let most = if full { usize::MAX } else { LINES_MAX };
    let mut out = String::new();
    for (run, took) in all.iter().take(most) {
        let took = took.map_or_else(String::new, in_words);
        let attempt = match run.attempt(db) {
            0 | 1 => String::new(),
            more => format!(" (attempt {more})"),
        };
        let state = run.state(db).to_string();
        let (id, label) = (run.id().to_string(), run.label(db));
        let _ = writeln!(
            out,
            "{id:>8} {state:<10} {took:>10}  {}{attempt}",
            one_line(label)
        );
    }
    if all.len() > most {
        let _ = writeln!(out, "and {} more (shown by --full)", all.len() - most);
    }
    Ok(out)
}
