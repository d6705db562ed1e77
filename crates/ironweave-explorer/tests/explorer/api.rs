//! The answers of the API, of a program and of a directory that another process writes, and what it refuses.

use std::collections::BTreeSet;

use ironweave::prelude::*;
use serde_json::{Value, json};

use crate::model::build::{Noted, Tagged, WantCreated};
use crate::model::{DAYS, fire};
use crate::server::{Fixture, Server};

/// The answers are the same whether the types of the model are linked in or not.
#[test]
fn answers_are_those_of_the_schema_alone() {
    let typed = Fixture::typed();
    let beside = Server::start(ironweave_explorer::Explorer::open(typed.dir.path()).unwrap());
    let last = typed.last();
    for path in [
        "places",
        "places?at=3",
        "entities?type=Partition",
        "entities?type=Partition&state=Failed",
        "entities?type=Partition&key=daily/2026-01-03",
        "entity?type=JobRun&id=0.1",
        "links?type=Want&id=0.1&edge=partitions&skip=3&limit=4",
        "history?type=Partition&id=0.1",
        "log",
        "log?event=JobFailed",
        "transaction?seq=4",
        "diff?from=2",
        "diff?from=9&to=2",
        "net",
        "net?kind=edges",
        "net?kind=lifecycle&type=Partition",
        "marking?at=5",
    ] {
        let (ours, theirs) = (typed.server.get(path), beside.get(path));
        assert_eq!(ours, theirs, "{path}");
        let at = if ours["at"].is_null() {
            &ours["to"]
        } else {
            &ours["at"]
        };
        assert!(
            at["seq"].as_u64().is_some_and(|seq| seq <= last),
            "{path}: {at}"
        );
    }
}

#[test]
fn places_have_the_numbers_of_entities_and_links() {
    let fixture = Fixture::typed();
    let Fixture { store, server, .. } = &fixture;
    let places = server.get("places");
    let of = |name: &str| {
        let types = places["types"].as_array().unwrap();
        types.iter().find(|of| of["name"] == name).unwrap().clone()
    };
    let states = |of: Value| -> Vec<(String, u64)> {
        let states = of["states"].as_array().unwrap().iter();
        states
            .map(|state| {
                (
                    state["name"].as_str().unwrap().into(),
                    state["count"].as_u64().unwrap(),
                )
            })
            .collect()
    };
    let expected = [("Missing", 4), ("Building", 4), ("Live", 2), ("Failed", 2)];
    let expected: Vec<_> = expected
        .map(|(name, count)| (name.to_owned(), count))
        .into();
    assert_eq!(states(of("Partition")), expected);
    assert_eq!(of("Partition")["count"], 12);
    // Links are counted once and then followed.
    let links = |at: &str| -> Vec<u64> {
        let places = server.get(&format!("places{at}"));
        let edges = places["edges"].as_array().unwrap();
        edges
            .iter()
            .map(|edge| edge["count"].as_u64().unwrap())
            .collect()
    };
    let counted = || -> Vec<u64> {
        let tokens = store.read(|db| db.by_name().tokens()).unwrap();
        tokens[tokens.len() - 4..].to_vec()
    };
    assert_eq!(links(""), counted());
    fire(
        store,
        Tagged {
            partition: "daily/2026-01-02".into(),
            tag: "green".into(),
        },
    );
    assert_eq!(links(""), counted());
    // Partition.tags, JobRun.builds, JobRun.services, Want.partitions
    assert_eq!(links("?at=2"), [0, 0, 0, 14]);
    assert_eq!(links("?at=0"), [0, 0, 0, 0]);
    assert_eq!(links(""), counted());
}

