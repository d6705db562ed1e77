//! The API of a daemon: wants, partitions and runs; pages; errors; and who may ask.

use serde_json::{Value, json};

use crate::daemon::{Daemon, JOBS, SERVE};
use crate::support::{Place, Seen, wait_until};

fn names(list: &Value, field: &str) -> Vec<String> {
    let text = |item: &Value| item[field].as_str().expect("a text").to_owned();
    list.as_array().expect("a list").iter().map(text).collect()
}

#[test]
fn wants_are_built_and_seen() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let want = daemon.want(&["top/a", "quick/1"]);
    daemon.wait_for_run("slow/a");
    wait_until("quick/1 is live", || {
        daemon.get("/api/partitions/quick/1").1["state"] == "Live"
    });
    let (_, seen) = daemon.get(&format!("/api/wants/{want}"));
    assert_eq!(seen["open"], true, "{seen}");
    assert_eq!(seen["running"]["items"][0]["label"], "slow/a", "{seen}");
    assert_eq!(seen["progress"]["UpstreamBuilding"], 1, "{seen}");
    let (_, open) = daemon.get("/api/wants?state=open");
    assert_eq!(open["wants"].as_array().map(Vec::len), Some(2), "{open}");
    let (_, status) = daemon.get("/api/status");
    assert_eq!(status["running"][0]["label"], "slow/a", "{status}");
    assert_eq!(status["open"].as_array().map(Vec::len), Some(1), "{status}");

    // The same partition is built once for two wants.
    let second = daemon.want(&["top/a"]);
    place.write("leave", "");
    daemon.wait_for(&want, "Successful");
    daemon.wait_for(&second, "Successful");
    let (_, top) = daemon.get("/api/partitions/top/a");
    assert_eq!(
        (&top["state"], &top["inputs"]["items"]),
        (&json!("Live"), &json!(["slow/a"]))
    );
    let run = top["run"].as_str().expect("a run");
    let (_, run) = daemon.get(&format!("/api/runs/{run}"));
    assert_eq!(
        (&run["state"], &run["reads"]["items"]),
        (&json!("Succeeded"), &json!(["slow/a"]))
    );
    assert!(run["queued"].as_str() <= run["ended"].as_str(), "{run}");
    // The newest are first, as `databuild runs` prints them.
    let (_, runs) = daemon.get("/api/runs");
    assert_eq!(
        names(&runs["runs"], "label"),
        ["top/a", "slow/a", "quick/1", "top/a"]
    );
    let page = |query: &str| {
        let (_, page) = daemon.get(&format!("/api/runs?{query}"));
        (names(&page["runs"], "label"), page["next"].clone())
    };
    let owned =
        |labels: &[&str]| -> Vec<String> { labels.iter().map(|l| (*l).to_owned()).collect() };
    let newest = owned(&["top/a", "slow/a", "quick/1"]);
    assert_eq!(page("limit=3"), (newest.clone(), json!("1.1")));
    assert_eq!(page("limit=3&after=1.1"), (owned(&["top/a"]), json!(null)));
    assert_eq!(page("limit=3&state=Succeeded"), (newest, json!(null)));
    let (_, missed) = daemon.get("/api/runs?state=DepMiss");
    assert_eq!(missed["runs"][0]["id"], "0.1", "the oldest one");
    let third = daemon.want(&["top/a"]);
    assert_eq!(daemon.state_of(&third), "Successful");
}

#[test]
fn a_failure_is_told_and_can_be_retried() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let want = daemon.want(&["needs-bad"]);
    daemon.wait_for(&want, "UpstreamFailed");
    let (_, seen) = daemon.get(&format!("/api/wants/{want}"));
    assert_eq!(seen["failed"]["items"][0]["name"], "bad", "{seen}");
    let reason = seen["failed"]["items"][0]["reason"].as_str();
    assert!(
        reason.is_some_and(|why| why.contains("it is broken")),
        "{seen}"
    );
    assert_eq!(seen["blocked"]["items"][0]["by"]["items"], json!(["bad"]));
    let runs = || {
        daemon.get("/api/runs?limit=1000").1["runs"]
            .as_array()
            .map(Vec::len)
    };
    let before = runs();
    let again = daemon.want(&["needs-bad"]);
    assert_eq!(daemon.state_of(&again), "UpstreamFailed");
    assert_eq!(runs(), before);
    place.write("mended", "");
    let (status, retried) = daemon.post("/api/retry", &json!({ "all": true }));
    assert_eq!(
        (status, &retried["retried"]),
        (200, &json!(["bad"])),
        "{retried}"
    );
    let want = daemon.want(&["needs-bad"]);
    daemon.wait_for(&want, "Successful");
    let (status, error) = daemon.post("/api/retry", &json!({ "all": true }));
    assert_eq!(
        (status, &error["error"]),
        (409, &json!("no partition has failed"))
    );
}

