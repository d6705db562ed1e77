//! The demo: its report, and that it builds only new and stale partitions.

use databuild::model::build;
use ironweave::prelude::*;

use crate::harness::named::assert_same_without_types;
use crate::support::{Place, times_live};

const REPORT: &str = "out/data/report/dependencies/dependencies.md";
const TABLE: &str = "out/data/report/dependencies/dependencies.csv";

const EXPECTED: &str = "\
package,version,source,files,code,comments,blank,unsafe_blocks,unsafe_fns,unsafe_impls,unsafe_traits,unsafe_externs,unsafe_attributes,license
alpha,0.1.0,path,1,3,3,1,0,0,0,0,0,0,MIT OR Apache-2.0
beta,1.2.3,path,1,5,1,1,0,0,0,0,0,0,MIT
delta,2.0.0,path,1,1,0,0,0,0,0,0,0,0,none found
epsilon,0.1.0,path,1,3,0,0,0,0,0,0,0,0,Apache-2.0
gamma,0.3.0-beta.1,path,2,9,0,3,1,1,1,0,0,0,see COPYING
total,,,6,21,4,5,1,1,1,0,0,0,
";

#[test]
fn every_dependency_is_in_the_report() {
    let place = Place::with_workspace();
    let seen = place.demo().success();
    assert_eq!(seen.counts(), (2 + 3 * 5, 0));
    assert_eq!(place.read(TABLE), EXPECTED);
    let report = place.read(REPORT);
    assert!(report.starts_with(
        "# Dependencies\n\n5 packages, 21 lines of code in 6 files, 3 uses of `unsafe`.\n"
    ));
    for line in ["report: ", "table:  ", "took:   ", "log:    "] {
        assert!(seen.stdout.contains(line), "{}", seen.stdout);
    }
    assert!(!seen.stdout.contains("up to date"));
    let here = place.path("").display().to_string();
    assert!(!report.contains(&here) && !place.read(TABLE).contains(&here));
}

#[test]
fn the_store_of_the_demo_is_read_without_its_types() {
    let place = Place::with_workspace();
    place.demo().success();
    let dir = place.path("out/store");
    let store = Store::<build::Model>::open_read_only(&dir).expect("it opens");
    let dynamic = assert_same_without_types(&dir, &store);
    let partitions = dynamic.by_name().entity_type("Partition").expect("a type");
    assert_eq!(partitions.count_in("Live").expect("a state"), 17);
}

#[test]
fn nothing_is_known_before_the_manifest_and_each_run_has_a_process() {
    let place = Place::with_workspace();
    place.demo().success();
    let log = place.log();
    let at = |what: &str| {
        log.find(what)
            .unwrap_or_else(|| panic!("no {what} in\n{log}"))
    };
    let (manifest, all) = (
        at("missed: [\"manifest\"]"),
        at("missed: [\"license/alpha-0.1.0\", "),
    );
    assert!(at("WantCreated") < manifest && manifest < all);
    // 17 runs that succeeded, and two that missed something.
    assert_eq!(log.matches("JobStarted {").count(), 19);
    assert!(
        log.lines()
            .filter(|l| l.contains("JobStarted {"))
            .all(|l| l.contains("pid: "))
    );
    assert_eq!(
        place.status().lines().next(),
        Some("partitions: 17 = 17 Live")
    );
}

#[test]
fn a_second_time_nothing_is_built() {
    let place = Place::with_workspace();
    place.demo().success();
    let report = place.read(REPORT);
    let seen = place.demo().success();
    assert_eq!(seen.counts(), (0, 17));
    assert!(seen.stdout.contains("everything is up to date"));
    assert_eq!(place.read(REPORT), report);
    // Also from another directory of the workspace.
    assert_eq!(
        place
            .databuild(&["demo", "--workspace", "workspace/libs/beta"])
            .success()
            .counts(),
        (0, 17)
    );
}

#[test]
fn a_new_dependency_is_built_alone() {
    let place = Place::with_workspace();
    place.demo().success();
    place.write(
        "workspace/libs/zeta/Cargo.toml",
        "[package]\nname = \"zeta\"\nversion = \"0.1.0\"\n",
    );
    place.write("workspace/libs/zeta/src/lib.rs", "//! Zeta.\n");
    place.edit(
        "workspace/app/Cargo.toml",
        "[dependencies]\n",
        "[dependencies]\nzeta = { path = \"../libs/zeta\" }\n",
    );
    place.lock();
    assert_eq!(place.demo().success().counts(), (1 + 3 + 1, 15));
    assert!(place.read(TABLE).contains("zeta,0.1.0,path,1,0,1,0,"));
    assert_eq!(place.demo().success().counts(), (0, 20));
    let twice = times_live(&place.log())
        .into_iter()
        .filter(|(_, n)| *n == 2)
        .count();
    assert_eq!(twice, 2, "the manifest and the report");
}

#[test]
fn a_removed_dependency_rebuilds_only_the_report() {
    let place = Place::with_workspace();
    place.demo().success();
    place.edit(
        "workspace/app/Cargo.toml",
        "gamma = { path = \"../libs/gamma\" }\n",
        "",
    );
    place.lock();
    assert_eq!(place.demo().success().counts(), (2, 12));
    assert!(!place.read(TABLE).contains("gamma"));
}

#[test]
fn an_edited_package_is_built_again() {
    let place = Place::with_workspace();
    place.demo().success();
    place.write(
        "workspace/libs/epsilon/src/lib.rs",
        "pub fn six() -> u8 { unsafe { 6 } }\n",
    );
    assert_eq!(place.demo().success().counts(), (3 + 1, 13));
    assert!(place.read(TABLE).contains("epsilon,0.1.0,path,1,1,0,0,1,"));
    // Files in `target` are not part of it.
    place.write(
        "workspace/libs/epsilon/target/debug/x.rs",
        "pub fn x() {}\n",
    );
    assert_eq!(place.demo().success().counts(), (0, 17));
    // Values that alpha and epsilon inherit from the workspace are.
    place.edit("workspace/Cargo.toml", "MIT OR Apache-2.0", "ISC");
    assert_eq!(place.demo().success().counts(), (1 + 6 + 1, 9));
    assert!(place.read(TABLE).contains(",ISC\n"));
}

#[test]
fn removed_data_is_built_again() {
    let place = Place::with_workspace();
    place.demo().success();
    std::fs::remove_dir_all(place.path("out/data/sloc/alpha-0.1.0")).unwrap();
    // It comes out the same, so the report is not built again.
    assert_eq!(place.demo().success().counts(), (1, 16));
    assert_eq!(place.read(TABLE), EXPECTED);
}

#[test]
fn another_workspace_can_share_the_directory() {
    let place = Place::with_workspace();
    place.demo().success();
    std::fs::rename(place.path("workspace"), place.path("moved")).unwrap();
    // The same packages and files in another directory: only partitions that contain the path are built.
    let seen = place.databuild(&["demo", "--workspace", "moved"]).success();
    assert_eq!(seen.counts(), (2, 15));
    assert_eq!(place.read(TABLE), EXPECTED);
}
