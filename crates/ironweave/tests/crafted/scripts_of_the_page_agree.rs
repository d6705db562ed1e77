//! `tools/read_log.py`, which is written from `docs/log-format.md` alone, agrees with ironweave: on the committed logs, on logs
//! that are written here, and on which damaged logs are refused. It needs Python with the packages cbor2 and xxhash; without
//! them these tests say so and pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;
use ironweave::{Model, Options};
use serde_json::Value;

use crate::describe::copy;
use crate::harness::random::Random;
use crate::models::{Kind, Label, first, shop};
use crate::random_changes_do_no_harm::mutate_log;
use crate::what_is_written_today_agrees::team;
use crate::{committed, forge, graphs, scratch_dir};

/// Returns the command that runs a script in `tools`, or `None` if this machine cannot run it.
pub fn script(name: &str) -> Option<Command> {
    let has_packages = |python: &&str| {
        let mut command = Command::new(python);
        command
            .args(["-c", "import cbor2, xxhash"])
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let Some(python) = ["python3", "/usr/bin/python3"]
        .into_iter()
        .find(has_packages)
    else {
        eprintln!(
            "skipped: there is no Python with the packages cbor2 and xxhash; install them with `apt-get install python3-cbor2 \
             python3-xxhash` or `pip install cbor2 xxhash`"
        );
        return None;
    };
    let mut command = Command::new(python);
    command.arg(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tools")
            .join(name),
    );
    Some(command)
}

/// What the script prints about a log: one line for each transaction, then the fingerprint, then `ok: N frames, M facts`.
fn read(dir: &Path) -> Option<Vec<String>> {
    let mut command = script("read_log.py")?;
    let output = command
        .args(["--events", "--fingerprint"])
        .arg(dir)
        .output();
    let output = output.expect("the script runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", dir.display());
    let text = String::from_utf8(output.stdout).expect("a text");
    Some(text.lines().map(str::to_owned).collect())
}

/// Asserts that the script reads from a log what ironweave reads. Returns the number of its facts.
#[track_caller]
pub fn agrees<M: Model>(dir: &Path) -> usize {
    let Some(mut lines) = read(dir) else {
        return usize::MAX;
    };
    let store = Store::<M>::open_read_only(dir).expect("the log can be read");
    let records = store.frames(0).expect("the log can be read");
    let mut records: Vec<_> = records.map(|r| r.expect("the log can be read")).collect();
    let facts: usize = records.iter().map(|record| record.facts().len()).sum();
    // The script counts the facts of a migration, and prints transactions only.
    records.retain(|record| !record.is_migration());
    let frames = store.seq().expect("it has frames").get() + 1;
    assert_eq!(
        lines.pop(),
        Some(format!("ok: {frames} frames, {facts} facts"))
    );
    let fingerprint = format!("fingerprint {:032x}", store.fingerprint());
    assert_eq!(lines.pop(), Some(fingerprint));
    assert_eq!(lines.len(), records.len());
    // Facts of version 2 name entities by slot, and its schemas may lack the encodings of values.
    let segment = fs::read(dir.join("00000000000000000000.log"));
    let is_of_version_2 = segment.is_ok_and(|segment| segment[8] == 2);
    for (line, record) in lines.iter().zip(&records) {
        let mut theirs: Value = serde_json::from_str(line).expect("it is JSON");
        // Through a text, since a value of Rust may have more digits than its text.
        let ours = serde_json::to_string(record).expect("it is JSON");
        let mut ours: Value = serde_json::from_str(&ours).expect("it is JSON");
        if is_of_version_2 {
            [&mut theirs, &mut ours].into_iter().for_each(without_types);
        }
        assert_eq!(theirs, ours);
    }
    facts
}

/// Removes from a record in JSON what a reader of version 2 does not know: the generations of entities, and values.
fn without_types(record: &mut Value) {
    let firings = record["firings"].as_array_mut().expect("an array");
    for firing in firings {
        for kind in ["event", "immediate"] {
            if let Some(event) = firing.get_mut(kind) {
                let name = event.as_object().and_then(|event| event.keys().next());
                *event = name.cloned().into();
            }
        }
        for fact in firing["facts"].as_array_mut().expect("an array") {
            for end in ["entity", "other"] {
                if let Some(entity) = fact.get_mut(end) {
                    let slot = entity.as_str().and_then(|entity| entity.split('.').next());
                    *entity = slot.unwrap_or_default().into();
                }
            }
            fact.as_object_mut().expect("an object").remove("value");
        }
    }
}

#[test]
fn the_script_reads_the_committed_logs() {
    for folder in ["", "version3"] {
        for name in graphs::NAMES {
            let dir = scratch_dir();
            let from = committed(folder).join(name);
            copy(&from, dir.path()).expect("a copy");
            if name == "constructs" {
                agrees::<shop::Model>(dir.path());
            } else {
                agrees::<first::bank::Model>(dir.path());
            }
        }
    }
    // The model of these is in another crate; the text beside each has its last frame and fingerprint.
    for name in ["databuild", "version3/databuild"] {
        let text = fs::read_to_string(committed(&format!("{name}.txt"))).expect("its text");
        let (last, fingerprint) = (text.lines())
            .find_map(|line| line.strip_prefix("last ")?.split_once(", "))
            .expect("the last frame");
        let frames = last.parse::<u64>().expect("a number") + 1;
        if let Some(lines) = read(&committed(name)) {
            let end = &lines[lines.len() - 2..];
            assert_eq!(end[0], fingerprint);
            assert!(end[1].starts_with(&format!("ok: {frames} frames, ")));
        }
    }
}

/// The logs of changed models, with archived or dropped segments, and of a restored store. Their models are not needed here.
#[test]
fn the_script_reads_the_committed_logs_of_changed_models() {
    let folder = committed("version3");
    let manifest = fs::read_to_string(folder.join("manifest.txt")).expect("the manifest");
    for line in manifest.lines() {
        let (name, known) = line.split_once(": ").expect("a name");
        let Some(mut command) = script("read_log.py") else {
            return;
        };
        let output = command.arg("--fingerprint").arg(folder.join(name)).output();
        let output = output.expect("the script runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        match name {
            "dropped" => assert!(errors.contains("the frames before"), "{errors}"),
            "archived" if errors.contains("install the package zstandard") => {}
            _ => {
                let (fingerprint, rest) = known.split_once(", frames 0 to ").expect("frames");
                let last = rest.split(',').next().expect("the last frame");
                let frames = last.parse::<u64>().expect("a number") + 1;
                let expected = format!("{fingerprint}\nok: {frames} frames, ");
                assert!(text.starts_with(&expected), "{name}: {text}{errors}");
                if name != "archived" || cfg!(feature = "archive") {
                    agrees::<Dynamic>(&folder.join(name));
                }
            }
        }
    }
}

/// A field of each encoding.
#[ironweave::model]
pub mod kinds {
    use ironweave::prelude::*;

    #[entity]
    pub struct Sample {
        #[key]
        pub at: Timestamp,
        #[key]
        pub number: u8,
        pub small: i8,
        pub unsigned: (u16, u32),
        pub wide: u128,
        pub signed: i128,
        pub long: i64,
        pub half: f32,
        pub double: f64,
        pub letter: char,
        pub unit: (),
        pub took: std::time::Duration,
        pub text: String,
        pub maybe: Option<Vec<Option<u64>>>,
        pub label: super::Label,
        #[inverse(Sample::next)]
        #[edge(on_delete = unlink)]
        pub before: Many<Sample>,
        #[edge(data = super::Label)]
        pub next: Option<Sample>,
    }
    #[states(Sample)]
    pub enum SampleState {
        #[initial]
        #[to(Seen)]
        New,
        #[to(Seen)]
        Seen {
            lasted: std::time::Duration,
            by: Option<char>,
        },
    }

    #[event]
    #[create(sample: Sample { at, number, small, unsigned, wide, signed, long, half, double, letter, unit, took, text, maybe, label })]
    pub struct Taken {
        pub at: Timestamp,
        pub number: u8,
        pub small: i8,
        pub unsigned: (u16, u32),
        pub wide: u128,
        pub signed: i128,
        pub long: i64,
        pub half: f32,
        pub double: f64,
        pub letter: char,
        pub unit: (),
        pub took: std::time::Duration,
        pub text: String,
        pub maybe: Option<Vec<Option<u64>>>,
        pub label: super::Label,
    }

    #[event]
    #[moves(each samples: New | Seen -> Seen { lasted = took, by })]
    pub struct Looked {
        pub samples: Vec<Key<Sample>>,
        pub took: std::time::Duration,
        pub by: Option<char>,
    }

    #[event]
    #[relink(sample.next += next { data = label })]
    pub struct Joined {
        pub sample: Sample,
        pub next: Option<Sample>,
        pub label: super::Label,
    }

    #[event]
    #[delete(sample)]
    pub struct Dropped {
        pub sample: Sample,
    }
}

fn any_label(random: &mut Random) -> Label {
    Label {
        text: ["", "ünïcode\n\"", "𝄞"][random.below(3)].to_owned(),
        pair: (random.next() as i8, random.next() as u16),
        kind: match random.below(3) {
            0 => Kind::Plain,
            1 => Kind::Numbered(random.next() >> random.below(64)),
            _ => Kind::Ranged {
                from: i32::MIN,
                to: random.next() as i32,
            },
        },
        marks: (0..random.below(3))
            .map(|i| (format!("m{i}"), vec![i as u32; i]))
            .collect(),
        weight: random.chance(50).then_some(1.0 / 3.0),
    }
}

fn taken(number: u8, random: &mut Random) -> kinds::Taken {
    let bits = random.below(128) as u32;
    kinds::Taken {
        at: Timestamp::from_micros(random.next() as i64 >> random.below(40)),
        number,
        small: random.next() as i8,
        unsigned: (random.next() as u16, random.next() as u32),
        wide: u128::MAX >> bits,
        signed: i128::MIN >> bits,
        long: random.next() as i64 >> random.below(64),
        half: [0.1, -0.0, f32::MAX, 1e-45, 16_777_217.0][random.below(5)],
        double: [0.1, -1e300, 5e-324, f64::from(u32::MAX)][random.below(4)],
        letter: ['a', '\0', 'ß', '\u{10ffff}'][random.below(4)],
        unit: (),
        took: Duration::new(random.next() >> 20, 7),
        text: "x".repeat(random.below(300)),
        maybe: random
            .chance(70)
            .then(|| vec![None, Some(random.next()), Some(23)]),
        label: any_label(random),
    }
}

/// Writes a log with values of each encoding, in several segments.
fn write_samples(dir: &Path) {
    use kinds::*;
    let mut random = Random(7);
    // Three openings, with several segments each.
    for opening in 0..3u8 {
        let options = Options::<Model>::default().segment_bytes_max(2_000);
        let mut store = options.open(dir).expect("the store opens");
        let mut samples: Vec<Sample> = store.place::<Sample, Any>().map(|s| s.any()).collect();
        for number in 0..12 {
            let event = taken(number + opening * 12, &mut random);
            samples.push(store.step(event).created.sample);
            let sample = samples[random.below(samples.len())];
            let next = random
                .chance(80)
                .then(|| samples[random.below(samples.len())]);
            let label = any_label(&mut random);
            store.step(Joined {
                sample,
                next,
                label,
            });
            let key = |s: &Sample| Key::new((s.at(&store), s.number(&store)));
            let keys = samples.iter().take(random.below(4)).map(key).collect();
            let meta = Meta::new()
                .with_idempotency_key(format!("look {opening}-{number}"))
                .with_actor("ann");
            let looked = Looked {
                samples: keys,
                took: Duration::from_millis(random.next() >> 30),
                by: random.chance(50).then_some('b'),
            };
            store.try_step_with(meta, looked).expect("it fires");
            if random.chance(30) {
                let sample = samples.swap_remove(random.below(samples.len()));
                store.step(Dropped { sample });
            }
        }
    }
}

#[test]
fn the_script_reads_values_of_each_encoding() {
    let dir = scratch_dir();
    write_samples(dir.path());
    let files = fs::read_dir(dir.path()).expect("a directory");
    let paths = files.map(|file| file.expect("a file").path());
    let segments = paths.filter(|path| path.extension().is_some_and(|e| e == "log"));
    assert!(segments.count() > 8);
    assert!(agrees::<kinds::Model>(dir.path()) > 500);
}

#[cfg(feature = "archive")]
#[test]
fn the_script_reads_segments_in_archives_or_says_what_it_needs() {
    let dir = scratch_dir();
    write_samples(dir.path());
    let options = Options::<kinds::Model>::default();
    let mut store = options.open(dir.path()).expect("the store opens");
    store.checkpoint().expect("it is written");
    drop(store);
    let archive = ironweave::Retention::of(dir.path()).archive(dir.path().join("archive"));
    let archived = archive.expect("a plan").execute(|_, _| {});
    assert!(archived.expect("they are archived").segments > 8);
    let Some(mut command) = script("read_log.py") else {
        return;
    };
    let output = command.arg(dir.path()).output().expect("the script runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => assert!(agrees::<kinds::Model>(dir.path()) > 500),
        false => assert!(errors.contains("install the package zstandard"), "{errors}"),
    }
}

/// The program reads from a checkpoint that was written without it the same graph, in each detail: the checkpoint that it writes
/// of that is the one that it writes of its own.
#[test]
fn a_checkpoint_without_the_model_is_that_of_the_program() {
    let dir = scratch_dir();
    write_samples(dir.path());
    let written = |dir: &Path, from: bool| {
        let options = Options::<kinds::Model>::default();
        let mut store = options.open(dir).expect("the store opens");
        assert_eq!(store.opened_from().checkpoint().is_some(), from);
        assert_eq!(store.opened_from().ignored(), []);
        assert!(store.check().is_empty());
        fs::read(store.checkpoint().expect("it is written").path()).expect("a file")
    };
    let copied = scratch_dir();
    crate::harness::copy_dir(dir.path(), copied.path());
    let without = ironweave::raw_log::checkpoint(copied.path(), None::<&Path>);
    let without = without.expect("it is written");
    let bytes = fs::read(without.path()).expect("a file");
    let of_program = written(dir.path(), false);
    assert_eq!(
        bytes[..72],
        of_program[..72],
        "the same frame and fingerprint"
    );
    assert!(written(copied.path(), true) == of_program);
    let store = Store::<kinds::Model>::open(dir.path()).expect("the store opens");
    let e = ironweave::raw_log::checkpoint(dir.path(), None::<&Path>).expect_err("it is open");
    assert!(e.to_string().contains("is open for writing"), "{e}");
    drop(store);
}

/// For each log, whether the script accepts it.
fn accepted(dirs: &[PathBuf]) -> Option<Vec<Result<String, String>>> {
    let mut results = Vec::new();
    for some in dirs.chunks(500) {
        let mut command = script("read_log.py")?;
        // A second directory, so that each line begins with the path of its log.
        let output = command
            .arg("--fingerprint")
            .args(some)
            .arg("absent")
            .output();
        let text = String::from_utf8(output.expect("the script runs").stdout).expect("a text");
        let mut lines = text.lines();
        for dir in some {
            let prefix = format!("{}: ", dir.display());
            let mut line = || {
                let line = lines.next().expect("a line about each log");
                let line = line.strip_prefix(&prefix);
                line.unwrap_or_else(|| panic!("{text}")).to_owned()
            };
            let first = line();
            results.push(match first.strip_prefix("fingerprint ") {
                Some(fingerprint) => {
                    assert!(line().starts_with("ok: "));
                    Ok(fingerprint.to_owned())
                }
                None => Err(first),
            });
        }
    }
    Some(results)
}

/// What ironweave says about a log.
fn opened<M: Model>(dir: &Path) -> Result<String, String> {
    match Store::<M>::open_read_only(dir) {
        Ok(store) => Ok(format!("{:032x}", store.fingerprint())),
        Err(e) => Err(e.to_string()),
    }
}

/// A log of two segments, the last of which was closed or not.
fn two_segments(dir: &Path, is_closed: bool) {
    use team::*;
    let options = Options::<Model>::default().segment_bytes_max(4_000);
    let mut store = options.open(dir).expect("the store opens");
    let worker = store.step(Hired {}).created.worker;
    for number in 0..3 {
        store.step(Added {
            worker,
            name: "task".to_owned(),
            number,
            value: -1,
            weight: 0.5,
            done: true,
            first: None,
        });
    }
    if !is_closed {
        // The process is killed: HEAD is that of the last roll, and the spare zeros are still there.
        let killed = dir.with_extension("killed");
        copy(dir, &killed).expect("a copy");
        drop(store);
        fs::remove_dir_all(dir).expect("the log");
        fs::rename(killed, dir).expect("the copy");
    }
}

#[test]
fn the_script_refuses_the_damaged_logs_that_ironweave_refuses() {
    if script("read_log.py").is_none() {
        return;
    }
    let scratch = scratch_dir();
    let every = std::env::var("FLIPS_EVERY").map_or(7, |n| n.parse().expect("a number"));
    let mut random = Random(11);
    let mut dirs = Vec::new();
    for is_closed in [true, false] {
        let log = scratch.path().join(format!("log-{is_closed}"));
        two_segments(&log, is_closed);
        let files = fs::read_dir(&log).expect("a directory");
        let files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
        assert!(files.len() > 3, "two segments, HEAD and LOCK");
        for file in files.iter().filter(|file| !file.ends_with("LOCK")) {
            let bytes = fs::read(file).expect("the file");
            let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 80);
            let name = file.file_name().expect("a name");
            let mut damaged = |bytes: Option<&[u8]>| {
                let dir = scratch.path().join(dirs.len().to_string());
                copy(&log, &dir).expect("a copy");
                match bytes {
                    Some(bytes) => fs::write(dir.join(name), bytes).expect("the file"),
                    None => fs::remove_file(dir.join(name)).expect("the file"),
                }
                dirs.push(dir);
            };
            damaged(None);
            for at in (0..used.min(bytes.len())).step_by(every) {
                let at = (at + random.below(every)).min(bytes.len() - 1);
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << random.below(8);
                damaged(Some(&flipped));
                if at.is_multiple_of(5) {
                    damaged(Some(&bytes[..at]));
                    // Zeros from there on, as after a power failure.
                    flipped[at..].fill(0);
                    damaged(Some(&flipped));
                }
            }
        }
    }
    let theirs = accepted(&dirs).expect("the script can run");
    let mut counts = [0; 2];
    for (dir, theirs) in dirs.iter().zip(theirs) {
        let ours = opened::<team::Model>(dir);
        counts[usize::from(ours.is_ok())] += 1;
        match (&ours, &theirs) {
            (Ok(a), Ok(b)) => assert_eq!(a, b, "{}", dir.display()),
            (Err(_), Err(_)) => {}
            _ => panic!("ironweave: {ours:?}\nscript: {theirs:?}"),
        }
    }
    assert!(counts[0] > 100 && counts[1] > 20, "{counts:?}");
}

