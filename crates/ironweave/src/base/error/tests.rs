//! Tests of errors: the kind and the message of each variant, and the error of a program in rejections by its code.

use ironweave_schema::{ColumnDef, EntityDef, Schema, Usage};
use std::error::Error as _;
use std::fmt;

use super::*;
use crate::base::position::{FrameRef, Position};
use crate::base::time::Timestamp;

fn name(text: &str) -> Name {
    text.into()
}

fn entity(key: Option<&str>) -> EntityRef {
    EntityRef {
        entity: name("Ward"),
        id: "3.1".parse().expect("an id"),
        key: key.map(name),
    }
}

fn icu() -> EntityRef {
    entity(Some("\"icu\""))
}

fn chain() -> Chain {
    Chain::new(vec![name("Admitted")])
}

fn io() -> StorageError {
    StorageError::new(StorageFailure::Io, "cannot write it")
        .with_source(std::io::Error::other("full"))
}

/// Each variant of [`StepError`], with its kind and its message.
fn steps() -> Vec<(StepError, ErrorKind, &'static str)> {
    use ErrorKind::{Conflict, Forbidden, Indeterminate, Internal, Invalid, NotFound, Unavailable};
    let event = || name("Admitted");
    vec![
        (
            StepError::StaleHandle {
                event: event(),
                entity: entity(None),
                chain: chain(),
            },
            NotFound,
            "Admitted: Ward/3.1 does not exist; it was deleted, or its handle is of another store",
        ),
        (
            StepError::UnknownKey {
                event: event(),
                entity: name("Ward"),
                key: "\"er\"".into(),
                chain: chain(),
            },
            NotFound,
            "Admitted: there is no Ward \"er\"; create it first, or use another key",
        ),
        (
            StepError::NotInPlace {
                event: event(),
                entity: icu(),
                expected: name("Open"),
                found: name("Closed"),
                chain: chain(),
            },
            Conflict,
            "Admitted: Ward \"icu\" is Closed, not Open",
        ),
        (
            StepError::When {
                event: event(),
                condition: name("any ward.beds: Free"),
                chain: chain(),
            },
            Forbidden,
            "Admitted: `when(any ward.beds: Free)` does not hold",
        ),
        (
            StepError::NothingToChoose {
                event: event(),
                name: name("bed"),
                candidates: name("choose(bed: ward.beds in Free)"),
                found: 0,
                wanted: 1,
                chain: chain(),
            },
            Forbidden,
            "Admitted: there is nothing to choose as `bed`: `choose(bed: ward.beds in Free)` finds no entity",
        ),
        (
            StepError::NothingToChoose {
                event: event(),
                name: name("beds"),
                candidates: name("choose(beds: 3 of ward.beds in Free)"),
                found: 2,
                wanted: 3,
                chain: chain(),
            },
            Forbidden,
            "Admitted: there is too little to choose as `beds`: `choose(beds: 3 of ward.beds in Free)` finds 2 of 3 entities",
        ),
        (
            StepError::Overflow {
                event: event(),
                calculation: name("meta.time + hold"),
                chain: chain(),
            },
            Forbidden,
            "Admitted: `meta.time + hold` overflows",
        ),
        (
            StepError::Guard {
                event: event(),
                guard: name("rules::has_room"),
                reason: String::from("no free bed").into(),
                chain: chain(),
            },
            Forbidden,
            "Admitted: guard has_room: no free bed",
        ),
        (
            StepError::Rejected {
                event: event(),
                reason: String::from("no free bed").into(),
                chain: chain(),
            },
            Forbidden,
            "Admitted: no free bed",
        ),
        (
            StepError::TwoArcs {
                event: event(),
                entity: icu(),
                chain: chain(),
            },
            Invalid,
            "Admitted: two arcs move or delete Ward \"icu\", or set the same field of it; an event does each of these \
             once to an entity",
        ),
        (
            StepError::Repeated {
                event: event(),
                name: name("wards"),
                entity: icu(),
                chain: chain(),
            },
            Invalid,
            "Admitted: Ward \"icu\" occurs twice in `wards`; list it once",
        ),
        (
            StepError::Duplicate {
                entity: icu(),
                key: "\"icu\"".into(),
                chain: chain(),
            },
            Conflict,
            "Admitted: Ward \"icu\" exists already; choose another key",
        ),
        (
            StepError::Cardinality {
                entity: icu(),
                edge: name("Ward.beds"),
                found: 1,
                allowed: "2 to 4 are allowed".into(),
                chain: chain(),
            },
            Forbidden,
            "Admitted: Ward \"icu\" would have 1 link at Ward.beds, and 2 to 4 are allowed",
        ),
        (
            StepError::AlreadyLinked {
                edge: name("Ward.beds"),
                from: icu(),
                to: entity(None),
                chain: chain(),
            },
            Conflict,
            "Admitted: Ward \"icu\" and Ward/3.1 are already linked by Ward.beds; use `relink` if that is allowed",
        ),
        (
            StepError::NotLinked {
                edge: name("Ward.beds"),
                from: icu(),
                to: entity(None),
                chain: chain(),
            },
            Conflict,
            "Admitted: Ward \"icu\" and Ward/3.1 are not linked by Ward.beds",
        ),
        (
            StepError::Restricted {
                entity: icu(),
                edge: name("Ward.beds"),
                by: entity(None),
                chain: chain(),
            },
            Conflict,
            "Admitted: Ward \"icu\" cannot be deleted: at Ward.beds it is linked with Ward/3.1, and the `on_delete` of \
             Ward.beds is `restrict`; unlink it first",
        ),
        (
            StepError::Cycle {
                edge: name("Ward.under"),
                entities: vec![icu(), entity(None)],
                len: 2,
                chain: chain(),
            },
            Forbidden,
            "Admitted: Ward.under is acyclic, and its links would form a cycle: Ward \"icu\" -> Ward/3.1 -> Ward \"icu\"",
        ),
        (
            StepError::Invariant {
                invariant: name("is_staffed"),
                entity: icu(),
                reason: String::from("no nurse").into(),
                chain: chain(),
            },
            Forbidden,
            "Admitted → invariant is_staffed of Ward \"icu\" does not hold: no nurse",
        ),
        (
            StepError::Loop {
                entity: icu(),
                cycle: vec![],
                limit: LoopLimit::Firings(9),
                chain: chain(),
            },
            Internal,
            "Admitted: on Ward \"icu\" it has fired 9 times in this step, which is the limit; let their conditions \
             exclude each other, or raise `Options::firings_max`",
        ),
        (
            StepError::Full {
                what: name("Ward"),
                chain: chain(),
            },
            Unavailable,
            "Admitted: there is no room for more of Ward",
        ),
        (
            StepError::Unwritable {
                what: name("Ward.name"),
                reason: "it is too deep".into(),
                chain: chain(),
            },
            Invalid,
            "Admitted: the value of Ward.name cannot be written: it is too deep",
        ),
        (
            StepError::TimeGoesBack {
                last: Timestamp::from_secs(60),
                asked: Timestamp::from_secs(30),
            },
            Invalid,
            "the time 1970-01-01T00:00:30Z is before 1970-01-01T00:01:00Z, the time of the last transaction; give a \
             later time, or none",
        ),
        (
            StepError::Changed {
                event: event(),
                entity: icu(),
                expected: Seq::new(3),
                found: Seq::new(5),
                chain: chain(),
            },
            Conflict,
            "Admitted: Ward \"icu\" was changed by transaction 5, and nothing after transaction 3 was expected to \
             change it; read it again",
        ),
        (
            StepError::KeyExpired { key: "k".into() },
            Invalid,
            "the idempotency key `k` belongs to a transaction that was committed longer ago than keys are kept, so its \
             result is not known; read the current state, and choose another key for a new request",
        ),
        (
            StepError::KeyReused {
                key: "k".into(),
                seq: Seq::new(4),
            },
            Invalid,
            "the idempotency key `k` belongs to transaction 4, which had other events; repeat exactly those, or choose \
             another key",
        ),
        (
            StepError::RejectedBefore {
                seq: Seq::new(4),
                reason: "no free bed".into(),
            },
            Forbidden,
            "rejected as in transaction 4, which has the same idempotency key: no free bed",
        ),
        (
            StepError::ReceiptLost {
                seq: Seq::new(4),
                event: event(),
                name: name("bed"),
            },
            Conflict,
            "the request was committed in frame 4, by a version of the model in which the event Admitted had no `bed`; \
             its changes are in the graph, but its receipt cannot be restored",
        ),
        (
            StepError::StaleSavepoint,
            Invalid,
            "the savepoint is not one of this transaction, or a rollback to an earlier savepoint has removed it; the \
             transaction is unchanged and can continue",
        ),
        (
            ReadError::Unlogged.into(),
            Invalid,
            "this store has no log, so it has no past and cannot be subscribed to; use `Store::memory` or `Store::open`",
        ),
        (
            StepError::ReadOnly,
            Unavailable,
            "the store is open for reading only; open it with `Store::open` to take steps",
        ),
        (StepError::Storage(io()), Unavailable, "cannot write it"),
        (
            StepError::Indeterminate(io()),
            Indeterminate,
            "cannot write it; open the store again to find out whether the last transaction was kept",
        ),
    ]
}

