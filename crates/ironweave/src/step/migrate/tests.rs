//! Migrations of graphs that were made with an earlier version of a model, on cores without a log.

use super::*;
use crate::base::id::Id;
use crate::graph::Graph;
use crate::graph::column::ColumnTypes;
use crate::graph::storage::Flat;
use crate::prelude::*;
use crate::step::flat;
use crate::step::model::Model as _;

/// A hospital.
#[ironweave::model]
#[allow(dead_code, missing_docs)]
mod v1 {
    use crate::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub name: String,
        pub floor: u32,
        #[inverse(Bed::ward)]
        pub beds: Many<Bed>,
    }

    #[entity]
    pub struct Bed {
        #[key]
        pub label: String,
        pub ward: Option<Ward>,
        #[edge(data = u32)]
        pub neighbours: Many<Bed>,
        #[inverse(Bed::neighbours)]
        pub neighbours_of: Many<Bed>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Taken, Broken)]
        Free,
        #[to(Free)]
        Taken { patient: String, since: Timestamp },
        #[terminal]
        Broken,
    }

    /// Version 2 has no bells.
    #[entity]
    pub struct Bell {
        pub tone: u8,
    }

    #[event]
    #[create(ward: Ward { name, floor })]
    pub struct Opened {
        pub name: String,
        pub floor: u32,
    }

    #[event]
    #[create(bell: Bell { tone })]
    pub struct Hung {
        pub tone: u8,
    }

    #[event]
    #[moves(bed: Free -> Broken)]
    pub struct Broke {
        pub bed: Key<Bed>,
    }

    #[event]
    #[link(a.neighbours += b { data = metres })]
    pub struct Placed {
        pub a: Key<Bed>,
        pub b: Key<Bed>,
        pub metres: u32,
    }

    #[event]
    #[create(bed: Bed { label })]
    #[link(bed.ward += ward)]
    pub struct Bought {
        pub label: String,
        pub ward: Key<Ward>,
    }

    #[event]
    #[moves(bed: Free -> Taken { patient, since })]
    pub struct Admitted {
        pub bed: Key<Bed>,
        pub patient: String,
        pub since: Timestamp,
    }
}

/// The same hospital, with patients as entities.
#[ironweave::model]
#[allow(dead_code, missing_docs)]
mod v2 {
    use crate::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub code: u32,
        pub name: String,
        pub floor: u32,
        pub rooms: u32,
        #[inverse(Bed::ward)]
        pub beds: Many<Bed>,
    }

    #[entity]
    pub struct Bed {
        #[key]
        pub label: String,
        pub ward: Ward,
        #[edge(data = String)]
        pub neighbours: Many<Bed>,
        #[inverse(Bed::neighbours)]
        pub neighbours_of: Many<Bed>,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
        #[default(7)]
        pub height: i32,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Taken)]
        Free,
        #[to(Free, Cleaning)]
        Taken { since: Timestamp },
        #[to(Free)]
        Cleaning { by: Option<String> },
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub ward: u32,
        #[key]
        pub number: u32,
        pub name: String,
        pub bed: Option<Bed>,
        #[edge(acyclic)]
        pub next: Option<Patient>,
        #[inverse(Patient::next)]
        pub previous: Option<Patient>,
    }
    #[states(Patient)]
    pub enum PatientState {
        #[initial]
        #[to(Noted)]
        New,
        #[terminal]
        Noted,
    }

    #[event]
    #[create(ward: Ward { code, name, floor, rooms })]
    pub struct Opened {
        pub code: u32,
        pub name: String,
        pub floor: u32,
        pub rooms: u32,
    }

    #[immediate]
    #[when(all patient.bed in Taken)]
    #[moves(patient: New -> Noted)]
    pub struct Admitted {
        pub patient: Patient,
    }

    #[invariant(Ward, crate::step::migrate::tests::ward_has_rooms)]
    pub struct HasRooms;
}

fn ward_has_rooms(ward: v2::Ward, db: &impl Db) -> Result<(), Reject> {
    if ward.rooms(db) > 0 || ward.name(db) == "hall" {
        return Ok(());
    }
    Err(Reject::new("it has no room"))
}