/// Asserts about logs with right checksums and random content that both agree, except where only the program knows more:
/// the types of values that serde writes, and its own model.
fn agrees_on_changed_logs<M: Model>(name: &str) {
    if script("read_log.py").is_none() {
        return;
    }
    let scratch = scratch_dir();
    let all = forge::frames(&committed(name));
    let mut dirs = Vec::new();
    for seed in 0..200 {
        let mut frames = all.clone();
        mutate_log(&mut Random(seed + 1_000_000), &mut frames);
        let dir = scratch.path().join(seed.to_string());
        forge::write_consistent::<M>(&dir, &mut frames);
        dirs.push(dir);
    }
    let theirs = accepted(&dirs).expect("the script can run");
    let mut both = [0; 2];
    for (dir, theirs) in dirs.iter().zip(theirs) {
        match (opened::<M>(dir), theirs) {
            (Ok(a), Ok(b)) => {
                assert_eq!(a, b);
                both[0] += 1;
            }
            (Err(_), Err(_)) => both[1] += 1,
            (Err(e), Ok(_)) => {
                let known = ["was written by another model", "cannot be written to"];
                assert!(
                    known.iter().any(|k| e.contains(k)),
                    "only ironweave refuses: {e}"
                );
            }
            (Ok(_), Err(e)) => panic!("only the script refuses: {e}"),
        }
    }
    assert!(both[0] > 2 && both[1] > 50, "{both:?}");
}

