//! `databuild plan` says what a build would do: random pipelines are planned, and then built. The times are those of a log that is written
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use databuild::model::build::state::Running;
use databuild::model::build::{JobFailed, JobRun, Partition};
use databuild::rules::current;
use serde_json::{Value, json};

use crate::daemon::{Daemon, JOBS};
use crate::support::{Place, wait_until};
use crate::the_time_of_a_build_is_predicted::Past;

/// Random numbers of a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % n
    }

    fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }
}

/// A pipeline in which each partition has some of the ones before it as inputs. Half of the jobs declare them, and the other half finds them
/// out. The content of each is made from the contents of its inputs and from a file of its own, which is also its digest.
struct Pipeline {
    place: Place,
    inputs: Vec<Vec<usize>>,
}

impl Pipeline {
    const SIZE: usize = 8;

    fn random(numbers: &mut Numbers) -> Self {
        let mut jobs = String::new();
        let mut all = Vec::new();
        let place = Place::new();
        for own in 0..Self::SIZE {
            let inputs: Vec<usize> = (0..own).filter(|_| numbers.chance(3)).collect();
            let names: Vec<String> = inputs.iter().map(|i| format!("p{i}")).collect();
            let declared = match numbers.chance(2) {
                true => format!("inputs = {names:?}"),
                false => String::new(),
            };
            // Those that find out their inputs name each that they read, or miss.
            let _ = write!(
                jobs,
                r#"
[[job]]
partitions = "p{own}"
{declared}
command = ["sh", "-c", '''
    echo "{{\"digest\": \"$(cat "$DATABUILD_JOBS/source-$PARTITION")\"}}"
    for i in {}; do
        if [ -d "$DATABUILD_DATA/$i" ]; then echo "{{\"input\": \"$i\"}}"; cat "$DATABUILD_DATA/$i/x" >> x; else echo "{{\"missed\": \"$i\"}}"; m=1; fi
    done
    [ -n "$m" ] && exit
    echo $PARTITION >> "$DATABUILD_JOBS/runs"
    sed 's/ #.*//' "$DATABUILD_JOBS/source-$PARTITION" >> x
''']
digest = ["sh", "-c", '''
    for p in "$@"; do echo "{{\"partition\": \"$p\", \"digest\": \"$(cat "$DATABUILD_JOBS/source-$p")\"}}"; done
''', "digest"]
"#,
                names.join(" ")
            );
            place.write(&format!("source-p{own}"), "1");
            all.push(inputs);
        }
        place.write("jobs.toml", &jobs);
        place.write("runs", "");
        Self { place, inputs: all }
    }

    fn plan(&self, args: &[&str]) -> Value {
        let all = [&["plan", "--jobs", "jobs.toml", "--json"], args].concat();
        let text = self.place.databuild(&all).success().stdout;
        serde_json::from_str(&text).unwrap()
    }

    /// What was built since the last call, in this order.
    fn built(&self) -> Vec<String> {
        let runs = self.place.read("runs");
        self.place.write("runs", "");
        runs.lines().map(str::to_owned).collect()
    }

    /// What the digests of these, and of nothing else, are made from.
    fn below(&self, changed: &BTreeSet<usize>) -> BTreeSet<String> {
        let mut found = changed.clone();
        for (own, inputs) in self.inputs.iter().enumerate() {
            if inputs.iter().any(|input| found.contains(input)) {
                found.insert(own);
            }
        }
        found.into_iter().map(|i| format!("p{i}")).collect()
    }
}