/// The graph of version 1, without its types.
struct Old {
    plan: Plan,
    graph: Graph<Flat>,
}

fn old(work: impl FnOnce(&mut Store<v1::Model>)) -> Old {
    let mut store = Store::<v1::Model>::memory();
    work(&mut store);
    let plan = Plan::of_log(store.schema().clone());
    let schema = &plan.layout.schema;
    let ColumnTypes { columns, data } = &plan.columns;
    let map = CarryMap::by_name(schema, schema);
    let graph = store
        .core
        .graph
        .carried_over(&plan.layout, (columns, data), &map);
    Old {
        graph: graph.expect("the same schema"),
        plan,
    }
}

fn hospital() -> Old {
    old(|store| {
        for (name, floor) in [("icu", 1), ("er", 0)] {
            store.step(v1::Opened {
                name: name.into(),
                floor,
            });
        }
        for (label, ward) in [("1A", "icu"), ("1B", "icu"), ("2A", "er")] {
            store.step(v1::Bought {
                label: label.into(),
                ward: ward.into(),
            });
        }
        for (bed, patient, at) in [("1A", "Ada", 5), ("2A", "Bob", 6)] {
            store.step(v1::Admitted {
                bed: bed.into(),
                patient: patient.into(),
                since: Timestamp::from_micros(at),
            });
        }
    })
}

/// Carries the graph over to version 2 and migrates it. The transaction is still open.
fn migrate(
    old: &Old,
    code: impl FnOnce(GraphView<'_>, &mut Migration<'_, v2::Model>) -> Result<(), MigrationError>
    + Send
    + 'static,
) -> (Core, Result<(), MigrationError>) {
    let mut core = carried(old);
    let result = migrate_core(old, &mut core, Some(MigrationCode::new(code)));
    (core, result)
}

fn plan() -> Plan {
    let mut binding = v2::Model::binding();
    binding.add_encodings();
    Plan::new(binding)
}

fn map(old: &Old, plan: &Plan) -> CarryMap {
    let (was, now) = (&old.plan.layout.schema, &plan.layout.schema);
    CarryMap::by_name(&was.with_names_of(now), now)
}

/// The graph of version 2, in which a transaction is open.
fn carried(old: &Old) -> Core {
    let plan = plan();
    let ColumnTypes { columns, data } = &plan.columns;
    let carried = (old.graph).carried_over(&plan.layout, (columns, data), &map(old, &plan));
    let mut core = flat::core(&plan, None);
    core.graph = carried.expect("it can be carried over");
    core.begin();
    core
}

fn migrate_core(
    old: &Old,
    core: &mut Core,
    code: Option<MigrationCode>,
) -> Result<(), MigrationError> {
    let plan = plan();
    let carried = Carried {
        core,
        plan: &plan,
        old: Either::Flat(&old.graph),
        map: &map(old, &plan),
    };
    carried.migrate(code)?;
    core.check_all_invariants(&plan)
}

/// Migrates everything.
fn all(old: GraphView<'_>, new: &mut Migration<'_, v2::Model>) -> Result<(), MigrationError> {
    for (code, ward) in (10u8..).zip(old.entity_type("Ward")?.entities()) {
        new.set(ward, "code", code)?;
        new.set(ward, "rooms", ward.degree("beds")?)?;
    }
    for (number, bed) in (0u64..).zip(old.entity_type("Bed")?.entities_in("Taken")?) {
        let ward = bed.links("ward")?.next();
        let ward = ward.ok_or_else(|| MigrationError::new("a bed without a ward"))?;
        let ward: v2::Ward = new.handle(ward.entity()).expect("it was carried over");
        let patient = new.create::<v2::Patient>(&[
            ("ward", &ward.code(new)),
            ("number", &number),
            ("name", &bed.field("patient")?),
        ])?;
        new.link(patient, "bed", bed)?;
    }
    for bed in new.place::<v2::Bed, Any>() {
        new.set(bed, "height", 90)?;
    }
    for bed in old.entity_type("Bed")?.entities() {
        for link in bed.links("neighbours")? {
            let metres = link.data().and_then(|data| data.value::<u32>());
            new.set_link(bed, "neighbours", link.entity(), format!("{metres:?} m"))?;
        }
    }
    Ok(())
}