/// Each variant of [`ReadError`], with its kind and its message.
fn reads() -> Vec<(ReadError, ErrorKind, &'static str)> {
    use ErrorKind::{Conflict, Invalid, NotFound, Unavailable};
    let position = |store, seq| {
        let mut bytes = [0; Position::BYTES];
        bytes[0] = store;
        bytes[16] = seq;
        Position::from_bytes(bytes)
    };
    let ahead = || ReadError::Ahead {
        asked: FrameRef::Seq(Seq::new(9)),
        last: Some(Seq::new(4)),
    };
    vec![
        (
            ahead(),
            NotFound,
            "frame 9 is past the end of this log, whose last frame is 4: the log was restored from an older backup, or \
             the frame is of another log; rebuild all data derived from frames that this log does not have, or call \
             `refresh` if the store is open for reading only",
        ),
        (
            ReadError::NotYet {
                time: Timestamp::from_secs(90),
                last: Timestamp::from_secs(30),
                now: Timestamp::from_secs(60),
            },
            NotFound,
            "1970-01-01T00:01:30Z is in the future: the last transaction of this store was at 1970-01-01T00:00:30Z, and \
             its clock is at 1970-01-01T00:01:00Z; take a snapshot to read the current graph",
        ),
        (
            ReadError::OtherHistory {
                asked: position(1, 4),
                found: position(2, 4),
            },
            Conflict,
            "the position 4-0000000000000000-0-0000000000000001 is of another history: it is of the store \
             0000000000000001, and this is the store 0000000000000002; open that store, or rebuild all data derived from \
             it from this one",
        ),
        (
            ReadError::OtherStore { this: 1, other: 2 },
            Conflict,
            "the snapshots are of two stores, 0000000000000001 and 0000000000000002, whose entities are unrelated; take \
             both from one store, or one of them from a store that began at a snapshot of the other",
        ),
        (
            ReadError::NotOfTheLog,
            Conflict,
            "the snapshot has no position in the log of this store, since it was created by `with` or is of a store \
             without a log; take one from the store",
        ),
        (
            ReadError::BeforeBeginning {
                seq: Seq::new(2),
                beginning: Seq::new(5),
            },
            NotFound,
            "frame 2 is before the beginning of this store, which is a snapshot after frame 5; read the frame from the \
             store that the snapshot was taken from",
        ),
        (
            ReadError::BeforeBeginningAt {
                time: Timestamp::from_secs(1),
                beginning: Timestamp::from_secs(2),
            },
            NotFound,
            "1970-01-01T00:00:01Z is before the beginning of this store, which is a snapshot of 1970-01-01T00:00:02Z; \
             read that time from the store that the snapshot was taken from",
        ),
        (
            ReadError::InvalidRange {
                from: Seq::new(5),
                until: Seq::new(2),
            },
            Invalid,
            "the range begins with frame 5 and ends before frame 2; swap its bounds",
        ),
        (
            ReadError::UnknownEdge {
                entity: name("Ward"),
                edge: name("bed"),
            },
            NotFound,
            "`Ward` has no edge `bed`",
        ),
        (
            ReadError::InvalidName { name: name("A/B") },
            Invalid,
            "`A/B` is not a valid name of a subscription; use 1 to 100 of the letters a-z, digits, `-` and `_`",
        ),
        (
            ReadError::Name(NameError::NoKey {
                entity: name("Line"),
            }),
            Invalid,
            "`Line` has no key; name its entities by handles, as in `Line/3.1`",
        ),
        (
            ReadError::OtherSchema,
            Invalid,
            "the snapshots are of two epochs of the log, whose schemas have different entities, fields or edges; take both \
             from the same epoch",
        ),
        (
            ReadError::Unnamed,
            Invalid,
            "the subscription has no name, so it cannot be acknowledged; create it with `Store::subscribe_as`",
        ),
        (
            ReadError::ReadOnly,
            Unavailable,
            "a named subscription writes its position to the store, which is open for reading only; use \
             `subscribe_since` with a position that you keep",
        ),
        (
            ReadError::Unlogged,
            Invalid,
            "this store has no log, so it has no past and cannot be subscribed to; use `Store::memory` or `Store::open`",
        ),
        (
            ReadError::Cursor {
                name: name("mailer"),
                path: Some("cursors/mailer".into()),
                source: Box::new(ReadError::BeforeBeginning {
                    seq: Seq::new(2),
                    beginning: Seq::new(5),
                }),
            },
            NotFound,
            "the subscription `mailer` in cursors/mailer, which restarts at the first frame if that file is removed: \
             frame 2 is before the beginning of this store, which is a snapshot after frame 5; read the frame from the \
             store that the snapshot was taken from",
        ),
        (ReadError::Storage(io()), Unavailable, "cannot write it"),
    ]
}

