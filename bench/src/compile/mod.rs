//! `compile`: what a model costs the compiler, beside plain structs and enums of the same number.
//!
//! Crates are generated in `bench/target/compile`, with a target directory of their own, so that their dependencies are
//! built once. Then cargo is started as a user would start it, and the wall-clock time of the whole command is taken, so it
//! includes whatever else the machine does. The figure is the median. The time of cargo itself is in both columns,
//! and so not in their difference. Each line takes the requested number of samples, or as many as begin within
//! ten seconds. Figures are printed as they come, since large models take minutes. Only small models are built, for the same
//! reason; larger ones are checked.
//!
//! An edit adds a field to one event in the middle, or removes it again. "Whole" is with `CARGO_INCREMENTAL=0`;
//! everything else is as cargo does it by default, so a cold check writes what the next one reads.
//!
//! Goals: at most 10 ms of check for an entity, macro included, and linear; one edit in a model of 50 entities
//! checked again within a second beyond the plain types.

mod model;

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Row, row, sample};
use crate::{Measured, Options};
use model::Who;

/// The largest model that is generated; the sizes of other benchmarks are far larger.
const MOST: usize = 1_000;

/// The entities of the largest model that is built. A release build of 50 takes minutes.
const BUILT_MOST: usize = 10;

/// Goal: milliseconds of check for an entity.
const CHECK_GOAL: f64 = 10.0;

/// Goal: milliseconds beyond the plain types, for a check after one edit in a model of [`EDIT_SIZE`].
const EDIT_GOAL: f64 = 1_000.0;

/// See [`EDIT_GOAL`].
const EDIT_SIZE: usize = 50;

/// After this time on one line, no more samples are begun.
const LONG_ENOUGH: Duration = Duration::from_secs(10);

/// What is asked of cargo.
struct Work {
    /// In rows, as the benchmark.
    bench: &'static str,
    /// In the table.
    what: &'static str,
    /// Arguments for cargo.
    arguments: &'static [&'static str],
    /// Whether one event was edited since the last time; else nothing is left of it.
    edit: bool,
    /// Whether `CARGO_INCREMENTAL=0` is set, as CI systems do.
    whole: bool,
    /// The most entities that it is measured at.
    entities_max: usize,
}

const CHECK: &str = "compile/check";
const EDIT: &str = "compile/edit";

const WORKS: [Work; 5] = [
    Work {
        bench: CHECK,
        what: "check, cold",
        arguments: &["check"],
        edit: false,
        whole: false,
        entities_max: MOST,
    },
    Work {
        bench: EDIT,
        what: "check, one edit",
        arguments: &["check"],
        edit: true,
        whole: false,
        entities_max: MOST,
    },
    Work {
        bench: "compile/edit-whole",
        what: "the same, whole",
        arguments: &["check"],
        edit: true,
        whole: true,
        entities_max: MOST,
    },
    Work {
        bench: "compile/debug",
        what: "debug build",
        arguments: &["build"],
        edit: false,
        whole: false,
        entities_max: BUILT_MOST,
    },
    Work {
        bench: "compile/release",
        what: "release build",
        arguments: &["build", "--release"],
        edit: false,
        whole: false,
        entities_max: BUILT_MOST,
    },
];

/// The generated workspace.
struct Place {
    dir: PathBuf,
}

/// A generated crate.
struct Package<'p> {
    place: &'p Place,
    name: String,
    sources: [String; 2],
    edited: bool,
}

/// Measures all sizes.
pub fn run(options: &Options) -> Measured {
    let sizes: Vec<usize> = options
        .entities
        .iter()
        .copied()
        .filter(|n| *n <= MOST)
        .collect();
    if sizes.len() < options.entities.len() {
        println!("sizes of more than {MOST} entities are left out");
    }
    let place = Place::create(&sizes)?;
    let mut rows = Vec::new();
    for &entities in &sizes {
        let [mut ours, mut bare] =
            [Who::Ours, Who::Bare].map(|who| Package::new(&place, who, entities));
        for work in WORKS.iter().filter(|work| entities <= work.entities_max) {
            eprint!("{entities} entities: {} .. ", work.what);
            ours.prepare(work)?;
            bare.prepare(work)?;
            let (mut of_ours, mut of_bare) = (Vec::new(), Vec::new());
            let began = Instant::now();
            while of_ours.len() < options.samples
                && (of_ours.is_empty() || began.elapsed() < LONG_ENOUGH)
            {
                of_ours.push(ours.sample(work)?);
                of_bare.push(bare.sample(work)?);
            }
            for (who, samples) in [(Who::Ours, of_ours), (Who::Bare, of_bare)] {
                let row = row(work.bench, who.name(), entities, samples).in_unit("ms", 1e6);
                eprint!(" {} {:.0} ms", row.contender, row.ns_per_op / 1e6);
                rows.push(row);
            }
            eprintln!();
        }
    }
    Ok(rows)
}

impl Place {
    /// Writes the manifests; sources come with the packages.
    fn create(sizes: &[usize]) -> io::Result<Self> {
        let bench = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let dir = bench.join("target/compile");
        let mut members = Vec::new();
        for who in [Who::Ours, Who::Bare] {
            for &entities in sizes {
                let name = package_name(who, entities);
                let dependency = match who {
                    Who::Ours => format!("ironweave = {{ path = {:?} }}", runtime(&bench)),
                    Who::Bare => "serde = { version = \"1\", features = [\"derive\"] }".to_owned(),
                };
                fs::create_dir_all(dir.join(&name).join("src"))?;
                fs::write(dir.join(&name).join("src/lib.rs"), "")?;
                fs::write(
                    dir.join(&name).join("Cargo.toml"),
                    format!(
                        "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}\n"
                    ),
                )?;
                members.push(name);
            }
        }
        fs::write(
            dir.join("Cargo.toml"),
            format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n"),
        )?;
        // The same versions of the dependencies as here.
        fs::copy(bench.join("Cargo.lock"), dir.join("Cargo.lock"))?;
        Ok(Self { dir })
    }

