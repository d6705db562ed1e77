//! What a simulation assumes, because the log does not say it.

use std::collections::BTreeSet;

use ironweave::prelude::*;

use crate::model::build::state::Live;
use crate::rules::{current, open_wants};
use crate::simulate::Scene;
use crate::simulate::past::KnownFrom;
use crate::text::few;

/// What is assumed, in sentences.
#[derive(Debug)]
pub struct Assumptions {
    pub lines: Vec<String>,
    /// The partitions that are needed and that no job makes.
    pub unmade: Vec<String>,
}

impl Assumptions {
    /// What is assumed of the partitions that are to be built.
    pub(super) fn of(scene: &Scene, db: &impl Db, refs: &[String]) -> Self {
        let [mut of_asking, mut of_job, mut of_all] = [const { Vec::new() }; 3];
        let [mut once, mut unknown, mut unmade] = [const { Vec::new() }; 3];
        let jobs = scene.jobs.as_ref();
        for name in to_be_built(scene, db, refs) {
            if jobs.is_some_and(|jobs| jobs.job_for(&name).is_err()) {
                unmade.push(name);
                continue;
            }
            if scene.past.needs(&name).is_none_or(|needs| !needs.is_known) {
                unknown.push(name.clone());
            }
            match scene.past.known_from(&name, jobs) {
                Some(KnownFrom::Own(1)) => once.push(name),
                Some(KnownFrom::Own(_)) => {}
                Some(KnownFrom::Asking) => of_asking.push(name),
                Some(KnownFrom::Job) => of_job.push(name),
                Some(KnownFrom::All) | None => of_all.push(name),
            }
        }
        let mut lines = Vec::new();
        let mut add = |what: &str, names: &[String]| {
            if !names.is_empty() {
                lines.push(format!("{what}: {}", few(names)));
            }
        };
        add("made by no job, so never ready", &unmade);
        add(
            "never built, so what is needed for them is not known",
            &unknown,
        );
        add(
            "never built, so as long as runs of the same job that asked for partitions",
            &of_asking,
        );
        add(
            "not run in the past, so as long as runs of the same job",
            &of_job,
        );
        add(
            "not run in the past, so as long as runs of all jobs",
            &of_all,
        );
        add("run once in the past, so always as long as then", &once);
        let late: Vec<String> = scene.late(db).collect();
        add(
            "running for longer than any run of the past, so ending now",
            &late,
        );
        let earlier = open_wants(db)
            .into_iter()
            .flat_map(|want| want.partitions(db));
        let mut earlier: Vec<String> = earlier.map(|of| of.name(db).to_owned()).collect();
        earlier.retain(|name| !refs.contains(name));
        add("wanted of another databuild, so built as well", &earlier);
        match scene.running.len() {
            0 => {}
            1 => lines.push("the run of another databuild that is going on succeeds".to_owned()),
            more => lines.push(format!(
                "the {more} runs of another databuild that are going on succeed"
            )),
        }
        match scene.lost.len() {
            0 => {}
            1 => lines.push("a run that was interrupted begins again".to_owned()),
            more => lines.push(format!("{more} runs that were interrupted begin again")),
        }
        let (failed, ended) = scene.past.failed;
        lines.push(match failed {
            0 => "no run fails, as none did in the past".to_owned(),
            _ => format!("no run fails, although {failed} of {ended} did in the past"),
        });
        lines.push(
            "what is live and whose data is there is up to date: no digest is compared".to_owned(),
        );
        Self { lines, unmade }
    }
}

/// The partitions that are not live, among the wanted ones and all that their runs are known to need.
fn to_be_built(scene: &Scene, db: &impl Db, refs: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut todo: Vec<&String> = refs.iter().collect();
    while let Some(name) = todo.pop() {
        let is_live = current(name, db).is_some_and(|partition| partition.is::<Live>(db));
        if !is_live && found.insert(name.clone()) {
            let needs = scene.past.needs(name).into_iter();
            todo.extend(needs.flat_map(|needs| needs.groups.iter().flatten()));
        }
    }
    found
}