#[test]
fn the_script_refuses_the_changed_logs_that_ironweave_refuses() {
    agrees_on_changed_logs::<shop::Model>("constructs");
    agrees_on_changed_logs::<shop::Model>("version3/constructs");
    agrees_on_changed_logs::<first::bank::Model>("version3/epochs");
}

/// A model with floats of 4 bytes, and the same with 8.
macro_rules! scales {
    ($model:ident, $float:ty) => {
        #[ironweave::model]
        pub mod $model {
            use ironweave::prelude::*;

            #[entity]
            pub struct Scale {
                #[key]
                pub number: u32,
                pub weight: $float,
                pub readings: Vec<$float>,
                #[edge(data = $float)]
                pub next: Option<Scale>,
                #[inverse(Scale::next)]
                pub previous: Many<Scale>,
            }

            #[event]
            #[create(scale: Scale { number, weight, readings })]
            pub struct Installed {
                pub number: u32,
                pub weight: $float,
                pub readings: Vec<$float>,
            }

            #[event]
            #[link(scale.next += next { data = factor })]
            pub struct Joined {
                pub scale: Key<Scale>,
                pub next: Key<Scale>,
                pub factor: $float,
            }
        }
    };
}

scales!(short_floats, f32);
scales!(long_floats, f64);

#[test]
fn the_script_widens_floats() {
    let dir = scratch_dir();
    let mut store = Store::<short_floats::Model>::open(dir.path()).expect("the store opens");
    let signalling = f32::from_bits(0xff80_0001);
    for (number, weight) in [(1, 0.1), (2, signalling), (3, f32::NEG_INFINITY)] {
        let readings = vec![-0.0, 2.5e-41, f32::MAX];
        store.step(short_floats::Installed {
            number,
            weight,
            readings,
        });
    }
    store.step(short_floats::Joined {
        scale: Key::new(1u32),
        next: Key::new(2u32),
        factor: 0.7,
    });
    drop(store);
    let mut store = Store::<long_floats::Model>::open(dir.path()).expect("floats may be wider");
    store.step(long_floats::Joined {
        scale: Key::new(2u32),
        next: Key::new(3u32),
        factor: 0.7,
    });
    let fingerprint = store.fingerprint();
    drop(store);
    let store = Store::<long_floats::Model>::open(dir.path()).expect("the log is read again");
    assert_eq!(store.fingerprint(), fingerprint);
    drop(store);
    if let Some(lines) = read(dir.path()) {
        let expected = format!("fingerprint {fingerprint:032x}");
        assert_eq!(lines[lines.len() - 2], expected);
    }
}