fn messages(result: Result<(), MigrationError>) -> String {
    result.expect_err("it fails").to_string()
}

#[test]
fn a_migration_creates_links_and_sets_by_name() {
    let old = hospital();
    let (mut core, result) = migrate(&old, all);
    result.expect("it migrates");
    let db = &Reader::of(Either::Flat(&core.graph));
    let wards: Vec<_> = (db.place::<v2::Ward, Any>())
        .map(|ward| {
            (
                ward.code(db),
                ward.name(db).to_owned(),
                ward.floor(db),
                ward.rooms(db),
            )
        })
        .collect();
    let expected = [(10, "icu".to_owned(), 1, 2), (11, "er".to_owned(), 0, 1)];
    assert_eq!(wards, expected);
    let ada = db.find::<v2::Patient>(&(10, 0)).expect("she was created");
    assert_eq!(ada.name(db), "Ada");
    // The immediate event has fired.
    assert!(ada.is::<v2::state::Noted>(db));
    let bed = ada.bed(db).expect("it is linked");
    let bed = bed.in_state::<v2::state::Taken>(db).expect("it is taken");
    assert_eq!(bed.since(db), Timestamp::from_micros(5));
    assert!(core.open.firings.is_empty() && core.open.event_bytes.is_empty());
    // The facts lead from the carried-over graph to this one.
    let facts = core.open.journal.to_facts();
    let fingerprint = core.fingerprint();
    let mut again = carried(&old);
    (again.replay(&facts, fingerprint)).expect("they are the same facts");
    assert_eq!(core.graph.differences(&core.open.journal), []);
    assert_eq!(again.graph.differences(&again.open.journal), []);
}

#[test]
fn what_is_left_undone_is_listed_with_counts_and_the_first_entity() {
    let old = old(|store| {
        for name in ["icu", "er"] {
            store.step(v1::Opened {
                name: name.into(),
                floor: 0,
            });
        }
        for label in ["1A", "1B", "2A", "2B"] {
            store.step(v1::Bought {
                label: label.into(),
                ward: "icu".into(),
            });
        }
        for bed in ["1B", "2A"] {
            store.step(v1::Broke { bed: bed.into() });
            store.step(v1::Placed {
                a: bed.into(),
                b: "1A".into(),
                metres: 2,
            });
        }
    });
    let (_, result) = migrate(&old, |_, new| {
        let bed = new.find::<v2::Bed>("1B").expect("it is there");
        let ward = bed.ward(new);
        new.unlink(bed, "ward", ward)?;
        // One of the patients is complete.
        new.create::<v2::Patient>(&[("ward", &1), ("number", &1), ("name", &"Ada")])?;
        new.create::<v2::Patient>(&[("ward", &1), ("number", &2)])?;
        new.create::<v2::Patient>(&[("ward", &1)])?;
        // A slot that is used again has what was written since.
        let ward = new.create::<v2::Ward>(&[("name", &"x"), ("code", &1), ("rooms", &1)])?;
        new.delete(ward)?;
        new.create::<v2::Ward>(&[("name", &"x"), ("code", &1), ("floor", &1)])?;
        Ok(())
    });
    assert_eq!(
        messages(result),
        "the migration has left something undone:\n\
         - state `Bed::Broken` was removed: 2 entities are in it, first Bed \"1B\"; move them with `move_to`, or delete them\n\
         - `Ward.code`: 2 entities have no value in it, first Ward/0.1; write one with `set`, or give it `#[default(..)]`\n\
         - `Ward.rooms`: 3 entities have no value in it, first Ward/0.1; write one with `set`, or give it `#[default(..)]`\n\
         - `Bed.height`: 4 entities have no value in it, first Bed \"1A\"; write one with `set`, or give it `#[default(..)]`\n\
         - `Bed.ward`: exactly one is required, and 1 entity has another number of links, first Bed \"1B\" with 0; use \
         `link` and `unlink`\n\
         - `Patient.name`: 2 entities have no value in it, first Patient 1, 2; write one with `set`, or give it `#[default(..)]`\n\
         - `Patient.number`: 1 entity has no value in it, first Patient/2.1; write one with `set`, or give it `#[default(..)]`\n\
         - `Bed.neighbours`: 2 links have no data, first of Bed \"1B\"; write it with `set_link`"
    );
}