#[test]
fn pages_have_each_entity_once() {
    let fixture = Fixture::typed();
    let Fixture { store, server, .. } = &fixture;
    for (state, expected) in [("", DAYS as usize), ("&state=Missing", 4)] {
        let mut found = BTreeSet::new();
        let mut after = String::new();
        loop {
            let page = server.get(&format!("entities?type=Partition{state}&limit=3{after}"));
            let items = page["items"].as_array().unwrap();
            assert!((1..=3).contains(&items.len()));
            for item in items {
                assert!(found.insert(item["label"].as_str().unwrap().to_owned()));
            }
            let Some(next) = page["next"].as_str() else {
                break;
            };
            after = format!("&after={next}");
        }
        assert_eq!(found.len(), expected);
    }
    // A page begins after an entity that is not there any more, and there are groups without an entity.
    let many = (0..9_000)
        .map(|n| format!("x/{n}").as_str().into())
        .collect();
    fire(store, WantCreated { partitions: many });
    let last = server.get("entities?type=Partition&after=9010.1");
    assert_eq!(last["items"][0]["label"], "x/8999");
    assert_eq!(last["next"], Value::Null);
    assert_eq!(
        server.get("entities?type=Partition&state=Live&after=1.1")["items"],
        json!([])
    );
    assert_eq!(
        server.get("entities?type=Partition&after=4294967295.1")["items"],
        json!([])
    );
}

