//! A violation is the shortest list of events, which is printed as a Rust test. The printed tests are in the folder `printed`,
//! where they are compiled, and each of them fails.

use std::panic::catch_unwind;

use ironweave::Model;
use ironweave::check::{Checker, Report, ViolationKind};

use crate::build::{self, built_twice, left_building, no_retry};

/// The only violation of a report has a test that is printed in a file, and which fails.
pub fn is_printed<M: Model>(
    report: &Report<M>,
    kind: ViolationKind,
    (file, text, test): (&str, &str, fn()),
) {
    let [violation] = report.violations() else {
        panic!("{report}{:?}", report.violations());
    };
    assert_eq!(violation.kind(), kind);
    let printed = violation.test().expect("it has a list of events");
    // The attribute would make it a test of this suite.
    let printed = printed.replace("#[test]\nfn", "pub fn");
    let printed = without_lines(&printed);
    if std::env::var("IRONWEAVE_BLESS").is_ok() {
        let path = format!("{}/tests/check/printed/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, &printed).expect("it can be written");
    }
    assert_eq!(
        printed, text,
        "run it with `IRONWEAVE_BLESS=1` to write `printed/{file}`"
    );
    assert!(
        catch_unwind(test).is_err(),
        "the test of `printed/{file}` fails"
    );
}

/// The text without the numbers of lines, as in `main.rs:12`.
fn without_lines(text: &str) -> String {
    let mut parts = text.split(".rs:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        all + ".rs:" + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

/// A file in the folder `printed`: its name, its text, and the test in it.
macro_rules! printed {
    ($module:ident, $file:literal, $test:ident) => {{
        mod $module {
            include!(concat!("printed/", $file));
        }
        (
            $file,
            include_str!(concat!("printed/", $file)),
            $module::$test as fn(),
        )
    }};
}

pub(crate) use printed;

#[test]
fn a_model_without_a_bug_has_none() {
    use build::build::*;
    let report = Checker::<Model>::new()
        .entities::<Want>(2)
        .entities::<Partition>(2)
        .entities::<JobRun>(2)
        .values::<JobFailed, _>("exit", [1])
        .every::<Partition, _>(
            "a partition in Building has an unfinished run",
            build::has_run,
        )
        .every::<Partition, _>("nothing is built twice at once", build::built_once)
        .eventually_possible("every want can end", build::all_end)
        .sometimes("two runs are running", |store| {
            ironweave::Db::count::<JobRun, state::Running>(store) == 2
        })
        .assert_properties();
    println!("{report}");
    assert!(report.is_complete() && report.never_fired().next().is_none());
    assert_eq!(report.unreached(), [] as [&str; 0]);
}

#[test]
fn a_partition_is_left_in_building() {
    use left_building::*;
    let report = Checker::<Model>::new()
        .entities::<Want>(1)
        .entities::<Partition>(2)
        .entities::<JobRun>(2)
        .values::<JobFailed, _>("exit", [1])
        .every::<Partition, _>(
            "a partition in Building has an unfinished run",
            build::has_run_left,
        )
        .check()
        .expect("all domains are given");
    let printed = printed!(
        left,
        "left_building.rs",
        a_partition_in_building_has_an_unfinished_run
    );
    is_printed(&report, ViolationKind::Always, printed);
    assert_eq!(report.violations()[0].events().len(), 3);
}

#[test]
fn a_want_can_never_end() {
    use no_retry::*;
    let report = Checker::<Model>::new()
        .entities::<Want>(1)
        .entities::<Partition>(1)
        .entities::<JobRun>(2)
        .values::<JobFailed, _>("exit", [1])
        .allow_deadlocks()
        .eventually_possible("every want can end", build::all_end_no_retry)
        .check()
        .expect("all domains are given");
    let printed = printed!(no_retry_printed, "no_retry.rs", every_want_can_end);
    is_printed(&report, ViolationKind::EventuallyPossible, printed);
}

#[test]
fn a_partition_is_built_twice() {
    use built_twice::*;
    let report = Checker::<Model>::new()
        .entities::<Want>(1)
        .entities::<Partition>(1)
        .entities::<JobRun>(2)
        .values::<JobFailed, _>("exit", [1])
        .every::<Partition, _>("nothing is built twice at once", build::built_once_twice)
        .check()
        .expect("all domains are given");
    let printed = printed!(twice, "built_twice.rs", nothing_is_built_twice_at_once);
    is_printed(&report, ViolationKind::Always, printed);
}

#[test]
fn a_deadlock() {
    use no_retry::*;
    let report = Checker::<Model>::new()
        .entities::<Want>(1)
        .entities::<Partition>(1)
        .entities::<JobRun>(1)
        .values::<JobFailed, _>("exit", [1])
        .bindings::<JobQueued>(|store| {
            // A run without a partition would always be possible.
            let missing = ironweave::Db::place::<Partition, state::Missing>(store);
            missing
                .map(|partition| JobQueued {
                    partitions: vec![partition.any()],
                })
                .collect()
        })
        .check()
        .expect("all domains are given");
    let printed = printed!(deadlock, "deadlock.rs", deadlock);
    is_printed(&report, ViolationKind::Deadlock, printed);
}