#[test]
fn an_entity_in_a_removed_state_is_moved_or_deleted() {
    let old = old(|store| {
        store.step(v1::Opened {
            name: "icu".into(),
            floor: 0,
        });
        for label in ["1A", "1B", "2A"] {
            store.step(v1::Bought {
                label: label.into(),
                ward: "icu".into(),
            });
            store.step(v1::Broke { bed: label.into() });
        }
    });
    let (core, result) = migrate(&old, |old, new| {
        let broken: Vec<_> = (old.entity_type("Bed")?.entities_in("Broken")?).collect();
        // The initial state is a decision too, although the entity is there already.
        new.move_to(broken[0], "Free", &[])?;
        new.move_to(broken[1], "Cleaning", &[])?;
        new.set(broken[1], "by", "Eve")?;
        new.delete(broken[2])?;
        new.set(broken[2], "height", 1).expect_err("it is deleted");
        for ward in old.entity_type("Ward")?.entities() {
            new.set(ward, "code", 1)?;
            new.set(ward, "rooms", 1)?;
        }
        new.set(broken[0], "height", 1)?;
        new.set(broken[1], "height", 1)
    });
    result.expect("it migrates");
    let db = &Reader::of(Either::Flat(&core.graph));
    assert_eq!(db.count::<v2::Bed, v2::state::Free>(), 1);
    let cleaning = db.place::<v2::Bed, v2::state::Cleaning>().next();
    assert_eq!(cleaning.expect("one").by(db).as_deref(), Some("Eve"));
}

/// The message of the change, which has no effect.
fn refused(
    change: impl FnOnce(GraphView<'_>, &mut Migration<'_, v2::Model>) -> Result<(), MigrationError>
    + Send
    + 'static,
) -> String {
    let (sender, message) = std::sync::mpsc::channel();
    let (core, result) = migrate(&hospital(), move |old, new| {
        all(old, new)?;
        let before = new.changes.core.fingerprint();
        let facts = new.changes.core.open.journal.to_facts();
        let e = change(old, new).expect_err("it is refused");
        assert_eq!(new.changes.core.fingerprint(), before);
        assert_eq!(new.changes.core.open.journal.facts().list, facts.list);
        sender.send(e.to_string()).expect("it is received");
        Ok(())
    });
    result.expect("the code went on");
    assert_eq!(core.graph.differences(&core.open.journal), []);
    message.recv().expect("it was sent")
}

fn bed(db: &impl Db, label: &str) -> v2::Bed {
    db.find(label).expect("it is there")
}

