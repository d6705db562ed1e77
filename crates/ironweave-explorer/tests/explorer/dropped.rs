//! A log whose first frames were dropped.

use ironweave::prelude::*;
use ironweave_explorer::Explorer;

use crate::model::{build::Model, build::Tagged, fill, fire};
use crate::server::Server;

/// The pages of the log end where the log begins, wherever a batch of frames that is read meets that frame.
#[test]
fn the_log_is_shown_from_its_first_frame_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Store::<Model>::options().segment_bytes_max(1_200);
    let store = options.open(dir.path()).expect("the store opens").share();
    fill(&store);
    for n in 0..40 {
        let partition = Key::from(format!("daily/2026-01-{:02}", n % 5 + 1));
        let tag = Ensure::from(format!("tag {n}"));
        fire(&store, Tagged { partition, tag });
        if n % 10 == 5 {
            store.checkpoint().expect("it is written");
        }
    }
    let plan = store
        .retention()
        .and_then(|retention| retention.drop_frames());
    let plan = plan.expect("there is a plan");
    let first = plan.until().expect("frames are dropped").get();
    plan.execute(|_, _| {}).expect("they are dropped");
    let last = store
        .seq()
        .expect("it is open")
        .expect("it has frames")
        .get();
    assert!(first > 10 && first + 5 < last, "{first} of {last}");
    drop(store);
    let server = Server::start(Explorer::open(dir.path()).expect("the store opens"));
    // The slider begins at the first frame that can be shown.
    let begins = server.get("store")["first"].as_u64().expect("a number");
    assert!(begins + 1 >= first && begins < last, "{begins} of {first}");
    server.get(&format!("places?at={begins}"));
    server.refused(&format!("places?at={}", begins - 1), 404);
    for limit in [1, 3, 500] {
        let (mut seen, mut before) = (Vec::new(), String::new());
        loop {
            let page = server.get(&format!("log?limit={limit}{before}"));
            let found = page["transactions"].as_array().expect("a list");
            seen.extend(
                found
                    .iter()
                    .map(|one| one["seq"].as_u64().expect("a number")),
            );
            match page["next"].as_u64() {
                Some(next) => before = format!("&before={next}"),
                None => break,
            }
        }
        let all: Vec<u64> = (first..=last).rev().collect();
        assert_eq!(seen, all, "{limit} on a page");
    }
    // What was dropped is refused by name where a frame is asked for, and is no transaction of a page.
    assert!(server.refused("transaction?seq=2", 404).contains("dropped"));
    let page = server.get("log?before=3");
    assert_eq!(
        (
            page["transactions"].as_array().map(Vec::len),
            page["next"].as_u64()
        ),
        (Some(0), None)
    );
}
