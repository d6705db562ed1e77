//! The stream that says that the log has grown.

use crate::model::build::WantCreated;
use crate::model::fire;
use crate::server::Fixture;

#[test]
fn a_client_continues_where_it_was() {
    for fixture in [Fixture::typed(), Fixture::beside()] {
        let Fixture { store, server, .. } = &fixture;
        let (status, mut events) = server.stream(None);
        assert_eq!(status, 200);
        let last = fixture.last();
        let (id, name, data) = events.next();
        assert_eq!((&*id, &*name), (&*last.to_string(), "grown"));
        assert!(data["first"].is_null());
        fire(
            store,
            WantCreated {
                partitions: vec!["a".into()],
            },
        );
        let (id, _, data) = events.next();
        assert_eq!(id, (last + 1).to_string());
        assert_eq!(
            (data["first"].as_u64(), data["last"].as_u64()),
            (Some(last + 1), Some(last + 1))
        );
        drop(events);
        for name in ["b", "c"] {
            fire(
                store,
                WantCreated {
                    partitions: vec![name.into()],
                },
            );
        }
        // What was missed comes at once, although the log does not grow.
        let (_, mut events) = server.stream(Some(&id));
        loop {
            let (id, _, data) = events.next();
            assert_eq!(data["last"].as_u64(), id.parse().ok());
            if id == (last + 3).to_string() {
                break;
            }
        }
        // A client that has seen everything waits.
        let (_, mut events) = server.stream(Some(&(last + 3).to_string()));
        fire(
            store,
            WantCreated {
                partitions: vec!["d".into()],
            },
        );
        assert_eq!(events.next().0, (last + 4).to_string());
        // A client that was ahead, since the log was restored from a backup, learns where the log is.
        let (_, mut events) = server.stream(Some("999999"));
        let (id, _, data) = events.next();
        assert_eq!(
            (id, data["first"].is_null()),
            ((last + 4).to_string(), true)
        );
        for wrong in ["x", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(server.stream(Some(wrong)).0, 400, "{wrong}");
        }
    }
}

#[test]
fn the_number_of_streams_is_bounded_and_their_places_are_freed() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let mut open: Vec<_> = (0..256).map(|_| server.stream(None)).collect();
    assert!(open.iter().all(|(status, _)| *status == 200));
    assert_eq!(server.stream(None).0, 503);
    open.clear();
    let began = std::time::Instant::now();
    while server.stream(None).0 != 200 {
        assert!(began.elapsed().as_secs() < 60, "no place is freed");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