#[test]
fn a_change_that_is_refused_says_why_and_has_no_effect() {
    let mut wrong = Vec::new();
    let mut expect = |found: String, message: &str| {
        if found != message {
            wrong.push(found);
        }
    };
    expect(
        refused(|_, new| new.set(bed(new, "1A"), "hieght", 1)),
        "`Bed` has no field `hieght`; did you mean `height`?",
    );
    expect(
        refused(|_, new| new.move_to(bed(new, "1A"), "Cleanin", &[])),
        "`Bed` has no state `Cleanin`; did you mean `Cleaning`?",
    );
    expect(
        refused(|_, new| new.link(bed(new, "1A"), "wards", bed(new, "1B"))),
        "`Bed` has no edge `wards`; did you mean `ward`?",
    );
    expect(
        refused(|_, new| new.set(bed(new, "1A"), "Cleaning.bye", 1)),
        "`Bed` has no field `bye`; did you mean `by`?",
    );
    expect(
        refused(|old, _| old.entity_type("Beds").map(|_| ()).map_err(Into::into)),
        "the model has no entity type `Beds`; did you mean `Bed` or `Bell`?",
    );
    expect(
        refused(|_, new| new.link(bed(new, "1A"), "ward", bed(new, "1B"))),
        "`Bed.ward` leads to `Ward`, not to Bed \"1B\"",
    );
    expect(
        refused(|_, new| new.set(bed(new, "1A"), "height", "high")),
        "`Bed.height` is of type `i32`, and the value is the text \"high\"",
    );
    expect(
        refused(|_, new| new.set(bed(new, "1B"), "since", 3)),
        "`Bed.Taken.since` is data of another state than `Free`, which Bed \"1B\" is in; move it with `move_to` before",
    );
    // The move is undone with the data that is refused.
    expect(
        refused(|_, new| new.move_to(bed(new, "1B"), "Cleaning", &[("by", &3)])),
        "`Bed.Cleaning.by` is of type `Option<String>`, and the value is the integer 3",
    );
    expect(
        refused(|_, new| {
            let values: [(&str, &dyn MigrationValue); 2] = [("label", &"9"), ("height", &"x")];
            new.create::<v2::Bed>(&values).map(drop)
        }),
        "`Bed.height` is of type `i32`, and the value is the text \"x\"",
    );
    let missing = Id {
        slot: 9,
        generation: 1,
    };
    expect(
        refused(move |_, new| new.delete(v2::Bed::from_id(missing))),
        "Bed/9.1 does not exist in the new graph; it was deleted, or never existed",
    );
    expect(
        refused(|_, new| {
            let other = hospital();
            let beds = GraphView::new(Either::Flat(&other.graph)).entity_type("Bed")?;
            beds.entities().try_for_each(|bed| new.delete(bed))
        }),
        "Bed \"1A\" is neither of the old graph nor of the new one; read it from one of the arguments of the migration",
    );
    expect(
        refused(|_, new| new.set(bed(new, "1A"), "label", "1B")),
        "Bed \"1B\" exists already; choose another key; if two entities exchange their keys, give one of them a third key first",
    );
    expect(
        refused(|_, new| {
            let bob = new.create::<v2::Patient>(&[("ward", &11), ("number", &1), ("name", &"Bob")]);
            bob.map(drop)
        }),
        "Patient 11, 1 exists already; choose another key; if two entities exchange their keys, give one of them a third key first",
    );
    expect(
        refused(|_, new| new.link(bed(new, "1A"), "ward", bed(new, "2A").ward(new))),
        "Bed \"1A\" would have 2 links at Bed.ward, and at most one is allowed (`relink` takes over)",
    );
    expect(
        refused(|_, new| {
            let ward = bed(new, "1A").ward(new);
            new.link(bed(new, "1A"), "ward", ward)
        }),
        "Bed \"1A\" and Ward 10 are already linked by Bed.ward; use `relink` if that is allowed",
    );
    expect(
        refused(|_, new| new.unlink(bed(new, "1A"), "neighbours", bed(new, "1B"))),
        "Bed \"1A\" and Bed \"1B\" are not linked by Bed.neighbours",
    );
    expect(
        refused(|_, new| new.link_with(bed(new, "1B"), "patient", patient(new), 3)),
        "Patient 10, 0 would have 2 links at Patient.bed, and at most one is allowed (`relink` takes over)",
    );
    expect(
        refused(|_, new| new.link_with(bed(new, "1A"), "neighbours", bed(new, "1B"), 3)),
        "`Bed.neighbours` is of type `String`, and the value is the integer 3",
    );
    assert_eq!(wrong, Vec::<String>::new());
}

fn patient(db: &impl Db) -> v2::Patient {
    db.place::<v2::Patient, Any>().next().expect("one").any()
}

#[test]
fn an_entity_of_a_type_that_is_gone_cannot_be_changed() {
    let old = old(|store| {
        store.step(v1::Hung { tone: 3 });
    });
    let (_, result) = migrate(&old, |old, new| {
        for bell in old.entity_type("Bell")?.entities() {
            assert_eq!(new.handle::<v2::Bed>(bell), None);
            new.delete(bell)?;
        }
        Ok(())
    });
    assert_eq!(
        messages(result),
        "Bell/0.1 cannot be changed, since the new model has no type `Bell`; create an entity of a type that it has"
    );
}