#[test]
fn a_want_is_canceled_and_another_one_goes_on() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let (first, second) = (daemon.want(&["slow/a"]), daemon.want(&["slow/b"]));
    place.wait_for("there-a");
    place.wait_for("there-b");
    let (status, done) = daemon.delete(&format!("/api/wants/{first}"));
    assert_eq!((status, &done["done"]), (200, &json!("canceled: slow/a")));
    daemon.wait_for(&first, "Canceled");
    let (status, _) = daemon.delete(&format!("/api/wants/{first}"));
    assert_eq!(status, 409);
    place.write("leave", "");
    daemon.wait_for(&second, "Successful");
}

#[test]
fn lists_come_in_pages() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let all: Vec<String> = (0..7).map(|n| format!("quick/{n}")).collect();
    // A selection, as on the command line.
    let want = daemon.want(&["quick/{0..6}"]);
    daemon.wait_for(&want, "Successful");
    let mut found = Vec::new();
    let mut path = "/api/partitions?limit=3&prefix=quick/&state=Live".to_owned();
    loop {
        let (status, page) = daemon.get(&path);
        assert_eq!(status, 200, "{page}");
        let names = names(&page["partitions"], "name");
        assert!(names.len() <= 3, "{page}");
        found.extend(names);
        match page["next"].as_str() {
            Some(next) => {
                path = format!("/api/partitions?limit=3&prefix=quick/&state=Live&after={next}")
            }
            None => break,
        }
    }
    assert_eq!(found, all);
    let (_, none) = daemon.get("/api/partitions?prefix=slow/");
    assert_eq!(
        (&none["partitions"], &none["next"]),
        (&json!([]), &json!(null))
    );
}

#[test]
fn a_changed_jobs_file_and_its_mistakes_are_seen_by_the_next_want() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let (status, error) = daemon.post("/api/wants", &json!({ "refs": ["late"] }));
    assert_eq!(status, 422, "{error}");
    place.write(
        "jobs.toml",
        &format!("{JOBS}[[job]]\npartitions = \"late\"\ncommand = [\"true\"]\n"),
    );
    let want = daemon.want(&["late"]);
    daemon.wait_for(&want, "Successful");
    place.write("jobs.toml", "[[job]]\n");
    let (status, error) = daemon.post("/api/wants", &json!({ "refs": ["late"] }));
    let why = error["error"].as_str().unwrap_or_default();
    assert!(
        status == 422 && why.contains("jobs.toml, line 1"),
        "{status} {error}"
    );
}

