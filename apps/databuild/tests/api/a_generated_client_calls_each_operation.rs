//! A client that is generated from `openapi.json` calls each operation, and gets each error, as types.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use databuild::serve::routes::OPENAPI;
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::daemon::{Daemon, JOBS};
use crate::support::{Place, signal};
use generated::types::{self, NewWant, Retry};
use generated::{ByteStream, Client, Error, ResponseValue};

#[allow(missing_docs, clippy::all, clippy::pedantic)]
mod generated {
    progenitor::generate_api!(spec = "openapi.json", interface = Builder);
}

/// The operations that were answered, with the statuses of the answers.
#[derive(Default)]
struct Called(BTreeMap<&'static str, BTreeSet<u16>>);

impl Called {
    /// The answer of an operation, which must be a success.
    #[track_caller]
    fn ok<T>(
        &mut self,
        operation: &'static str,
        answer: Result<ResponseValue<T>, Error<types::Error>>,
    ) -> T {
        match answer {
            Ok(answer) => {
                self.saw(operation, answer.status().as_u16());
                answer.into_inner()
            }
            Err(e) => panic!("{operation}: {e:?}"),
        }
    }

    /// Asserts that an operation is refused with a status that is described, and with a sentence that has these words.
    #[track_caller]
    fn refused<T>(
        &mut self,
        operation: &'static str,
        answer: Result<ResponseValue<T>, Error<types::Error>>,
        status: u16,
        words: &str,
    ) {
        match answer.err() {
            Some(Error::ErrorResponse(answer)) => {
                assert_eq!(answer.status().as_u16(), status, "{operation}: {answer:?}");
                self.saw(operation, status);
                assert!(
                    answer.error.contains(words),
                    "no `{words}` in {}",
                    answer.error
                );
            }
            other => panic!("{operation}: {other:?}"),
        }
    }

    fn saw(&mut self, operation: &'static str, status: u16) {
        self.0.entry(operation).or_default().insert(status);
    }
}

/// A client that sends these headers with each request.
fn client_with(daemon: &Daemon, headers: &[(&'static str, &str)]) -> Client {
    let headers = headers.iter().map(|(name, value)| {
        (
            name.parse().expect("a name"),
            value.parse().expect("a value"),
        )
    });
    let client = reqwest::Client::builder()
        .no_proxy()
        .default_headers(headers.collect());
    let client = client.build().expect("a client");
    Client::new_with_client(&format!("http://{}", daemon.address), client)
}

/// Asks until an answer is as expected.
async fn until<T: Debug>(
    what: &str,
    ask: impl AsyncFn() -> T,
    is_expected: impl Fn(&T) -> bool,
) -> T {
    let mut last = None;
    for _ in 0..6000 {
        let answer = ask().await;
        if is_expected(&answer) {
            return answer;
        }
        last = Some(answer);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("timeout: {what}: {last:?}")
}

async fn text(stream: ByteStream) -> String {
    let chunks = stream.into_inner().map(|chunk| chunk.expect("a chunk"));
    let bytes: Vec<u8> = chunks.collect::<Vec<_>>().await.concat();
    String::from_utf8(bytes).expect("text")
}

/// The first events of a stream.
async fn events(stream: ByteStream, count: usize) -> Vec<types::Event> {
    let mut chunks = stream.into_inner();
    let (mut text, mut events) = (String::new(), Vec::new());
    while events.len() < count {
        let chunk = chunks
            .next()
            .await
            .expect("there are more")
            .expect("a chunk");
        text += std::str::from_utf8(&chunk).expect("text");
        while let Some((event, rest)) = text.split_once("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data:"));
            events.extend(data.map(|data| serde_json::from_str(data).expect("an event")));
            text = rest.to_owned();
        }
    }
    events
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

fn new_want(refs: &[&str]) -> types::builder::NewWant {
    let refs = refs.iter().map(|name| (*name).to_owned());
    NewWant::builder().refs(refs.collect::<Vec<_>>())
}

/// The operations of the description that were not called.
fn not_called(called: &Called) -> Vec<String> {
    let document: Value = serde_json::from_str(&OPENAPI).expect("it is JSON");
    let paths = document["paths"].as_object().expect("paths").values();
    let ids = paths.flat_map(|methods| methods.as_object().expect("methods").values());
    let ids = ids.map(|operation| operation["operationId"].as_str().expect("an id").to_owned());
    ids.filter(|id| !called.0.contains_key(&**id)).collect()
}

#[test]
fn each_operation_answers_as_described() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let client = client_with(&daemon, &[]);
    let mut called = Called::default();
    run(async {
        assert!(called.ok("health", client.health().send().await).ok);
        let document = called.ok("openapi", client.openapi().send().await);
        let expected: Value = serde_json::from_str(&OPENAPI).expect("it is JSON");
        assert_eq!(Value::Object(document), expected);
        let metrics = called.ok("metrics", client.metrics().send().await);
        assert!(text(metrics).await.contains("databuild_runs_max 4"));

        let want = new_want(&["top/a", "needs-bad"])
            .priority(7)
            .comment("for a test");
        let want = called.ok("want", client.want().body(want).send().await);
        assert_eq!(
            (want.priority, &*want.comment, want.open),
            (7, "for a test", true)
        );
        assert_eq!(want.partitions.items, ["top/a", "needs-bad"]);
        let id = &*want.id;
        let partition = |name: &'static str| client.one_partition().ref_(name).send();
        let bad = until(
            "bad has failed",
            async || partition("bad").await,
            |bad| {
                bad.as_ref()
                    .is_ok_and(|bad| bad.state.as_deref() == Some("Failed"))
            },
        );
        let bad = called.ok("onePartition", bad.await);
        assert!(bad.reason.is_some_and(|why| why.contains("it is broken")));
        let run = bad.run.expect("it ran");
        let slow = async || client.runs().state("Running").send().await;
        let runs = until("slow/a runs", slow, |runs| {
            runs.as_ref()
                .is_ok_and(|runs| runs.runs.iter().any(|run| run.label == "slow/a"))
        });
        called.ok("runs", runs.await);
        let status = called.ok("status", client.status().send().await);
        assert_eq!(
            (status.daemon.jobs_max, status.partitions["Failed"]),
            (4, 1)
        );
        assert_eq!(status.running[0].label, "slow/a");
        let open = called.ok("wants", client.wants().state("open").send().await);
        assert!(open.wants.iter().any(|want| want.id == id), "{open:?}");
        place.write("leave", "");
        let want = async || client.one_want().id(id).send().await;
        let want = until("the want ended", want, |want| {
            want.as_ref().is_ok_and(|want| !want.open)
        });
        let want = called.ok("oneWant", want.await);
        assert_eq!(
            (&*want.state, &*want.failed.items[0].name),
            ("UpstreamFailed", "bad")
        );
        assert_eq!(want.progress["Live"], 2);

        let runs = called.ok(
            "runs",
            client.runs().state("Succeeded").limit(1).send().await,
        );
        let ended = called.ok(
            "oneRun",
            client.one_run().id(&*runs.runs[0].id).send().await,
        );
        assert!(
            ended.queued <= ended.ended && ended.ended.is_some(),
            "{ended:?}"
        );
        let list = client.partitions().prefix("bad").send().await;
        assert_eq!(called.ok("partitions", list).partitions.len(), 1);
        let logs = client
            .logs()
            .id(&*run)
            .stream(types::LogsStream::Stderr)
            .send()
            .await;
        assert_eq!(called.ok("logs", logs).text, "it is broken\n");
        let timeline = called.ok("timeline", client.timeline().id(id).send().await);
        assert_eq!(timeline.critical, ["slow/a", "top/a"]);
        let up = client
            .lineage()
            .ref_("top/a")
            .direction(types::LineageDirection::Up)
            .send();
        let lineage = called.ok("lineage", up.await);
        assert_eq!((lineage.nodes.len(), lineage.edges[0]), (2, [1, 0]));
        let why = called.ok("why", client.why().ref_("needs-bad").send().await);
        assert_eq!(why.chain.len(), 2, "{why:?}");
        let history = called.ok(
            "history",
            client.history().ref_("bad").limit(2).send().await,
        );
        assert_eq!(
            (history.entries.len(), &*history.entries[0].text),
            (2, "failed")
        );
        let grid = client
            .grid()
            .pattern("{kind}/{name}")
            .column("kind")
            .send()
            .await;
        assert_eq!(called.ok("grid", grid).sections[0].columns, ["slow", "top"]);
        let time = called.ok("time", client.time().points(10).send().await);
        let last = time.last.expect("there are steps").seq;
        let then = client.status().at(last.to_string()).send().await;
        assert_eq!(called.ok("status", then).at.seq, Some(last));
        let diff = client.diff().from("1").to(last.to_string()).send().await;
        assert_eq!(called.ok("diff", diff).partitions.count, 4);

        let stream = called.ok("events", client.events().last_event_id("0").send().await);
        let events = events(stream, 5).await;
        let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, [1, 2, 3, 4, 5]);
        let question = types::PlanQuestion::builder().change(vec!["slow/a".to_owned()]);
        let plan = called.ok("plan", client.plan().body(question).send().await);
        let again = plan.steps.iter().map(|step| &*step.name);
        assert_eq!(again.collect::<Vec<_>>(), ["slow/a", "top/a"]);
        let report = types::Report::Why {
            name: "bad".to_owned(),
        };
        let report = called.ok("report", client.report().body(report).send().await);
        assert!(report.text.starts_with("bad is Failed\n"), "{report:?}");
        let retry = client.retry().body(Retry::builder().all(true)).send().await;
        assert_eq!(called.ok("retry", retry).retried, ["bad"]);
        let wrong = types::Wrong::builder()
            .refs(vec!["slow/a".to_owned()])
            .reason("a test");
        let tainted = called.ok("taint", client.taint().body(wrong).send().await);
        assert!(tainted.done.contains("slow/a"), "{}", tainted.done);
        std::fs::remove_file(place.path("leave")).expect("it is there");
        let want = called.ok(
            "want",
            client.want().body(new_want(&["slow/b"])).send().await,
        );
        let done = called.ok("cancel", client.cancel().id(want.id).send().await);
        assert_eq!(done.done, "canceled: slow/b");
    });
    assert_eq!(not_called(&called), [""; 0]);
}

/// A request that is too large is in `it/a_daemon_answers_over_http`, because this client writes the whole body before it reads.
#[test]
fn each_error_is_as_described() {
    let place = Place::with_jobs(JOBS);
    place.write("token", "0123456789abcdef0123\n");
    let daemon = Daemon::start(&place);
    let client = client_with(&daemon, &[]);
    let mut called = Called::default();
    run(async {
        let want = called.ok("want", client.want().body(new_want(&["bad"])).send().await);
        let ended = async || client.one_want().id(&*want.id).send().await;
        let ended = until("the want ended", ended, |want| {
            want.as_ref().is_ok_and(|want| !want.open)
        });
        called.ok("oneWant", ended.await);
        let wants = client.wants().after("zzz").send().await;
        called.refused("wants", wants, 400, "`after`");
        let wants = client.wants().state("Sleeping").send().await;
        called.refused("wants", wants, 400, "the states are New");
        let want_again = client.want().body(new_want(&[])).send().await;
        called.refused("want", want_again, 400, "0 names");
        let unknown = client.want().body(new_want(&["unknown"])).send().await;
        called.refused("want", unknown, 422, "no job");
        let canceled = client.cancel().id(&*want.id).send().await;
        called.refused("cancel", canceled, 409, "no want is open");
        let canceled = client.cancel().id("99.1").send().await;
        called.refused("cancel", canceled, 404, "no Want");
        let retried = client.retry().body(Retry::builder()).send().await;
        called.refused("retry", retried, 400, "either");
        let retried = client
            .retry()
            .body(Retry::builder().refs(vec!["x".to_owned()]))
            .send()
            .await;
        called.refused("retry", retried, 409, "never wanted");
        called.refused(
            "oneWant",
            client.one_want().id("x").send().await,
            400,
            "no id",
        );
        called.refused(
            "oneRun",
            client.one_run().id("99.1").send().await,
            404,
            "no JobRun",
        );
        called.refused(
            "logs",
            client.logs().id("99.1").send().await,
            404,
            "no JobRun",
        );
        called.refused(
            "timeline",
            client.timeline().id("99.1").send().await,
            404,
            "no Want",
        );
        for at in ["99999", "2999-01-01T00:00:00Z"] {
            let refused = client.status().at(at).send().await;
            called.refused("status", refused, 404, "the log has the steps");
        }
        let refused = client.diff().from("yesterday").send().await;
        called.refused("diff", refused, 400, "no point in the past");
        let name = "no/where";
        let refused = client.one_partition().ref_(name).send().await;
        called.refused("onePartition", refused, 404, "`no/where`");
        let refused = client.lineage().ref_(name).send().await;
        called.refused("lineage", refused, 404, "`no/where`");
        let refused = client.why().ref_(name).send().await;
        called.refused("why", refused, 404, "`no/where`");
        let refused = client.history().ref_(name).send().await;
        called.refused("history", refused, 404, "`no/where`");
        let report = types::Report::Why {
            name: name.to_owned(),
        };
        let refused = client.report().body(report).send().await;
        called.refused("report", refused, 422, "no/where");
        let grid = client.grid().pattern("{").send().await;
        called.refused("grid", grid, 400, "not closed");
        let events = client.events().last_event_id("99999").send().await;
        called.refused("events", events, 404, "99999");
        let long = client.partitions().prefix("x".repeat(4096)).send().await;
        called.refused("partitions", long, 414, "4096 bytes");

        let other = client_with(&daemon, &[("origin", "http://evil.example")]);
        let refused = other.want().body(new_want(&["bad"])).send().await;
        called.refused("want", refused, 403, "another origin");
        let rebound = client_with(&daemon, &[("host", "rebound.example")]);
        called.refused("runs", rebound.runs().send().await, 421, "rebound.example");

        called.ok(
            "want",
            client.want().body(new_want(&["slow/a"])).send().await,
        );
        place.wait_for("there-a");
        signal(daemon.pid(), "-TERM");
        let health = async || client.health().send().await;
        let health = until("it is ending", health, Result::is_err);
        called.refused("health", health.await, 503, "ending");
        let refused = client.want().body(new_want(&["quick/1"])).send().await;
        called.refused("want", refused, 503, "ending");
        place.write("leave", "");
    });
    daemon.wait();
    let daemon = Daemon::start_with(&place, &["--token-file", "token"]);
    run(async {
        let client = client_with(&daemon, &[]);
        called.ok("health", client.health().send().await);
        called.refused(
            "time",
            client.time().send().await,
            401,
            "a token is required",
        );
        let bearer = "Bearer 0123456789abcdef0123";
        let client = client_with(&daemon, &[("authorization", bearer)]);
        called.ok("time", client.time().send().await);
    });
    let statuses: BTreeSet<u16> = called.0.into_values().flatten().collect();
    assert_eq!(
        statuses.into_iter().collect::<Vec<_>>(),
        [200, 201, 400, 401, 403, 404, 409, 414, 421, 422, 503]
    );
}
