//! A run that is queued ahead of the end of another one. One job runs at a time, and the first run waits for a file, but is taken for one that
//! ends in a moment.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::dirs::Dirs;
use crate::engine::Limits;
use crate::model::build::WantCanceled;
use crate::model::build::state::{Canceled, Succeeded};

const JOBS: &str = r#"
[[job]]
partitions = "p/*"
command = ["sh", "-c", '''
    touch "$DATABUILD_JOBS/there-${PARTITION#p/}"
    while [ -d "$DATABUILD_JOBS" ] && ! [ -e "$DATABUILD_JOBS/leave" ]; do sleep 0.01; done
''']
"#;

/// An engine in which the process for `p/1` runs and the run for `p/2` is queued, and these two runs.
fn begun(root: &Path) -> (Engine, [JobRun; 2]) {
    let dirs = Dirs::at(&root.join("out")).unwrap();
    dirs.create().unwrap();
    let file = root.join("jobs.toml");
    std::fs::write(&file, JOBS).unwrap();
    let limits = Limits {
        jobs: 1,
        discovery: 100,
        fail_fast: false,
        deadline: None,
        sla: None,
        priority: 0,
        comment: String::new(),
    };
    let store = crate::start::open(&dirs).unwrap();
    let jobs = Jobs::load(&file).unwrap();
    let mut engine = Engine::new(store, dirs, jobs, limits, None).unwrap();
    engine.quick.insert("p/*".to_owned());
    engine.want(&["p/1".to_owned(), "p/2".to_owned()]).unwrap();
    let run = |engine: &Engine, name| {
        current(name, &engine.store).and_then(|p| p.built_by(&engine.store))
    };
    let both = loop {
        while engine.start_some().unwrap() {}
        if let (Some(first), Some(second)) = (run(&engine, "p/1"), run(&engine, "p/2"))
            && first.is::<Running>(&engine.store)
        {
            break [first, second];
        }
        engine.record_ends(Duration::from_millis(10)).unwrap();
    };
    assert!(both[1].is::<Queued>(&engine.store));
    assert_eq!(engine.children.len(), 2);
    (engine, both)
}

/// Records ends until a condition holds.
fn until(engine: &mut Engine, holds: impl Fn(&Engine) -> bool) {
    while !holds(engine) {
        engine.record_ends(Duration::from_millis(10)).unwrap();
    }
}

#[test]
fn it_starts_when_there_is_room() {
    let root = tempfile::tempdir().unwrap();
    let (mut engine, runs) = begun(root.path());
    assert!(!root.path().join("there-2").exists());
    std::fs::write(root.path().join("leave"), "").unwrap();
    until(&mut engine, Engine::is_idle);
    assert!(runs.iter().all(|run| run.is::<Succeeded>(&engine.store)));
    assert!(root.path().join("there-2").exists());
}

#[test]
fn if_it_is_canceled_it_does_not_wait_for_room() {
    let root = tempfile::tempdir().unwrap();
    let (mut engine, [first, second]) = begun(root.path());
    let db = &engine.store;
    let want = current("p/2", db).and_then(|p| p.awaited_by(db).next());
    engine
        .fire(WantCanceled {
            want: want.unwrap(),
        })
        .unwrap();
    engine.stop_needless_runs();
    until(&mut engine, |engine| second.is::<Canceled>(&engine.store));
    assert!(first.is::<Running>(&engine.store));
    assert_eq!(engine.children.len(), 1);
    // Its partition can be wanted and built again.
    engine.want(&["p/2".to_owned()]).unwrap();
    std::fs::write(root.path().join("leave"), "").unwrap();
    until(&mut engine, Engine::is_idle);
    while engine.start_some().unwrap() {}
    until(&mut engine, Engine::is_idle);
    let again = current("p/2", &engine.store).unwrap();
    assert!(again.is::<Live>(&engine.store));
}

#[test]
fn it_does_not_start_when_no_more_runs_begin() {
    let root = tempfile::tempdir().unwrap();
    let (mut engine, [first, second]) = begun(root.path());
    engine.children.begin_no_more();
    std::fs::write(root.path().join("leave"), "").unwrap();
    until(&mut engine, Engine::is_idle);
    assert!(first.is::<Succeeded>(&engine.store));
    assert!(second.is::<Queued>(&engine.store));
    assert!(!root.path().join("there-2").exists());
    // What is left is recorded as lost.
    engine.lose(&[second]).unwrap();
}

#[test]
fn it_ends_with_all_others() {
    let root = tempfile::tempdir().unwrap();
    let (mut engine, runs) = begun(root.path());
    let ended = engine.children.end();
    assert_eq!(ended, runs);
    assert!(engine.children.is_empty() && !root.path().join("there-2").exists());
}