#[test]
fn what_cannot_be_asked_is_refused_in_a_sentence() {
    let inner = "[[job]]\npartitions = \"quick/*/*\"\ncommand = [\"true\"]\n";
    let place = Place::with_jobs(&format!("{JOBS}{inner}"));
    let daemon = Daemon::start(&place);
    let post = |path: &str, body: &str| {
        let head = "Content-Type: application/json\r\n";
        daemon.exchange(&format!("POST {path}"), head, body)
    };
    let get = |path: &str| daemon.exchange(&format!("GET {path}"), "", "");
    let many = format!("{{\"refs\": [{}\"x\"]}}", "\"x\",".repeat(10_000));
    let long = format!("/api/partitions?prefix={}", "x".repeat(4096));
    for (answer, expect, words) in [
        (post("/api/wants", "{"), 400, "JSON"),
        (
            post("/api/wants", "{\"refs\": [\"quick/1\"], \"urgency\": 1}"),
            422,
            "urgency",
        ),
        (post("/api/wants", "{\"refs\": []}"), 400, "0 names"),
        (post("/api/wants", &many), 400, "10001 names"),
        (
            daemon.exchange("POST /api/wants", "Content-Length: 1048577\r\n", ""),
            413,
            "1048576 bytes",
        ),
        (
            post("/api/wants", "{\"refs\": [\"unknown\"]}"),
            422,
            "no job",
        ),
        (
            post("/api/wants", "{\"refs\": [\"../x\"]}"),
            422,
            "cannot be the name",
        ),
        (
            post("/api/wants", "{\"refs\": [\"quick/1\", \"quick/1/2\"]}"),
            422,
            "inside that of",
        ),
        (
            post("/api/wants", "{\"refs\": [\"daily/*\"]}"),
            422,
            "no known partition matches",
        ),
        (post("/api/retry", "{}"), 400, "either"),
        (
            post("/api/retry", "{\"refs\": [\"unknown\"]}"),
            409,
            "never wanted",
        ),
        (
            daemon.exchange("POST /api/wants", "", "{\"refs\": [\"quick/1\"]}"),
            415,
            "Content-Type",
        ),
        (get("/api/wants?limt=3"), 400, "limt"),
        (get("/api/wants?limit=0"), 400, "`limit` is 0"),
        (get("/api/wants?limit=1001"), 400, "`limit` is 1001"),
        (get("/api/wants?limit=-1"), 400, "limit"),
        (get("/api/wants?after=zzz"), 400, "`after`"),
        (
            get("/api/wants?state=Sleeping"),
            400,
            "`Sleeping`: the states are New",
        ),
        (get("/api/wants?prefix=x"), 400, "`prefix`"),
        (get("/api/wants/x"), 400, "`x` is no id"),
        (get("/api/wants/99.1"), 404, "no Want `99.1`"),
        (get("/api/runs/99.1"), 404, "no JobRun `99.1`"),
        (get("/api/partitions/nowhere"), 404, "never wanted"),
        (get("/api/status?x=1"), 400, "`x`"),
        (get("/api/events?want=99.1"), 404, "no Want"),
        (get("/nowhere"), 404, "no such path"),
        (
            daemon.exchange("PUT /api/wants", "", ""),
            405,
            "no such method",
        ),
        (get(&long), 414, "4096 bytes"),
    ] {
        let (status, head, body) = answer;
        assert_eq!(status, expect, "{body}");
        let error: Value = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"));
        let sentence = error["error"].as_str().unwrap_or_default();
        assert!(sentence.contains(words), "no `{words}` in {sentence}");
        assert!(
            head.contains("content-security-policy: default-src 'none'"),
            "{head}"
        );
    }
}

#[test]
fn others_are_refused() {
    let place = Place::with_jobs(JOBS);
    place.write("token", "0123456789abcdef0123\n");
    let daemon = Daemon::start(&place);
    let want = "{\"refs\": [\"quick/1\"]}";
    let json = "Content-Type: application/json\r\n";
    for (head, expect) in [
        ("Host: rebound.example\r\n".to_owned(), 421),
        (
            format!(
                "Host: {}\r\nOrigin: http://evil.example\r\n",
                daemon.address
            ),
            403,
        ),
        ("Sec-Fetch-Site: cross-site\r\n".to_owned(), 403),
    ] {
        let (status, _, body) = daemon.exchange("POST /api/wants", &(head + json), want);
        assert_eq!(status, expect, "{body}");
    }
    let own = format!("Host: {0}\r\nOrigin: http://{0}\r\n{json}", daemon.address);
    assert_eq!(daemon.exchange("POST /api/wants", &own, want).0, 201);
    drop(daemon);

    let everywhere = ["serve", "--jobs", "jobs.toml", "--listen", "0.0.0.0:0"];
    place
        .databuild(&everywhere)
        .refused(&["--token-file", "0.0.0.0:0"]);
    place.write("short", "abc");
    let short = [&everywhere[..], &["--token-file", "short"]].concat();
    place.databuild(&short).refused(&["has 3 characters"]);
    let daemon = Daemon::start_with(&place, &["--token-file", "token"]);
    assert_eq!(daemon.get("/healthz").0, 200);
    let (status, head, _) = daemon.exchange("GET /api/status", "", "");
    assert!(
        status == 401 && head.contains("www-authenticate: bearer"),
        "{head}"
    );
    let token = "Authorization: Bearer 0123456789abcdef0123\r\n";
    assert_eq!(daemon.exchange("GET /api/status", token, "").0, 200);
    // databuild reads the token from its file.
    place.run(&["quick/2"]).success();
}