#[test]
fn keys_are_changed_and_found_by_their_new_values() {
    let old = hospital();
    let (mut core, result) = migrate(&old, |old, new| {
        all(old, new)?;
        let wards = [10, 11].map(|code| new.find::<v2::Ward>(&code).expect("it is there"));
        // Two entities exchange their keys by a third value.
        new.set(wards[0], "code", 0)?;
        new.set(wards[1], "code", 10)?;
        new.set(wards[0], "code", 11)?;
        // The key stays the same.
        new.set(wards[0], "code", 11)?;
        let ada = new.find::<v2::Patient>(&(10, 0)).expect("she is there");
        new.set(ada, "ward", 7)?;
        assert_eq!(new.find::<v2::Patient>(&(10, 0)), None);
        assert_eq!(new.find::<v2::Patient>(&(7, 0)), Some(ada));
        // A change of a part that is refused leaves the key as it was.
        let bob = new.create::<v2::Patient>(&[("ward", &7), ("number", &1), ("name", &"Bob")])?;
        assert!(new.set(bob, "number", 0).is_err());
        assert_eq!(new.find::<v2::Patient>(&(7, 1)), Some(bob));
        assert_eq!(new.find::<v2::Patient>(&(7, 0)), Some(ada));
        Ok(())
    });
    result.expect("it migrates");
    let names = |core: &Core| {
        let db = Reader::of(Either::Flat(&core.graph));
        let name = |code: u32| Some(db.find::<v2::Ward>(&code)?.name(&db).to_owned());
        [name(10), name(11)].map(Option::unwrap_or_default)
    };
    assert_eq!(names(&core), ["er", "icu"]);
    assert_eq!(core.graph.differences(&core.open.journal), []);
    // All of it is undone.
    core.end();
    let before = carried(&old);
    assert_eq!(core.graph.fingerprint, before.graph.fingerprint);
    assert_eq!(
        core.graph.differences(&core.open.journal).len(),
        before.graph.differences(&before.open.journal).len()
    );
}

#[test]
fn a_part_of_a_key_that_cannot_be_read_leaves_the_key_as_it_was() {
    let old = hospital();
    let (mut core, result) = migrate(&old, all);
    result.expect("it migrates");
    let find = |core: &Core| Reader::of(Either::Flat(&core.graph)).find::<v2::Patient>(&(10, 0));
    let ada = find(&core).expect("she is there");
    let part = core.graph.layout.entities[usize::from(v2::Patient::INDEX)].key[0];
    let Core { graph, open, .. } = &mut core;
    // A text in a column of numbers.
    let changed = graph.change_key_encoded(&mut open.journal, part, ada.id().slot, b"\x61x");
    assert!(changed.is_err());
    assert_eq!(find(&core), Some(ada));
    assert_eq!(core.graph.differences(&core.open.journal), []);
}

#[test]
fn a_migration_that_panics_changes_nothing() {
    let old = hospital();
    let mut core = carried(&old);
    let before = core.graph.fingerprint;
    let code = MigrationCode::new(|old, new: &mut Migration<'_, v2::Model>| {
        all(old, new)?;
        panic!("the code of the migration");
    });
    let migrated = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        migrate_core(&old, &mut core, Some(code))
    }));
    assert!(migrated.is_err());
    core.end();
    assert_eq!(core.graph.fingerprint, before);
}

#[test]
fn rules_hold_for_all_entities_after_a_migration() {
    let old = hospital();
    let fails = |code: fn(&mut Migration<'_, v2::Model>) -> Result<(), MigrationError>| {
        let (_, result) = migrate(&old, move |old, new| {
            all(old, new)?;
            code(new)
        });
        messages(result)
    };
    let without_rooms = fails(|new| {
        for ward in new.place::<v2::Ward, Any>() {
            new.set(ward, "rooms", 0)?;
        }
        Ok(())
    });
    assert_eq!(
        without_rooms,
        "the migration has left something undone:\n\
         - invariant HasRooms does not hold for 2 entities, first Ward 10: it has no room"
    );
    let in_a_circle = fails(|new| {
        let [a, b] = [(10, 0), (11, 1)].map(|key| new.find::<v2::Patient>(&key).expect("one"));
        new.link(a, "next", b)?;
        new.link(a, "previous", b)
    });
    assert_eq!(
        in_a_circle,
        "Patient.next is acyclic, and its links would form a cycle: Patient 11, 1 -> Patient 10, 0 -> Patient 11, 1"
    );
    assert_eq!(fails(|_| Err(MigrationError::new("no"))), "no");
}
