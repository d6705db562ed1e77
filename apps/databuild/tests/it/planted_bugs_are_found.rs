//! Copies of the model, each with a planted bug, are checked as the model is. The checker finds each bug with the shortest list of
//! events, and the test that it prints compiles and fails.
//!
//! A copy is made from the sources of the model, so it cannot differ in anything else. It is a crate of its own, which rustc
//! compiles with the library that this test was linked with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::rustc::{assert_all, compiler, libraries};

/// A change of one place of the sources.
struct Bug {
    /// The name of the crate.
    name: &'static str,
    file: &'static str,
    /// What is replaced, which the file has once.
    right: &'static str,
    wrong: &'static str,
    /// The numbers of wants, references, partitions and runs within which it is found.
    scope: [usize; 4],
    /// What the checker says.
    message: &'static str,
    /// The events that lead to it.
    events: &'static [&'static str],
    /// What the printed test says when it fails.
    fails: &'static str,
}

const NEVER_ENDS: &str = "\"every want can end\" can never hold again";
const FAILS_TO_END: &str = "every want can end: no event can make this true again";

const BUGS: [Bug; 7] = [
    Bug {
        name: "an_edge_is_not_acyclic",
        file: "model.rs",
        right: "        #[edge(acyclic)]\n",
        wrong: "",
        scope: [2, 1, 1, 1],
        message: NEVER_ENDS,
        // The run misses what it builds.
        events: &["WantCreated", "JobQueued", "JobStarted", "DepMissed"],
        fails: FAILS_TO_END,
    },
    Bug {
        name: "a_state_is_left_out",
        file: "model.rs",
        right: "#[moves(each partitions: Missing | UpForRetry -> Building)]",
        wrong: "#[moves(each partitions: Missing -> Building)]",
        scope: [1, 1, 1, 1],
        message: NEVER_ENDS,
        events: &["WantCreated", "JobQueued", "RunLost"],
        fails: FAILS_TO_END,
    },
    Bug {
        name: "a_wrong_target",
        file: "model.rs",
        right: "#[moves(each run.builds: Building -> UpstreamBuilding)]",
        wrong: "#[moves(each run.builds: Building -> UpForRetry)]",
        scope: [2, 2, 2, 1],
        message: "\"what waits has upstreams\" does not hold of Partition/0.1",
        events: &["WantCreated", "JobQueued", "JobStarted", "DepMissed"],
        fails: "what waits has upstreams",
    },
    Bug {
        name: "a_when_is_left_out",
        file: "model.rs",
        right: "    #[when(none want.awaits in Building)]\n",
        wrong: "",
        scope: [2, 2, 2, 2],
        message: NEVER_ENDS,
        events: &["WantCreated", "JobQueued", "JobStarted", "DepMissed"],
        fails: FAILS_TO_END,
    },
    Bug {
        name: "any_instead_of_all",
        file: "model.rs",
        right: "#[when(all want.awaits in Live)]",
        wrong: "#[when(any want.awaits in Live)]",
        scope: [1, 2, 2, 1],
        message: "\"a successful want has what it wanted\" does not hold of Want/0.1",
        events: &["WantCreated", "JobQueued", "JobStarted", "JobSucceeded"],
        fails: "a successful want has what it wanted",
    },
    Bug {
        name: "an_unlink_is_left_out",
        file: "model.rs",
        right: "    #[when(all partition.upstreams in Live)]
    #[unlink(partition.missed -= partition.missed)]
    #[unlink(partition.upstreams -= partition.upstreams)]
",
        wrong: "    #[when(all partition.upstreams in Live)]
    #[unlink(partition.missed -= partition.missed)]
",
        scope: [2, 2, 2, 2],
        message: "\"what waits has upstreams\" does not hold of Partition/0.1",
        events: &[
            "WantCreated",
            "JobQueued",
            "JobStarted",
            "DepMissed",
            "JobQueued",
            "JobStarted",
            "JobSucceeded",
        ],
        fails: "what waits has upstreams",
    },
    Bug {
        name: "a_wrong_invariant",
        file: "rules.rs",
        right: "Some(run) if run.is::<Queued>(db) || run.is::<Running>(db) => Ok(()),",
        wrong: "Some(run) if run.is::<Running>(db) => Ok(()),",
        scope: [1, 1, 1, 1],
        message: NEVER_ENDS,
        events: &["WantCreated"],
        fails: FAILS_TO_END,
    },
];

/// The crate of a copy. The check names the model as it does in the tests of databuild.
const LIBRARY: &str = "
extern crate self as databuild;
pub mod checked;
pub mod model;
pub mod rules;
";

/// A program that checks a copy within the bounds that are its arguments.
const CHECK: &str = r#"
use COPY::checked::{Scope, checker};
fn main() {
    let mut bounds = std::env::args().skip(1).map(|bound| bound.parse().expect("a number"));
    let mut bound = || bounds.next().expect("four bounds");
    let scope = Scope { wants: bound(), references: bound(), partitions: bound(), runs: bound(), all: false, stale: false, wrong: false };
    let report = checker(scope).check().expect("all domains are given");
    // A violation ends the exploration.
    assert!(report.is_complete() || !report.violations().is_empty(), "{report}");
    for violation in report.violations() {
        println!("{}", violation.message());
        for event in violation.events() {
            println!("{event}");
        }
        let test = violation.test().expect("a list of events");
        std::fs::write("printed.rs", test).expect("it can be written");
    }
}
"#;

/// A crate with these sources, in a directory of its own.
struct Copy {
    name: &'static str,
    dir: PathBuf,
    library: PathBuf,
}