    fn target(&self) -> PathBuf {
        self.dir.join("target")
    }
}

/// The crate `ironweave`.
fn runtime(bench: &Path) -> PathBuf {
    bench.join("../crates/ironweave")
}

fn package_name(who: Who, entities: usize) -> String {
    format!("{}_{entities}", who.name()).replace("ironweave", "model")
}

impl<'p> Package<'p> {
    fn new(place: &'p Place, who: Who, entities: usize) -> Self {
        Self {
            place,
            name: package_name(who, entities),
            sources: [false, true].map(|edited| who.source(entities, edited)),
            edited: false,
        }
    }

    /// Builds what the package depends on; before an edit, also what is then edited.
    fn prepare(&self, work: &Work) -> Result<(), Box<dyn Error>> {
        let source = if work.edit {
            &self.sources[usize::from(self.edited)]
        } else {
            ""
        };
        self.write(source)?;
        self.cargo(work)
    }

    /// The nanoseconds of what cargo does.
    fn sample(&mut self, work: &Work) -> Result<f64, Box<dyn Error>> {
        if work.edit {
            self.edited = !self.edited;
        } else {
            self.forget()?;
        }
        // Written in any case: by the time of the file, cargo knows that there is something to do.
        self.write(&self.sources[usize::from(self.edited)])?;
        let mut result = Ok(());
        let took = sample(1, || result = self.cargo(work));
        result.map(|()| took)
    }

    fn write(&self, source: &str) -> io::Result<()> {
        fs::write(self.place.dir.join(&self.name).join("src/lib.rs"), source)
    }

    fn cargo(&self, work: &Work) -> Result<(), Box<dyn Error>> {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(work.arguments)
            .args(["--quiet", "--package", &self.name])
            .current_dir(&self.place.dir)
            .env("CARGO_TARGET_DIR", self.place.target());
        if work.whole {
            command.env("CARGO_INCREMENTAL", "0");
        }
        if command.status()?.success() {
            Ok(())
        } else {
            Err(format!("cargo {:?} of `{}` failed", work.arguments, self.name).into())
        }
    }

    /// Removes what the compiler remembers of the package from one time to the next.
    fn forget(&self) -> io::Result<()> {
        for profile in ["debug", "release"] {
            let dir = self.place.target().join(profile).join("incremental");
            if !dir.exists() {
                continue;
            }
            for entry in fs::read_dir(dir)? {
                let entry = entry?;
                let name = entry.file_name();
                let of = name.to_str().and_then(|name| name.split_once('-'));
                if of.is_some_and(|(of, _)| of == self.name) {
                    fs::remove_dir_all(entry.path())?;
                }
            }
        }
        Ok(())
    }
}

/// Rows for people: ours beside the plain types, and how the goals are met.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:>8}  {:<16}{:>10}{:>10}{:>12}{:>15}{:>18}\n",
        "entities",
        "what",
        "ours, ms",
        "bare, ms",
        "difference",
        "ms per entity",
        "least - greatest"
    );
    let ours = || rows.iter().filter(|row| row.contender == Who::Ours.name());
    let find = |who: Who, bench, entities| {
        rows.iter()
            .find(|row| (row.contender, row.bench, row.entities) == (who.name(), bench, entities))
            .map(|row| row.ns_per_op / 1e6)
    };
    for row in ours() {
        let what = WORKS.iter().find(|work| work.bench == row.bench);
        let ms = row.ns_per_op / 1e6;
        let bare = find(Who::Bare, row.bench, row.entities).unwrap_or_default();
        let _ = writeln!(
            text,
            "{:>8}  {:<16}{:>10.0}{:>10.0}{:>12.0}{:>15.1}{:>18}",
            row.entities,
            what.map_or("", |work| work.what),
            ms,
            bare,
            ms - bare,
            ms / row.entities as f64,
            format!("{:.0} - {:.0}", row.least / 1e6, row.greatest / 1e6),
        );
    }
    let mut checks: Vec<(usize, f64)> = ours()
        .filter(|row| row.bench == CHECK)
        .map(|row| (row.entities, row.ns_per_op / 1e6))
        .collect();
    checks.sort_by_key(|(entities, _)| *entities);
    for pair in checks.windows(2) {
        let [(less, few), (more, many)] = [pair[0], pair[1]];
        if more > less {
            let each = (many - few) / (more - less) as f64;
            let _ = writeln!(
                text,
                "check, cold: {each:.1} ms for each entity from {less} to {more} (goal: {CHECK_GOAL:.0})"
            );
        }
    }
    let edits = [Who::Ours, Who::Bare].map(|who| find(who, EDIT, EDIT_SIZE));
    if let [Some(ours), Some(bare)] = edits {
        let _ = writeln!(
            text,
            "check, one edit: {:.0} ms beyond the plain types at {EDIT_SIZE} entities (goal: {EDIT_GOAL:.0})",
            ours - bare
        );
    }
    text
}