#[test]
fn an_entity_has_its_fields_and_both_ends_of_each_edge() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let found = server.get("entities?type=Partition&key=daily/2026-01-01");
    let item = &found["items"][0];
    assert_eq!(
        (&item["state"], &item["label"]),
        (&json!("Live"), &json!("daily/2026-01-01"))
    );
    let id = item["id"].as_str().unwrap();
    let entity = server.get(&format!("entity?type=Partition&id={id}"));
    let fields = entity["fields"].as_array().unwrap();
    let field = |name: &str| {
        let found = fields.iter().find(|field| field["name"] == name).unwrap();
        found["value"]["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(field("name"), "daily/2026-01-01");
    assert_eq!(field("note"), "checked by hand");
    assert_eq!(field("size"), "4096");
    assert_eq!(entity["data"][0]["name"], "at");
    let edge = |name: &str| {
        let edges = entity["edges"].as_array().unwrap();
        edges
            .iter()
            .find(|edge| edge["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(edge("tags")["links"][0]["entity"]["label"], "red");
    assert_eq!(edge("built_by")["other"], "JobRun.builds");
    assert_eq!(edge("built_by")["links"][0]["entity"]["state"], "Succeeded");
    assert_eq!(
        (&edge("wanted_by")["count"], &edge("wanted_by")["many"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(edge("built_by")["many"], false);
}

#[test]
fn links_come_in_pages() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let mut found = Vec::new();
    let mut skip = 0;
    loop {
        let page = server.get(&format!(
            "links?type=Want&id=0.1&edge=partitions&limit=5&skip={skip}"
        ));
        assert_eq!(page["count"], 12);
        let links = page["links"].as_array().unwrap();
        found.extend(links.iter().map(|link| link["entity"]["label"].to_string()));
        match page["next"].as_u64() {
            Some(next) => skip = next,
            None => break,
        }
    }
    assert_eq!(found.len(), 12);
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 12);
    let huge = server.get(&format!(
        "links?type=Want&id=0.1&edge=partitions&skip={}",
        u64::MAX
    ));
    assert_eq!((&huge["links"], &huge["next"]), (&json!([]), &Value::Null));
}

#[test]
fn a_history_tells_the_events_and_what_enabled_them() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let history = server.get("history?type=Partition&id=2.1");
    let steps = history["transactions"].as_array().unwrap();
    let events: Vec<&str> = steps
        .iter()
        .map(|step| step["causes"][0]["firing"]["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["JobFailed", "JobQueued", "WantCreated"]);
    assert_eq!(steps[0]["causes"][0]["firing"]["facts"][0]["to"], "Failed");
    assert_eq!(steps[0]["actor"], "ann");
    // An immediate event.
    let want = server.get("history?type=Want&id=1.1");
    let cause = &want["transactions"][0]["causes"][0];
    assert_eq!(cause["firing"]["event"], "WantSatisfied");
    assert_eq!(cause["enabled_by"]["event"], "JobSucceeded");
    // In pages.
    let first = server.get("history?type=Partition&id=2.1&limit=1");
    assert_eq!(first["transactions"].as_array().unwrap().len(), 1);
    let next = first["next"].as_u64().unwrap();
    let rest = server.get(&format!("history?type=Partition&id=2.1&before={next}"));
    assert_eq!(rest["transactions"].as_array().unwrap().len(), 2);
    // In the past.
    let then = server.get(&format!("history?type=Partition&id=2.1&at={}", next - 1));
    assert_eq!(then["transactions"].as_array().unwrap().len(), 2);
    // A deleted entity has a history with its name.
    let blue = server.get("history?type=Tag&id=1.1");
    assert_eq!(
        (&blue["exists"], &blue["entity"]["label"]),
        (&json!(false), &json!("blue"))
    );
    assert_eq!(
        blue["transactions"][0]["causes"][0]["firing"]["event"],
        "TagDeleted"
    );
}

#[test]
fn the_log_has_pages_and_filters() {
    let fixture = Fixture::typed();
    let Fixture { store, server, .. } = &fixture;
    let all = |filter: &str| -> Vec<u64> {
        let mut found = Vec::new();
        let mut before = String::new();
        loop {
            let page = server.get(&format!("log?limit=2{filter}{before}"));
            let transactions = page["transactions"].as_array().unwrap();
            found.extend(transactions.iter().map(|one| one["seq"].as_u64().unwrap()));
            match page["next"].as_u64() {
                Some(next) => before = format!("&before={next}"),
                None => return found,
            }
        }
    };
    let last = fixture.last();
    // Frame 0 has the schema.
    assert_eq!(all(""), (1..=last).rev().collect::<Vec<_>>());
    assert_eq!(all("&event=JobQueued"), [9, 6, 3]);
    assert_eq!(all("&event=WantSatisfied"), [5]);
    assert_eq!(all("&type=Tag"), [last, last - 2, last - 3]);
    assert_eq!(all("&actor=bob"), [0; 0]);
    assert_eq!(all("&event=JobQueued&actor=ann&at=8"), [6, 3]);
    // A question reads a bounded number of frames, and the next one goes on.
    for size in 0..5_000 {
        let noted = Noted {
            partition: "daily/2026-01-05".into(),
            note: None,
            size,
        };
        drop(store.submit(noted));
    }
    store.sync().unwrap();
    let page = server.get("log?event=JobFailed");
    assert_eq!(page["transactions"], json!([]));
    assert!(page["next"].as_u64().unwrap() > 0);
    assert_eq!(all("&event=JobFailed"), [8]);
}

#[test]
fn a_transaction_has_its_facts_and_its_causes() {
    let fixture = Fixture::typed();
    let Fixture { store, server, .. } = &fixture;
    let cause = store.seq().unwrap().unwrap();
    let meta = Meta::new().with_causation(cause);
    let noted = || Noted {
        partition: "daily/2026-01-02".into(),
        note: None,
        size: 7,
    };
    let second = store.try_step_with(meta, noted()).unwrap().seq;
    let third = store
        .try_step_with(Meta::new().with_causation(second), noted())
        .unwrap()
        .seq;
    let found = server.get(&format!("transaction?seq={third}"));
    let causes = found["causes"].as_array().unwrap();
    let seqs: Vec<u64> = causes
        .iter()
        .map(|one| one["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [second.get(), cause.get()]);
    assert_eq!(causes[1]["firings"][0]["event"], "TagDeleted");
    assert_eq!(
        found["firings"][0]["fields"][0]["value"]["text"],
        "daily/2026-01-02"
    );
}

#[test]
fn the_difference_of_two_points_has_the_places_and_the_facts() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let diff = server.get("diff?from=2&to=5");
    let places = diff["places"].as_array().unwrap();
    let change = |place: &str| {
        let found = places.iter().find(|change| change["place"] == place);
        found.map(|change| {
            (
                change["before"].as_u64().unwrap(),
                change["after"].as_u64().unwrap(),
            )
        })
    };
    assert_eq!(change("Missing"), Some((12, 10)));
    assert_eq!(change("Live"), Some((0, 2)));
    assert_eq!(change("builds"), Some((0, 2)));
    assert_eq!(change("Failed"), None);
    assert_eq!(
        diff["count"].as_u64().unwrap() as usize,
        diff["facts"].as_array().unwrap().len()
    );
    // Back again, in pages.
    let first = server.get("diff?from=5&to=2&limit=2");
    assert_eq!(first["facts"].as_array().unwrap().len(), 2);
    let rest = server.get("diff?from=5&to=2&skip=2");
    let count = first["count"].as_u64().unwrap() as usize;
    assert_eq!(rest["facts"].as_array().unwrap().len(), count - 2);
    // Nothing differs from itself.
    let last = fixture.last();
    assert_eq!(server.get(&format!("diff?from={last}"))["count"], 0);
}

#[test]
fn the_net_has_a_picture_with_the_places_of_the_marking() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let net = server.get("net");
    let (places, tokens) = (
        net["places"].as_array().unwrap(),
        net["tokens"].as_array().unwrap(),
    );
    assert_eq!(places.len(), tokens.len());
    let at = |name: &str| {
        places
            .iter()
            .position(|place| place["name"] == name)
            .unwrap()
    };
    assert_eq!(tokens[at("Live")], 2);
    let svg = net["svg"].as_str().unwrap();
    assert!(svg.contains(&format!("data-places=\"{}\"", at("Live"))));
    // The policy of the page permits no style in it.
    assert!(!svg.contains("<style") && !svg.contains("style="));
    assert_eq!(server.get("marking")["tokens"], net["tokens"]);
    assert_eq!(server.get("marking?at=2")["tokens"][at("Missing")], 12);
}

#[test]
fn the_past_is_that_of_a_frame_or_of_a_time() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let second = server.get("transaction?seq=2");
    let time = second["time"].as_str().unwrap();
    let then = server.get(&format!("places?at={time}"));
    assert_eq!(then["at"]["seq"].as_u64(), Some(2));
    assert_eq!(then["at"]["live"], false);
    assert_eq!(server.get("places?at=now")["at"]["live"], true);
    assert_eq!(server.get("places?at=")["at"]["live"], true);
    let last = fixture.last();
    let sentence = server.refused(&format!("places?at={}", last + 1), 404);
    assert_eq!(
        sentence,
        format!(
            "the log has no frame {}; its last frame is {last}",
            last + 1
        )
    );
    assert!(
        server
            .refused("places?at=2999-01-01", 404)
            .contains("is in the future")
    );
    assert!(
        server
            .refused("places?at=yesterday", 400)
            .contains("neither a sequence number")
    );
    assert!(
        server
            .refused("places?at=2026-01-01T10:00:00", 400)
            .contains("no time zone")
    );
    assert!(
        server
            .refused("diff?from=99999", 404)
            .contains("no frame 99999")
    );
    // Before the first transaction there is nothing.
    let before = server.get("entities?type=Partition&at=1970-01-02");
    assert_eq!(before["count"], 0);
}

#[test]
fn what_cannot_be_answered_is_refused_with_a_sentence() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    for (path, status, expected) in [
        ("nothing", 404, "no such path"),
        ("entities?type=Partiton", 404, "did you mean `Partition`?"),
        (
            "entities?type=Partition&state=live",
            404,
            "did you mean `Live`?",
        ),
        ("entities?state=Live", 400, "type"),
        (
            "entities?type=Partition&sort=name",
            400,
            "unknown field `sort`",
        ),
        (
            "entities?type=Partition&limit=0",
            400,
            "a page has 1 to 500 items",
        ),
        (
            "entities?type=Partition&limit=501",
            400,
            "a page has 1 to 500 items",
        ),
        ("entities?type=Partition&limit=-1", 400, "limit"),
        ("entities?type=Partition&after=x", 400, "`x` is not an id"),
        ("entities?type=JobRun&key=import", 400, "JobRun has no key"),
        (
            "entity?type=Partition&id=77.1",
            404,
            "there is no Partition/77.1 now",
        ),
        (
            "entity?type=Partition&id=0.1&at=0",
            404,
            "there is no Partition/0.1 after frame 0",
        ),
        (
            "links?type=Partition&id=0.1&edge=tag",
            404,
            "did you mean `tags`?",
        ),
        (
            "history?type=Partition&id=0.7",
            404,
            "the log has no Partition/0.7",
        ),
        (
            "history?type=Partition&id=0.1&at=0",
            404,
            "the log has no Partition/0.1 up to frame 0",
        ),
        ("log?event=JobFail", 404, "did you mean `JobFailed`?"),
        ("log?type=tag", 404, "did you mean `Tag`?"),
        ("log?limit=9999999999999999999999", 400, "limit"),
        ("transaction?seq=0", 404, "it has the schema"),
        (
            "transaction?seq=18446744073709551615",
            404,
            "has no frame 18446744073709551615",
        ),
        ("transaction", 400, "seq"),
        ("net?kind=tree", 400, "there is no picture `tree`"),
        ("net?kind=lifecycle", 400, "name it with `type`"),
        (
            "net?kind=lifecycle&type=Nothing",
            404,
            "no entity type `Nothing`",
        ),
        ("store?at=3", 400, "unknown field `at`"),
    ] {
        let sentence = server.refused(path, status);
        assert!(sentence.contains(expected), "{path}: {sentence}");
    }
    let (status, answer) = server.ask(&format!("entities?type={}", "x".repeat(9_000)));
    assert_eq!((status, answer["status"].as_u64()), (414, Some(414)));
    // A key that is no text of its type, and text that is not that of a query.
    let strange = server.get("entities?type=Partition&key=%F0%9F%A6%80%00");
    assert_eq!(strange["items"], json!([]));
    server.refused("entities?type=%FF%FE", 404);
}

#[test]
fn long_values_are_cut() {
    let fixture = Fixture::typed();
    let Fixture { store, server, .. } = &fixture;
    let long = "ab".repeat(50_000);
    fire(
        store,
        Noted {
            partition: "daily/2026-01-04".into(),
            note: Some(long),
            size: 0,
        },
    );
    let id = server.get("entities?type=Partition&key=daily/2026-01-04")["items"][0]["id"].clone();
    let entity = server.get(&format!(
        "entity?type=Partition&id={}",
        id.as_str().unwrap()
    ));
    let note = &entity["fields"][1]["value"];
    let shown = note["text"].as_str().unwrap().chars().count() as u64;
    assert_eq!(shown, 4_000);
    assert_eq!(note["more"].as_u64().unwrap() + shown, 100_000);
    let list = server
        .get("entities?type=Partition&key=daily/2026-01-04")
        .to_string();
    assert!(list.len() < 2_000, "{}", list.len());
}

#[test]
fn answers_follow_a_writer() {
    for fixture in [Fixture::typed(), Fixture::beside()] {
        let Fixture { store, server, .. } = &fixture;
        let (_, mut events) = server.stream(None);
        events.next();
        fire(
            store,
            WantCreated {
                partitions: vec!["new".into()],
            },
        );
        let last = fixture.last();
        while events.next().0 != last.to_string() {}
        let found = server.get("entities?type=Partition&key=new");
        assert_eq!(found["items"][0]["state"], "Missing");
        assert_eq!(found["at"]["seq"].as_u64(), Some(last));
    }
}

/// Questions while a writer writes: each answer is of one point, whose numbers fit.
#[test]
fn answers_are_consistent_while_a_writer_writes() {
    for fixture in [Fixture::typed(), Fixture::beside()] {
        let Fixture { store, server, .. } = &fixture;
        std::thread::scope(|s| {
            let writer = s.spawn(move || {
                for day in 0..300 {
                    fire(
                        store,
                        WantCreated {
                            partitions: vec![format!("d/{day}").as_str().into()],
                        },
                    );
                }
            });
            let mut last = 0;
            while !writer.is_finished() {
                let places = server.get("places");
                let count = |name: &str| {
                    let types = places["types"].as_array().unwrap();
                    let of = types.iter().find(|of| of["name"] == name).unwrap();
                    of["count"].as_u64().unwrap()
                };
                assert_eq!(count("Partition") - u64::from(DAYS), count("Want") - 2);
                let links = places["edges"][3]["count"].as_u64().unwrap();
                assert_eq!(links - 14, count("Want") - 2);
                let seq = places["at"]["seq"].as_u64().unwrap();
                assert!(seq >= last);
                last = seq;
                let then = server.get(&format!("places?at={seq}"));
                assert_eq!(then["types"], places["types"]);
                assert_eq!(then["edges"], places["edges"]);
            }
        });
    }
}

#[test]
fn entities_are_filtered_by_the_value_of_a_field_or_of_data_of_a_state() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let all = server.get("entities?type=Partition&limit=500");
    let items = all["items"].as_array().unwrap();
    let names = all["filters"].as_array().unwrap();
    assert!(names.contains(&json!("name")), "{names:?}");
    let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
    // The answer of a filter is that of a search in all that is shown.
    for name in names {
        let name = name.as_str().unwrap();
        let has = |item: &Value, value: Option<&str>| {
            let values = ["fields", "data"].map(|part| item[part].as_array().unwrap().clone());
            values.concat().iter().any(|one| {
                let text = one["value"]["text"].as_str().unwrap();
                one["name"] == name && value.is_none_or(|value| value == text)
            })
        };
        let texts: BTreeSet<String> = items
            .iter()
            .flat_map(|item| {
                ["fields", "data"]
                    .map(|part| item[part].as_array().unwrap().clone())
                    .concat()
            })
            .filter(|one| one["name"] == name)
            .map(|one| one["value"]["text"].as_str().unwrap().to_owned())
            .collect();
        for value in texts.iter().map(|text| Some(&**text)).chain([None]) {
            let expected: Vec<String> = items
                .iter()
                .filter(|item| has(item, value))
                .map(id)
                .collect();
            assert!(!expected.is_empty());
            let encoded = |text: &str| -> String {
                text.bytes().map(|byte| format!("%{byte:02x}")).collect()
            };
            let asked = value.map_or(String::new(), |value| format!("&value={}", encoded(value)));
            let (mut found, mut after) = (Vec::new(), String::new());
            loop {
                let page = server.get(&format!(
                    "entities?type=Partition&limit=2&field={name}{asked}{after}"
                ));
                found.extend(page["items"].as_array().unwrap().iter().map(id));
                match page["next"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => break,
                }
            }
            assert_eq!(found, expected, "{name} {value:?}");
        }
    }
    let none = server.get("entities?type=Partition&field=name&value=nothing");
    assert_eq!(none["items"], json!([]));
    let one = "entities?type=Partition&key=daily/2026-01-03&field=name&value=";
    assert_eq!(
        server.get(&format!("{one}daily/2026-01-03"))["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(server.get(&format!("{one}x"))["items"], json!([]));
    assert!(
        server
            .refused("entities?type=Partition&field=nam", 404)
            .contains("did you mean `name`")
    );
    server.refused("entities?type=Partition&value=x", 400);
}