impl Copy {
    /// Writes a copy of the sources, of which one is changed.
    fn write(name: &'static str, change: impl Fn(&str, String) -> String) -> Result<Self, String> {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("planted")
            .join(name);
        let failed = |e: std::io::Error| format!("{name}: {e}");
        fs::create_dir_all(&dir).map_err(failed)?;
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        for path in ["src/model.rs", "src/rules.rs", "tests/it/checked.rs"] {
            let path = here.join(path);
            let file = path.file_name().unwrap_or_default();
            let text = fs::read_to_string(&path).map_err(failed)?;
            let text = change(&file.to_string_lossy(), text);
            fs::write(dir.join(file), text).map_err(failed)?;
        }
        fs::write(dir.join("lib.rs"), LIBRARY).map_err(failed)?;
        let library = PathBuf::new();
        Ok(Self { name, dir, library })
    }

    /// Compiles it with a build of ironweave.
    fn compile(&mut self, library: &Path) -> Result<(), String> {
        self.library = library.to_owned();
        let name = format!("--crate-name={}", self.name);
        self.rustc("lib.rs", &[&name, "--crate-type=lib"])
    }

    /// Compiles a file of its directory.
    fn rustc(&self, file: &str, args: &[&str]) -> Result<(), String> {
        let mut command = compiler(&self.library);
        let command = command
            .current_dir(&self.dir)
            .args(["--cap-lints=allow", "-Cstrip=debuginfo"]);
        let output = run(command.args(args).arg(file))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        let fails = || format!("{}: {file} does not compile:\n{errors}", self.name);
        output.status.success().then_some(()).ok_or_else(fails)
    }

    /// Compiles a program that names the copy, to a file of this name.
    fn program(&self, name: &str, text: &str, args: &[&str]) -> Result<Command, String> {
        let file = format!("{name}.rs");
        fs::write(self.dir.join(&file), text).map_err(|e| format!("{}: {e}", self.name))?;
        let copy = format!("{0}=lib{0}.rlib", self.name);
        let all = ["--extern", &copy, "-o", name];
        self.rustc(&file, &[&all, args].concat())?;
        let mut program = Command::new(self.dir.join(name));
        program.current_dir(&self.dir);
        Ok(program)
    }

    /// What the check finds within each of these bounds: the message, and the events. The test that it prints is in `printed.rs`.
    fn check(&self, scopes: &[[usize; 4]]) -> Result<String, String> {
        let name = self.name;
        let mut program = self.program("check", &CHECK.replace("COPY", name), &[])?;
        let mut all = String::new();
        for scope in scopes {
            let bounds = scope.map(|bound| bound.to_string());
            let output = run(program.args(bounds))?;
            if !output.status.success() {
                let errors = String::from_utf8_lossy(&output.stderr);
                return Err(format!("{name}: the check fails:\n{errors}"));
            }
            all += &String::from_utf8_lossy(&output.stdout);
        }
        Ok(all)
    }

    /// What the printed test says when it fails.
    fn run_printed(&self) -> Result<String, String> {
        let failed = |e: std::io::Error| format!("{}: {e}", self.name);
        let printed = fs::read_to_string(self.dir.join("printed.rs")).map_err(failed)?;
        let output = run(&mut self.program("test", &printed, &["--test"])?)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        match said.contains("test result: FAILED. 0 passed; 1 failed") {
            true => Ok(said),
            false => Err(format!(
                "{}: the printed test does not fail:\n{said}",
                self.name
            )),
        }
    }
}

fn run(command: &mut Command) -> Result<Output, String> {
    command.output().map_err(|e| format!("{command:?}: {e}"))
}

/// A build of ironweave that has the checker, and a copy without a bug that was compiled with it.
fn copy_without_a_bug() -> (PathBuf, Copy) {
    let mut copy = Copy::write("no_bug", |_, text| text).expect("a copy");
    let mut errors = String::new();
    for library in libraries() {
        match copy.compile(&library) {
            Ok(()) => return (library, copy),
            Err(e) => errors += &e,
        }
    }
    panic!("no build of ironweave compiles the model: {errors}");
}

impl Bug {
    /// Plants the bug.
    fn copy(&self) -> Result<Copy, String> {
        let places = |file: &str, text: &str| match file == self.file {
            true => text.matches(self.right).count(),
            false => 0,
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let text = fs::read_to_string(path.join(self.file)).map_err(|e| e.to_string())?;
        if places(self.file, &text) != 1 {
            let Self {
                name, file, right, ..
            } = self;
            return Err(format!(
                "{name}: {file} does not have exactly once: {right}"
            ));
        }
        Copy::write(self.name, |file, text| match file == self.file {
            true => text.replacen(self.right, self.wrong, 1),
            false => text,
        })
    }

    fn is_found(&self, library: &Path) -> Result<(), String> {
        let mut copy = self.copy()?;
        copy.compile(library)?;
        let found = copy.check(&[self.scope])?;
        let mut lines = found.lines();
        let message = lines.next().unwrap_or_default();
        let names: Vec<&str> = lines
            .map(|line| line.split(' ').next().unwrap_or_default())
            .collect();
        if message != self.message || names != self.events {
            return Err(format!("{}: the check finds:\n{found}", self.name));
        }
        let said = copy.run_printed()?;
        match said.contains(self.fails) {
            true => Ok(()),
            false => Err(format!("{}: the printed test says:\n{said}", self.name)),
        }
    }
}

#[test]
fn each_planted_bug_is_found_and_its_printed_test_fails() {
    let (library, copy) = copy_without_a_bug();
    let scopes = BUGS.map(|bug| bug.scope);
    assert_eq!(copy.check(&scopes).as_deref(), Ok(""));
    assert_all(&BUGS, |bug| bug.is_found(&library));
}