#[test]
fn each_error_of_a_step_has_its_kind_and_its_message() {
    for (e, kind, message) in steps() {
        assert_eq!((e.kind(), e.to_string().as_str()), (kind, message), "{e:?}");
        let of_storage = matches!(
            e,
            StepError::Storage(_) | StepError::Indeterminate(_) | StepError::ReadOnly
        );
        assert_eq!(e.is_rejection(), !of_storage, "{e}");
        assert_eq!(
            e.is_retryable(),
            matches!(e, StepError::Changed { .. }),
            "{e}"
        );
        assert_eq!(
            e.is_stopped(),
            matches!(e, StepError::Indeterminate(_)),
            "{e}"
        );
    }
}

#[test]
fn each_error_of_a_read_has_its_kind_and_its_message() {
    for (e, kind, message) in reads() {
        assert_eq!((e.kind(), e.to_string().as_str()), (kind, message), "{e:?}");
        let text = format!("{e:?}");
        // `seq` returns the frame of each error that has one.
        assert_eq!(
            e.seq().is_some(),
            text.contains("seq") || text.contains("asked") || text.contains("from:"),
            "{text}"
        );
        let step = StepError::from(e);
        assert_eq!((step.kind(), step.to_string().as_str()), (kind, message));
    }
}

#[test]
fn a_failure_of_storage_has_its_kind_and_its_variant_of_open_error() {
    use ErrorKind::{Conflict, Internal, Invalid, NotFound, Unavailable};
    for (failure, kind, outcome) in [
        (StorageFailure::Io, Unavailable, "Storage"),
        (StorageFailure::NotFound, NotFound, "NotFound"),
        (StorageFailure::Locked, Unavailable, "Locked"),
        (StorageFailure::Damage, Internal, "Damage"),
        (StorageFailure::Torn, Internal, "Torn"),
        (StorageFailure::Stopped, Unavailable, "Storage"),
        (StorageFailure::Version, Internal, "Version"),
        (StorageFailure::TooLarge, Invalid, "Storage"),
        (StorageFailure::Replaced, Conflict, "Storage"),
        (StorageFailure::ReadOnly, Unavailable, "Storage"),
        (StorageFailure::Internal, Internal, "Storage"),
    ] {
        let e = StorageError::at(failure, Seq::new(7), "it failed");
        assert_eq!((e.kind(), e.seq()), (kind, Some(Seq::new(7))));
        let e = OpenError::from(e);
        assert_eq!(
            (e.kind(), e.seq(), e.to_string().as_str()),
            (kind, Some(Seq::new(7)), "it failed")
        );
        assert!(format!("{e:?}").starts_with(outcome), "{e:?}");
    }
    // The types of the facts of a log: a bed, and then a bed that needs a number.
    let schema = |columns| Schema {
        entities: vec![EntityDef {
            name: "Bed".into(),
            ..EntityDef::default()
        }],
        columns,
        ..Schema::default()
    };
    let number = ColumnDef {
        name: "number".into(),
        ty: "u32".into(),
        ..ColumnDef::default()
    };
    let changes = schema(Vec::new()).compatibility(&schema(vec![number]));
    let usage = Usage {
        count: 3,
        first: Some("Bed \"4A\"".into()),
    };
    let e = OpenError::Schema {
        model: name("clinic"),
        seq: Seq::ZERO,
        location: None,
        is_newer: false,
        differences: (changes.refused(|_| usage.clone()).iter())
            .map(RefusedDifference::of)
            .collect(),
    };
    assert_eq!(
        (e.kind(), e.seq(), e.storage().is_none()),
        (Internal, Some(Seq::ZERO), true)
    );
    assert_eq!(
        e.to_string(),
        "the schema in frame 0 is of another model, or of another version of `clinic`. Changes from the log to the \
         program that are not taken:\n\
         - entity `Bed` now needs `number: u32`: 3 entities exist, first `Bed \"4A\"`; give `#[default(..)]` or a migration\n\
         Nothing was written. The program that wrote the log can open it as before"
    );
}