/// The names of the steps with these actions.
fn steps(plan: &Value, actions: &[&str]) -> BTreeSet<String> {
    let steps = plan["steps"].as_array().unwrap().iter();
    let meant = steps.filter(|step| actions.iter().any(|action| step["action"] == *action));
    meant
        .map(|step| step["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Each step begins when those that it needs have ended, and the critical path is one of steps that need each other.
fn assert_ordered(plan: &Value) {
    let steps = plan["steps"].as_array().unwrap();
    let by_name: BTreeMap<&str, &Value> = (steps.iter())
        .map(|step| (step["name"].as_str().unwrap(), step))
        .collect();
    let mut last = 0.0;
    for step in steps {
        let Some(from) = step["from_seconds"].as_f64() else {
            continue;
        };
        for need in step["needs"].as_array().unwrap() {
            let to = by_name[need.as_str().unwrap()]["to_seconds"].as_f64();
            assert!(to.is_none_or(|to| to <= from), "{step:#} in {plan:#}");
        }
        last = step["to_seconds"].as_f64().unwrap().max(last);
    }
    assert_eq!(plan["seconds"].as_f64(), Some(last), "{plan:#}");
    let path = plan["critical_path"].as_array().unwrap();
    for pair in path.windows(2) {
        let needs = &by_name[pair[1]["name"].as_str().unwrap()]["needs"];
        assert!(
            needs.as_array().unwrap().contains(&pair[0]["name"]),
            "{plan:#}"
        );
    }
}

fn set(names: &[String]) -> BTreeSet<String> {
    names.iter().cloned().collect()
}

#[test]
fn of_random_pipelines() {
    for seed in 0..5 {
        let mut numbers = Numbers(seed);
        let pipeline = Pipeline::random(&mut numbers);
        let place = &pipeline.place;
        let all: Vec<String> = (0..Pipeline::SIZE).map(|i| format!("p{i}")).collect();
        let mut wanted: Vec<&str> = all.iter().map(String::as_str).collect();
        wanted.retain(|_| numbers.chance(2));
        wanted.push("p7");
        let want = [&["want"], &wanted[..]].concat();
        // Before there is a store, what jobs declare is known.
        let first = pipeline.plan(&want);
        assert!(!place.path("out").exists());
        place.run(&wanted).success();
        let built = set(&pipeline.built());
        let planned = steps(&first, &["build"]);
        assert!(planned.is_subset(&built), "{seed}: {first:#} {built:?}");
        assert!(
            wanted.iter().all(|name| planned.contains(*name)),
            "{seed}: {first:#}"
        );
        place
            .run(&all.iter().map(String::as_str).collect::<Vec<_>>())
            .success();
        assert_eq!(pipeline.plan(&want)["steps"], json!([]), "{seed}");
        pipeline.built();

        // Some sources change, and with them all that is made from them.
        let changed: BTreeSet<usize> = (0..Pipeline::SIZE).filter(|_| numbers.chance(4)).collect();
        let names: Vec<String> = changed.iter().map(|i| format!("p{i}")).collect();
        let change: Vec<&str> = std::iter::once("change")
            .chain(names.iter().map(String::as_str))
            .collect();
        if !names.is_empty() {
            let plan = pipeline.plan(&change);
            assert_ordered(&plan);
            let below = pipeline.below(&changed);
            assert_eq!(steps(&plan, &["build", "check"]), below, "{seed}: {plan:#}");
            // A comment is another digest of the same content: what is made from it is only checked.
            let is_comment = numbers.chance(2);
            for name in &names {
                place.write(
                    &format!("source-{name}"),
                    if is_comment { "1 # 2" } else { "2" },
                );
            }
            let ends = plan["ends"]["items"].as_array().unwrap().iter();
            let ends: Vec<&str> = ends.map(|name| name.as_str().unwrap()).collect();
            place.run(&ends).success();
            let expected = match is_comment {
                true => steps(&plan, &["build"]),
                false => below,
            };
            assert_eq!(set(&pipeline.built()), expected, "{seed}: {plan:#}");
        }

        // The data of one is gone, and another has a new version.
        let gone = numbers.below(Pipeline::SIZE);
        std::fs::remove_dir_all(place.path(&format!("out/data/p{gone}"))).unwrap();
        let other = numbers.below(Pipeline::SIZE);
        let entry = format!("partitions = \"p{other}\"\n");
        place.edit("jobs.toml", &entry, &format!("{entry}version = \"2\"\n"));
        let plan = pipeline.plan(&want);
        assert_ordered(&plan);
        place.run(&wanted).success();
        assert_eq!(
            set(&pipeline.built()),
            steps(&plan, &["build"]),
            "{seed}: {plan:#}"
        );
    }
}

/// `databuild plan` of a store whose log is written here.
fn plan(past: &Past, args: &[&str]) -> String {
    let all = [&["plan", "--jobs", "jobs.toml"], args].concat();
    past.place.databuild(&all).success().stdout
}

#[test]
fn with_the_times_of_the_log() {
    let past = Past::of_a_report();
    let before = past.place.log();
    let text = plan(&past, &["--jobs-max", "1", "want", "report"]);
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "2 to build, 1 to check: at most 35 s, 1 job at a time",
            "critical path, 25 s: part/b 20 s -> report 5 s",
            "     0 ms      10 s build part/a: its sources or its job have changed",
            "     10 s      20 s build part/b: its sources or its job have changed",
            "     30 s       5 s check report: its input part/a is stale",
        ]
    );
    let text = plan(&past, &["--jobs-max", "2", "want", "report"]);
    assert!(
        text.starts_with("2 to build, 1 to check: at most 25 s, 2 jobs at a time\n"),
        "{text}"
    );
    // Of what has not run, the durations are those of others, and what it needs is what its job declares.
    let text = plan(&past, &["--jobs-max", "4", "want", "part/c", "other"]);
    for line in [
        "2 to build: 10 s, 4 jobs at a time\n",
        "     0 ms      10 s build part/c: never built\n",
        "assumed: no run of their job has ended yet, so these take as long as runs of other jobs: other\n",
        "assumed: not run yet, so these take as long as runs of the same job: part/c\n",
        "assumed: never built, so what they need beyond what their job declares is not known: part/c, other\n",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    let json: Value =
        serde_json::from_str(&plan(&past, &["--json", "want", "part/c", "other"])).unwrap();
    assert_eq!(json["unknown"], json!({ "items": ["other"], "count": 1 }));
    // What is live has no step, and nothing was written.
    assert_eq!(
        plan(&past, &["--jobs-max", "2", "change", "part/a"])
            .lines()
            .next(),
        Some("2 to build, 1 to check: at most 25 s, 2 jobs at a time")
    );
    assert_eq!(past.place.log(), before);
}

#[test]
fn with_what_asks_first_and_what_has_failed() {
    let mut past = Past::of_a_report();
    // A new instance of the report has read nothing, so its run asks.
    past.want("report");
    let fail = |past: &mut Past, name: &str, again: bool| {
        let run: JobRun<Running> = past.start(name, 1);
        past.store.step(JobFailed {
            run: run.any(),
            exit: 3,
            reason: "no".into(),
            digest: None,
            again,
            inputs: vec![],
        });
    };
    let partition: Partition = current("report", &past.store).unwrap();
    past.store
        .step(databuild::model::build::PartitionReplaced { partition });
    fail(&mut past, "report", true);
    let text = plan(&past, &["--jobs-max", "2", "want", "report"]);
    assert!(
        text.contains("critical path, 26 s: part/b 20 s -> report 6 s\n"),
        "{text}"
    );
    assert!(
        text.contains(
            "     21 s       5 s build report: failed before, and the cause may be gone\n"
        ),
        "{text}"
    );
    // A failure that is remembered keeps what needs it from being built.
    past.want("part/a");
    let partition: Partition = current("part/a", &past.store).unwrap();
    past.store
        .step(databuild::model::build::PartitionReplaced { partition });
    fail(&mut past, "part/a", false);
    let text = plan(&past, &["--jobs-max", "2", "want", "report"]);
    for line in [
        "1 to build, 2 not built: 21 s, 2 jobs at a time\n",
        "not   part/a: failed before: not tried until it is retried: no\n",
        "not   report: it needs part/a, which is not built\n",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    // A change of what has failed is one more reason to try it.
    let text = plan(&past, &["change", "part/a"]);
    assert!(text.contains("build part/a: it changes\n"), "{text}");
}

#[test]
fn and_names_that_no_job_makes_are_refused() {
    let past = Past::of_a_report();
    let refused = |args: &[&str], words: &[&str]| {
        past.place
            .databuild(&[&["plan"], args].concat())
            .refused(words);
    };
    let jobs = ["--jobs", "jobs.toml"];
    refused(
        &[&jobs[..], &["want", "report", "nowhere"]].concat(),
        &["no job in jobs.toml makes `nowhere`"],
    );
    refused(
        &[&jobs[..], &["want", "x", "y"]].concat(),
        &["no job in jobs.toml", "makes x, y"],
    );
    refused(
        &[&jobs[..], &["change", "nowhere"]].concat(),
        &["no job in jobs.toml makes `nowhere`"],
    );
    refused(
        &[&jobs[..], &["want", "+part/z"]].concat(),
        &["was never wanted"],
    );
    refused(
        &["want", "nowhere"],
        &["`nowhere` was never wanted", "--jobs"],
    );
    // Without a jobs file, of what is known.
    let seen = past
        .place
        .databuild(&["plan", "--jobs-max", "2", "want", "part/*"])
        .success();
    assert!(
        seen.stdout
            .starts_with("2 to build: 20 s, 2 jobs at a time\n"),
        "{seen:?}"
    );
    let seen = past
        .place
        .databuild(&["plan", "--jobs", "jobs.toml", "change", "part/z"])
        .success();
    assert_eq!(
        seen.stdout,
        "nothing is to be built\nassumed: not built, so nothing becomes stale with these: part/z\n"
    );
}

#[test]
fn over_http_beside_what_is_being_built() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let want = daemon.want(&["top/a", "needs-bad"]);
    daemon.wait_for_run("slow/a");
    wait_until("bad has failed", || {
        daemon.get("/api/partitions/bad").1["state"] == "Failed"
    });
    let ask = |question: &Value| {
        let (status, plan) = daemon.post("/api/plan", question);
        assert_eq!(status, 200, "{plan}");
        plan
    };
    let before = daemon.get("/api/status").1["seq"].clone();
    // What runs goes on, and what waits for it is built then. What has failed is not tried.
    let plan = ask(&json!({ "want": ["top/a", "needs-bad", "quick/1"] }));
    assert_eq!(
        steps(&plan, &["build"]),
        ["quick/1", "slow/a", "top/a"].map(str::to_owned).into()
    );
    assert_eq!(
        steps(&plan, &["blocked"]),
        ["bad", "needs-bad"].map(str::to_owned).into()
    );
    let named = |plan: &Value, name: &str| {
        let all = plan["steps"].as_array().unwrap().iter();
        all.clone()
            .find(|step| step["name"] == name)
            .unwrap()
            .clone()
    };
    let why = named(&plan, "slow/a")["why"].as_str().unwrap().to_owned();
    assert!(why.ends_with(" builds it now"), "{plan:#}");
    assert_eq!(named(&plan, "top/a")["state"], "UpstreamBuilding");
    assert_eq!(named(&plan, "top/a")["needs"], json!(["slow/a"]));
    assert!(
        plan["notes"].to_string().contains("a want is open already"),
        "{plan:#}"
    );
    let cut = ask(&json!({ "want": ["top/a", "quick/{1..9}"], "limit": 3 }));
    assert_eq!(
        (cut["steps"].as_array().unwrap().len(), &cut["count"]),
        (3, &json!(11))
    );
    for (question, status, words) in [
        (json!({ "want": ["nowhere"] }), 422, "makes `nowhere`"),
        (
            json!({ "change": ["nowhere", "quick/1"] }),
            422,
            "makes `nowhere`",
        ),
        (json!({ "want": ["quick/{1.."] }), 422, "not closed"),
        (
            json!({ "want": ["quick/1"], "change": ["bad"] }),
            400,
            "either in `want` or in `change`",
        ),
        (
            json!({ "want": [] }),
            400,
            "either in `want` or in `change`",
        ),
        (
            json!({ "want": ["quick/1"], "limit": 0 }),
            400,
            "`limit` is 0",
        ),
        (json!({ "want": ["quick/1"], "wants": 0 }), 422, "wants"),
    ] {
        let (answered, error) = daemon.post("/api/plan", &question);
        assert_eq!(answered, status, "{question} {error}");
        assert!(error.to_string().contains(words), "{question} {error}");
    }
    assert_eq!(daemon.get("/api/status").1["seq"], before);
    // The command line reads the same store beside the daemon.
    let seen = place
        .databuild(&[
            "plan",
            "--jobs",
            "jobs.toml",
            "--json",
            "want",
            "top/a",
            "needs-bad",
            "quick/1",
        ])
        .success();
    let beside: Value = serde_json::from_str(&seen.stdout).unwrap();
    assert_eq!(beside["counts"], plan["counts"]);
    // As soon as there are durations, a plan has them, and nothing of it is left when it is built.
    place.write("leave", "");
    daemon.wait_for(&want, "UpstreamFailed");
    let plan = ask(&json!({ "change": ["slow/a"] }));
    assert_eq!(
        steps(&plan, &["build", "check"]),
        ["slow/a", "top/a"].map(str::to_owned).into()
    );
    assert_eq!(named(&plan, "slow/a")["known_from"], "partition");
    assert!(plan["seconds"].as_f64().unwrap() > 0.0, "{plan:#}");
    assert_eq!(plan["ends"]["items"], json!(["top/a"]));
    assert_eq!(ask(&json!({ "want": ["top/a"] }))["count"], 0);
}

#[test]
fn with_pools_and_at_most_twenty_lines() {
    let jobs = "[pools]\none = 1\n[[job]]\npartitions = 'a/*'\npool = 'one'\ncommand = ['x']\n[[job]]\npartitions = 'b'\ninputs = ['a/1', 'a/2', 'a/3']\ncommand = ['x']\n";
    let place = Place::with_jobs(jobs);
    let all = ["plan", "--jobs", "jobs.toml", "want", "b", "a/{01..90}"];
    let text = place.databuild(&all).success().stdout;
    assert!(
        text.starts_with("94 to build: how long that takes is not known, "),
        "{text}"
    );
    assert!(text.lines().count() <= 20, "{text}");
    assert!(text.contains("and 84 more (shown by --full)\n"), "{text}");
    let full = place
        .databuild(&[&all[..], &["--full"]].concat())
        .success()
        .stdout;
    assert_eq!(full.matches(" build ").count(), 94);

    // Three runs of a job that has a pool of one take three times as long.
    let mut past = Past::of_a_report();
    past.place.edit(
        "jobs.toml",
        "partitions = 'part/**'",
        "partitions = 'part/**'\npool = 'one'",
    );
    let text = past.place.read("jobs.toml");
    past.place
        .write("jobs.toml", &format!("[pools]\none = 1\n{text}"));
    past.build_again("part/a", 20, &[]);
    past.make_stale(&["part/a"]);
    let text = plan(&past, &["--jobs-max", "8", "want", "report", "part/c"]);
    assert!(
        text.starts_with("3 to build, 1 to check: at most 55 s, 8 jobs at a time\n"),
        "{text}"
    );
}