#[test]
fn health_and_metrics() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let want = daemon.want(&["quick/1", "quick/2"]);
    daemon.wait_for(&want, "Successful");
    let (status, health) = daemon.get("/healthz");
    assert_eq!((status, &health["ok"]), (200, &json!(true)));
    let (status, head, text) = daemon.exchange("GET /metrics", "", "");
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    for line in [
        "databuild_partitions{state=\"Live\"} 2",
        "databuild_runs{state=\"Succeeded\"} 2",
        "databuild_wants{state=\"Successful\"} 1",
        "databuild_runs_max 4",
        "databuild_event_streams 0",
        "databuild_failures_total 0",
        // One reader, which follows what ends.
        "databuild_subscription_lag 0",
    ] {
        assert!(text.lines().any(|l| l == line), "no `{line}` in:\n{text}");
    }
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.expect("the metric").trim().parse().expect("a number")
    };
    // A want, and for each run that it is queued, that it starts, and that it succeeds.
    assert!(value("databuild_transactions_total ") >= 7.0, "{text}");
    assert!(value("databuild_log_bytes_total ") > 0.0 && value("databuild_syncs_total ") > 0.0);
    assert!(value("databuild_sync_seconds_total ") >= value("databuild_sync_seconds_max "));
    // Each metric is described before its values.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().expect("a name");
        assert!(text.contains(&format!("# TYPE {name} ")), "{line}");
        assert!(
            line.rsplit(' ')
                .next()
                .is_some_and(|n| n.parse::<f64>().is_ok()),
            "{line}"
        );
    }
}

#[test]
fn a_failure_of_which_the_cause_may_be_gone_is_tried_again_by_the_next_want() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = \"late\"\ncommand = [\"${DATABUILD_JOBS}/program\"]\n",
    );
    let daemon = Daemon::start(&place);
    let want = daemon.want(&["late"]);
    daemon.wait_for(&want, "Failed");
    // It could not be started.
    let program = place.path("program");
    std::os::unix::fs::symlink("/bin/true", program).expect("a program");
    let want = daemon.want(&["late"]);
    daemon.wait_for(&want, "Successful");
}

#[test]
fn what_the_store_does_can_be_printed() {
    let place = Place::with_jobs(JOBS);
    let mut command = place.command(&SERVE);
    let wrong = command.env("RUST_LOG", "ironweave=loud").output();
    let wrong = Seen::of(wrong.expect("databuild starts"));
    wrong.refused(&["RUST_LOG is `ironweave=loud`", "ironweave::log=debug"]);
    let daemon = Daemon::start_env(&place, &[("RUST_LOG", "ironweave::step=debug")]);
    let want = daemon.want(&["quick/1"]);
    daemon.wait_for(&want, "Successful");
    let stderr = daemon.end().stderr;
    assert!(stderr.contains("event=\"WantCreated\""), "{stderr}");
    assert!(stderr.contains("time.busy"), "{stderr}");
    assert!(!stderr.contains("ironweave::log"), "{stderr}");
}

#[test]
fn a_slash_after_the_path_of_the_explorer_leads_to_it() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let (status, head, _) = daemon.exchange("GET /explore/", "", "");
    assert_eq!(status, 308);
    assert!(head.contains("location: /explore\r\n"), "{head}");
    // Which leads to the first page.
    let (status, head, _) = daemon.exchange("GET /explore", "", "");
    assert_eq!(status, 307, "{head}");
    let (_, location) = head.split_once("location: ").expect("a location");
    let location = location.lines().next().expect("a line");
    let (status, head, _) =
        daemon.exchange(&format!("GET {location}"), "Accept: text/html\r\n", "");
    assert_eq!(status, 200, "{head}");
}