#[test]
fn the_source_of_a_failure_of_storage_is_the_io_error_and_is_not_part_of_the_message() {
    let errors: [Box<dyn std::error::Error>; 3] = [
        Box::new(StepError::Storage(io())),
        Box::new(ReadError::Storage(io())),
        Box::new(OpenError::from(io())),
    ];
    for e in errors {
        assert_eq!(e.to_string(), "cannot write it");
        assert_eq!(e.source().map(ToString::to_string).as_deref(), Some("full"));
    }
}

#[test]
fn each_kind_has_one_status_and_those_below_500_are_client_errors() {
    for (kind, status) in [
        (ErrorKind::Invalid, 400),
        (ErrorKind::Forbidden, 403),
        (ErrorKind::NotFound, 404),
        (ErrorKind::Conflict, 409),
        (ErrorKind::Internal, 500),
        (ErrorKind::Unavailable, 503),
        (ErrorKind::Indeterminate, 504),
    ] {
        assert_eq!(kind.http_status(), status);
        assert_eq!(kind.is_client_error(), status < 500, "{kind}");
    }
}

/// An error of a program.
#[derive(Debug, PartialEq)]
struct NoBed {
    ward: &'static str,
}

impl fmt::Display for NoBed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ward {} has no bed", self.ward)
    }
}

impl std::error::Error for NoBed {}

#[test]
fn the_error_of_a_program_can_be_downcast_from_the_step_error() {
    let reject = Reject::from_error(NoBed { ward: "icu" });
    assert_eq!(reject.to_string(), "ward icu has no bed");
    assert!(reject.source().is_some_and(|e| e.is::<NoBed>()));
    let e = reject.into_step(|reason| StepError::Rejected {
        event: name("Admitted"),
        reason,
        chain: chain(),
    });
    assert_eq!(e.to_string(), "Admitted: ward icu has no bed");
    assert_eq!(e.downcast_ref(), Some(&NoBed { ward: "icu" }));
    assert_eq!(
        e.source().and_then(|e| e.downcast_ref()),
        Some(&NoBed { ward: "icu" })
    );
    assert!(e.downcast_ref::<fmt::Error>().is_none());
    // A handler that passes on the error of a nested operation keeps it.
    let passed = Reject::from(e).into_step(|_| unreachable!("it is a step error already"));
    assert!(passed.downcast_ref::<NoBed>().is_some());
    let text = Reject::new("no bed").into_step(|reason| StepError::Rejected {
        event: name("Admitted"),
        reason,
        chain: chain(),
    });
    assert!(text.downcast_ref::<NoBed>().is_none() && text.source().is_none());
    assert!(text.reason().is_some_and(|reason| *reason == "no bed"));
}

#[test]
fn the_debug_output_of_an_open_error_has_its_message() {
    // A `main` that returns the error prints it with `Debug`.
    let e = OpenError::from(StorageError::at(
        StorageFailure::Damage,
        Seq::new(7),
        "it failed",
    ));
    assert_eq!(format!("{e:?}"), "Damage(it failed)");
}
