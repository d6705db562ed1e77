//! The verdict on each kind of change, with its message.

use crate::*;

/// Two entity types with a state with data, a key, an edge with data, two events and an invariant.
const CLINIC: &str = concat!(
    r#"{"name":"clinic","entities":[{"name":"Bed","states":[{"name":"Free","terminal":false,"to":[]},"#,
    r#"{"name":"Cleaning","terminal":false,"to":[]}],"initial":0},"#,
    r#"{"name":"Ward","states":[{"name":"Open","terminal":false,"to":[]}],"initial":0}],"#,
    r#""columns":[{"entity":0,"state":null,"name":"no","ty":"u8","key":true,"index":null,"default":null,"encoding":"U8"},"#,
    r#"{"entity":0,"state":null,"name":"kg","ty":"f32","key":false,"index":null,"default":null,"encoding":"F32"},"#,
    r#"{"entity":0,"state":null,"name":"color","ty":"Color","key":false,"index":null,"default":null,"encoding":"Serde"},"#,
    r#"{"entity":0,"state":1,"name":"by","ty":"String","key":false,"index":null,"default":null,"encoding":"Text"},"#,
    r#"{"entity":1,"state":null,"name":"best","ty":"Key<Bed>","key":false,"index":null,"default":null,"encoding":{"Key":0}}],"#,
    r#""edges":[{"from":{"entity":1,"name":"beds","cardinality":"Option","min":0,"max":1,"on_delete":"Unlink","#,
    r#""counted":false},"to":{"entity":0,"name":"ward","cardinality":"Option","min":0,"max":1,"on_delete":"Restrict","#,
    r#""counted":false},"data":"u32","acyclic":false,"encoding":"U32"}],"#,
    r#""events":[{"name":"Cleaned","immediate":false,"fields":[{"name":"bed","ty":"Bed","encoding":{"Id":0}},"#,
    r#"{"name":"by","ty":"u16","encoding":"U16"}],"names":[{"name":"bed","entity":0,"count":"One","by":"Handle"}],"arcs":[],"#,
    r#""mays":[],"guards":[]},{"name":"Ready","immediate":true,"fields":[{"name":"bed","ty":"Bed","encoding":{"Id":0}}],"#,
    r#""names":[{"name":"bed","entity":0,"count":"One","by":"Handle"}],"arcs":[],"mays":[],"guards":[]}],"#,
    r#""invariants":[{"name":"Fine","entity":0,"via":[],"check":"f"}]}"#
);

fn clinic() -> Schema {
    Schema::from_json(CLINIC).expect("a schema")
}

/// A change, and the lines of what is not taken in any case; empty if all is.
type Case = (fn(&mut Schema), &'static str);

fn column(entity: u16, state: Option<u8>, name: &str, ty: &str) -> ColumnDef {
    ColumnDef {
        entity: EntityIx::new(entity),
        state: state.map(StateIx::new),
        name: name.to_owned(),
        ty: ty.to_owned(),
        ..ColumnDef::default()
    }
}

fn retype(column: &mut ColumnDef, ty: &str, encoding: Encoding) {
    column.ty = ty.to_owned();
    column.encoding = Some(encoding);
}

fn event_field(name: &str, ty: &str) -> EventFieldDef {
    EventFieldDef {
        name: name.to_owned(),
        ty: ty.to_owned(),
        ..EventFieldDef::default()
    }
}

fn end(entity: u16, name: &str, cardinality: Cardinality) -> EndDef {
    EndDef {
        entity: EntityIx::new(entity),
        name: name.to_owned(),
        cardinality,
        min: u32::from(cardinality == Cardinality::One),
        ..EndDef::default()
    }
}

fn option(of: Encoding) -> Encoding {
    Encoding::Option(Box::new(of))
}

/// A change and its description.
type Taken = (&'static str, fn(&mut Schema));

/// What is taken without a word of code.
const TAKEN: [Taken; 32] = [
    ("an entity", |s| s.entities.push(EntityDef::default())),
    ("a state", |s| {
        s.entities[0].states.push(StateDef::default())
    }),
    ("an edge", |s| {
        let (from, to) = (
            end(0, "x", Cardinality::Many),
            end(1, "y", Cardinality::Option),
        );
        s.edges.push(EdgeDef {
            from,
            to,
            ..EdgeDef::default()
        });
    }),
    ("an event", |s| s.events.push(EventDef::default())),
    ("an immediate event", |s| {
        let mut event = s.events[1].clone();
        event.name = "Idle".to_owned();
        s.events.push(event);
    }),
    ("an optional field", |s| {
        s.columns.push(column(0, None, "note", "Option<String>"))
    }),
    ("a field with a default", |s| {
        let mut note = column(0, None, "note", "String");
        note.default = Some("default".to_owned());
        s.columns.push(note);
    }),
    ("optional data", |s| {
        s.columns.push(column(0, Some(1), "note", "Option<String>"))
    }),
    ("data with a default", |s| {
        let mut note = column(0, Some(1), "note", "String");
        note.default = Some("default".to_owned());
        s.columns.push(note);
    }),
    ("an optional field of an event", |s| {
        s.events[0]
            .fields
            .push(event_field("why", "Option<String>"));
    }),
    ("a field of an event with a default", |s| {
        let mut why = event_field("why", "String");
        why.default = Some("default".to_owned());
        s.events[0].fields.push(why);
    }),
    ("a removed event", |s| s.events.truncate(1)),
    ("a removed field of an event", |s| {
        s.events[0].fields.truncate(1)
    }),
    ("an event that is not immediate any more", |s| {
        s.events[1].immediate = false
    }),
    ("an event that is immediate now", |s| {
        s.events[0].immediate = true;
        s.events[0].fields.truncate(1);
    }),
    ("another immediate event of the same name", |s| {
        s.events[1].fields = vec![event_field("ward", "Ward")];
    }),
    ("a field that an upcaster fills", |s| {
        s.events[0].fields.push(event_field("why", "String"));
        s.events[0].upcasts = vec!["Cleaned".to_owned()];
    }),
    ("a type that an upcaster reads", |s| {
        s.events[0].fields[1].ty = "String".to_owned();
        s.events[0].fields[1].encoding = Some(Encoding::Text);
        s.events[0].upcasts = vec!["Cleaned".to_owned()];
    }),
    ("an event that is renamed and upcast", |s| {
        s.events[0].name = "Washed".to_owned();
        s.events[0].renamed = vec!["Cleaned".to_owned()];
        s.events[0].fields.push(event_field("why", "String"));
        s.events[0].upcasts = vec!["Cleaned".to_owned()];
    }),
    ("a wider number", |s| {
        retype(&mut s.columns[0], "u64", Encoding::U64)
    }),
    ("a wider float", |s| {
        retype(&mut s.columns[1], "f64", Encoding::F64)
    }),
    ("a wider float in an option", |s| {
        retype(&mut s.columns[1], "Option<f64>", option(Encoding::F64));
    }),
    ("an option of a type of the program", |s| {
        retype(&mut s.columns[2], "Option<Color>", option(Encoding::Serde));
    }),
    ("an option of a key", |s| {
        retype(
            &mut s.columns[4],
            "Option<Key<Bed>>",
            option(Encoding::Key(EntityIx::new(0))),
        );
    }),
    ("an option of a handle", |s| {
        let field = &mut s.events[0].fields[0];
        field.ty = "Option<Bed>".to_owned();
        field.encoding = Some(option(Encoding::Id(EntityIx::new(0))));
    }),
    ("a wider number in an event", |s| {
        s.events[0].fields[1].ty = "i64".to_owned();
        s.events[0].fields[1].encoding = Some(Encoding::I64);
    }),
    ("a looser edge", |s| {
        let end = &mut s.edges[0].to;
        (end.cardinality, end.max) = (Cardinality::Many, None);
    }),
    ("optional data of links", |s| {
        s.edges[0].data = Some("Option<u32>".to_owned());
        s.edges[0].encoding = Some(option(Encoding::U32));
    }),
    ("an index", |s| {
        s.columns[1].index = Some(IndexKind::Ordered)
    }),
    ("a key that is dropped", |s| {
        s.columns[0].key = false;
        s.columns.pop();
    }),
    ("a renamed invariant", |s| {
        s.invariants[0].name = "Good".to_owned();
        s.invariants[0].renamed = vec!["Fine".to_owned()];
    }),
    ("a removed invariant", |s| s.invariants.clear()),
];

#[test]
fn what_is_taken_without_a_word_of_code() {
    for (what, change) in TAKEN {
        let (was, mut now) = (clinic(), clinic());
        change(&mut now);
        assert_ne!(was, now, "{what}");
        let found: Vec<String> = (was.compatibility(&now).differences.iter())
            .filter(|difference| difference.verdict != Verdict::Free)
            .map(ToString::to_string)
            .collect();
        let dropped = "entity `Ward` no longer has field `best: Key<Bed>`: ";
        let rest: Vec<&String> = found
            .iter()
            .filter(|text| !text.starts_with(dropped))
            .collect();
        assert!(rest.is_empty(), "{what}: {rest:?}");
    }
}

const ASKED: [Case; 27] = [
    (
        |s| s.entities[1].name = "Unit".to_owned(),
        "entity `Ward` was removed: this is taken if no `Ward` exists; if it has another name now, write `#[renamed(from = \"Ward\")]` \
         on it; otherwise delete them before, or write a migration",
    ),
    (
        |s| s.entities[0].states[1].name = "Dirty".to_owned(),
        "state `Bed::Cleaning` was removed: this is taken if no `Bed` is in `Cleaning`; if it has another name now, write \
         `#[renamed(from = \"Cleaning\")]` on it; otherwise move them to other states before, or write a migration",
    ),
    (
        |s| drop(s.columns.remove(1)),
        "entity `Bed` no longer has field `kg: f32`: this is taken if no entity has a value in it; if it has another name now, write \
         `#[renamed(from = \"kg\")]` on it; otherwise write a migration",
    ),
    (
        |s| drop(s.columns.remove(3)),
        "state `Bed::Cleaning` no longer has data `by: String`: this is taken if no entity has a value in it; if it has another name \
         now, write `#[renamed(from = \"by\")]` on it; otherwise write a migration",
    ),
    (
        |s| s.edges.clear(),
        "edge `Ward.beds <-> Bed.ward` was removed: this is taken if it has no links; if it has another name now, write \
         `#[renamed(from = \"beds\")]` on it; otherwise unlink them before, or write a migration",
    ),
    (
        |s| s.columns.push(column(0, None, "note", "String")),
        "entity `Bed` now needs `note: String`: this is taken if no `Bed` exists; give `#[default(..)]` or a migration",
    ),
    (
        |s| {
            s.columns
                .push(column(0, Some(1), "for_how_long", "Duration"))
        },
        "state `Bed::Cleaning` now needs `for_how_long: Duration`: this is taken if no `Bed` is in `Cleaning`; give `#[default(..)]` or a \
         migration",
    ),
    (
        |s| {
            let mut key = column(1, None, "name", "Option<String>");
            key.key = true;
            s.columns.push(key);
        },
        "entity `Ward` now needs `name: Option<String>`: this is taken if no `Ward` exists; write a migration that gives each a key",
    ),
    (
        |s| s.columns[1].key = true,
        "field `Bed.kg` is now a key: this is taken if no two `Bed` have the same key; give them different keys before, or write a \
         migration\n\
         the encoding of field `Ward.best` was `key of `Bed` by no: u8` and is now `key of `Bed` by no: u8, kg: f32`: this is taken if no \
         entity has a value in it; earlier values of `Key<Bed>` cannot be read: keep the type, or write a migration",
    ),
    (
        |s| retype(&mut s.columns[1], "u32", Encoding::U32),
        "the type of field `Bed.kg` was `f32` and is now `u32`: this is taken if no entity has a value in it; `f32` cannot be read as \
         `u32`: keep the type, or write a migration\n\
         the encoding of field `Bed.kg` was `f32` and is now `u32`: this is taken if no entity has a value in it; `f32` cannot be read \
         as `u32`: keep the type, or write a migration",
    ),
    (
        |s| s.columns[2].ty = "Shade".to_owned(),
        "the type of field `Bed.color` was `Color` and is now `Shade`: this is taken if each value can be read as `Shade`; keep the \
         type, or write a migration",
    ),
    (
        |s| {
            s.edges[0].data = Some("String".to_owned());
            s.edges[0].encoding = None;
        },
        "the link data of edge `Ward.beds <-> Bed.ward` was `u32` and is now `String`: this is taken if it has no links; `u32` cannot be \
         read as `String`: keep the type, or write a migration",
    ),
    (
        |s| {
            s.edges[0].data = None;
            s.edges[0].encoding = None;
        },
        "the link data of edge `Ward.beds <-> Bed.ward` was `u32` and is now `none`: this is taken if it has no links; write a \
         migration that drops the data of the links",
    ),
    (
        |s| {
            let (from, to) = (
                end(0, "x", Cardinality::One),
                end(1, "y", Cardinality::Many),
            );
            s.edges.push(EdgeDef {
                from,
                to,
                ..EdgeDef::default()
            });
        },
        "edge `Bed.x <-> Ward.y` was added: this is taken if no `Bed` exists; each `Bed` needs a link at `Bed.x`: make it `Option<..>` \
         or `Many<..>`, or write a migration",
    ),
    (
        |s| {
            let (mut from, to) = (
                end(0, "x", Cardinality::Many),
                end(1, "y", Cardinality::One),
            );
            from.min = 2;
            s.edges.push(EdgeDef {
                from,
                to,
                ..EdgeDef::default()
            });
        },
        "edge `Bed.x <-> Ward.y` was added: this is taken if no `Bed` exists; each `Bed` needs a link at `Bed.x`: leave out its `min`, \
         or write a migration\n\
         end `Ward.y` of an edge was added: this is taken if no `Ward` exists; each `Ward` needs a link at `Ward.y`: make it \
         `Option<..>` or `Many<..>`, or write a migration",
    ),
    (
        |s| {
            let end = &mut s.edges[0].to;
            (end.cardinality, end.min) = (Cardinality::One, 1);
        },
        "the cardinality of edge `Ward.beds <-> Bed.ward` at `Bed.ward` was `Option` and is now `One`: this is taken if each entity has \
         1 links at `Bed.ward`; change the links before, or write a migration\n\
         the `min` of edge `Ward.beds <-> Bed.ward` at `Bed.ward` was `0` and is now `1`: this is taken if each entity has 1 links at \
         `Bed.ward`; change the links before, or write a migration",
    ),
    (
        |s| s.edges[0].to.entity = EntityIx::new(1),
        "the inverse end of edge `Ward.beds <-> Ward.ward` was `Bed.ward` and is now `Ward.ward`: this is taken if it has no links; \
         unlink them before, or write a migration",
    ),
    (
        |s| s.edges[0].acyclic = true,
        "edge `Ward.beds <-> Bed.ward` is now acyclic: this is taken if its links form no cycle; unlink one of each cycle before, or \
         write a migration",
    ),
    (
        |s| s.invariants[0].check = "g".to_owned(),
        "the function of invariant `Fine` was `f` and is now `g`: this is taken if it holds; change them before, or write a migration",
    ),
    (
        |s| {
            s.invariants.push(InvariantDef {
                name: "New".to_owned(),
                ..InvariantDef::default()
            })
        },
        "invariant `New` was added: this is taken if it holds; change them before, or write a migration",
    ),
    (
        |s| s.events[0].fields.push(event_field("why", "String")),
        "event `Cleaned` now needs `why: String`; the events in the log do not have it: give `#[default(..)]`, make it `Option<String>`, \
         or write `#[upcast(from = \"Cleaned\", with = ..)]` on `Cleaned`",
    ),
    (
        |s| {
            s.events[0].name = "Washed".to_owned();
            s.events[0].renamed = vec!["Cleaned".to_owned()];
            s.events[0].fields.push(event_field("why", "String"));
        },
        "event `Washed` now needs `why: String`; the events in the log do not have it: give `#[default(..)]`, make it `Option<String>`, \
         or write `#[upcast(from = \"Cleaned\", with = ..)]` on `Washed`",
    ),
    (
        |s| {
            s.events[0].fields[1].ty = "u8".to_owned();
            s.events[0].fields[1].encoding = None;
        },
        "the type of field `by` of event `Cleaned` was `u16` and is now `u8`; `u16` cannot be read as `u8` in the events of the log: keep \
         the type, or write `#[upcast(from = \"Cleaned\", with = ..)]` on `Cleaned`",
    ),
    (
        |s| {
            s.events[0].fields[0].ty = "Key<Bed>".to_owned();
            s.events[0].fields[0].encoding = Some(Encoding::Key(EntityIx::new(0)));
            s.events[0].names[0].by = BindBy::Key;
        },
        "the type of field `bed` of event `Cleaned` was `Bed` and is now `Key<Bed>`; `Bed` cannot be read as `Key<Bed>` in the events of \
         the log: keep the type, or write `#[upcast(from = \"Cleaned\", with = ..)]` on `Cleaned`\n\
         the encoding of field `bed` of event `Cleaned` was `id of `Bed`` and is now `key of `Bed``; `Bed` cannot be read as `Key<Bed>` \
         in the events of the log: keep the type, or write `#[upcast(from = \"Cleaned\", with = ..)]` on `Cleaned`",
    ),
    (
        |s| {
            s.columns[0].key = false;
            s.columns[1].key = true;
        },
        "field `Bed.no` is no longer a key: this is taken if no two `Bed` have the same key; give them different keys before, or write \
         a migration\n\
         field `Bed.kg` is now a key: this is taken if no two `Bed` have the same key; give them different keys before, or write a \
         migration\n\
         the encoding of field `Ward.best` was `key of `Bed` by no: u8` and is now `key of `Bed` by kg: f32`: this is taken if no entity \
         has a value in it; earlier values of `Key<Bed>` cannot be read: keep the type, or write a migration",
    ),
    (
        |s| s.edges[0].to.max = Some(0),
        "the `max` of edge `Ward.beds <-> Bed.ward` at `Bed.ward` was `1` and is now `0`: this is taken if each entity has 0 links at \
         `Bed.ward`; change the links before, or write a migration",
    ),
    (
        |s| s.entities[0].states.truncate(1),
        "state `Bed::Cleaning` was removed: this is taken if no `Bed` is in `Cleaning`; if it has another name now, write \
         `#[renamed(from = \"Cleaning\")]` on it; otherwise move them to other states before, or write a migration",
    ),
];

#[test]
fn what_depends_on_the_data_or_is_refused_says_what_to_write() {
    for (change, expected) in ASKED {
        let (was, mut now) = (clinic(), clinic());
        change(&mut now);
        let found: Vec<String> = (was.compatibility(&now).differences.iter())
            .filter(|difference| difference.verdict != Verdict::Free)
            .map(ToString::to_string)
            .collect();
        assert_eq!(found.join("\n"), expected);
    }
}

#[test]
fn a_key_in_an_event_is_read_if_the_key_has_the_same_parts() {
    let of_key = |key: ColumnDef| {
        let mut schema = clinic();
        schema.columns = vec![key];
        let field = &mut schema.events[0].fields[0];
        field.ty = "Vec<Key<Bed>>".to_owned();
        field.encoding = Some(Encoding::List(Box::new(Encoding::Key(EntityIx::new(0)))));
        schema
    };
    let column = |name: &str, ty: &str| ColumnDef {
        key: true,
        ..column(0, None, name, ty)
    };
    let was = of_key(column("no", "u8"));
    let wider = was.compatibility(&of_key(column("no", "u64")));
    assert!(wider.is_free(), "{wider:?}");
    // A key that is logged in an event is a list of values without names.
    let renamed = was.compatibility(&of_key(column("number", "u8")));
    let refused = renamed.refused(|_| Usage::default());
    let text = refused.first().map(ToString::to_string).unwrap_or_default();
    assert!(
        text.contains("`list of key of `Bed` by number: u8`"),
        "{text}"
    );
    let other = was.compatibility(&of_key(column("no", "String")));
    let refused = other.refused(|_| Usage::default());
    assert_eq!(
        refused[0].to_string(),
        "the encoding of field `bed` of event `Cleaned` was `list of key of `Bed` by no: u8` and is now `list of key of `Bed` by no: \
         String`; earlier values of `Vec<Key<Bed>>` cannot be read in the events of the log: keep the type, or write \
         `#[upcast(from = \"Cleaned\", with = ..)]` on `Cleaned`"
    );
}

#[test]
fn a_logged_event_is_read_by_name_by_an_upcaster_or_not_at_all() {
    let read = |change: fn(&mut Schema)| {
        let (was, mut now) = (clinic(), clinic());
        change(&mut now);
        let renamed = was.with_names_of(&now);
        Readings::between(&renamed, &now).event("Cleaned", &renamed.events[0])
    };
    let event = EventIx::new(0);
    assert_eq!(read(|_| ()), EventReading::ByName(event));
    assert_eq!(
        read(|s| s.events[0].upcasts = vec!["Cleaned".to_owned()]),
        EventReading::ByName(event),
        "it has the same fields"
    );
    let more = |s: &mut Schema, ty: &str| s.events[0].fields.push(event_field("why", ty));
    assert_eq!(
        read(|s| s.events[0].fields.truncate(1)),
        EventReading::ByName(event)
    );
    assert_eq!(read(|s| s.events[0].immediate = true), EventReading::Unread);
    assert_eq!(read(|s| drop(s.events.remove(0))), EventReading::Unread);
    let read_with = |ty: &str, upcast: bool| {
        let (was, mut now) = (clinic(), clinic());
        more(&mut now, ty);
        if upcast {
            now.events[0].name = "Washed".to_owned();
            now.events[0].upcasts = vec!["Cleaned".to_owned()];
        }
        Readings::between(&was, &now).event("Cleaned", &was.events[0])
    };
    assert_eq!(read_with("Option<u8>", false), EventReading::ByName(event));
    assert_eq!(read_with("u8", false), EventReading::Unread);
    assert_eq!(read_with("u8", true), EventReading::Upcast(event));
}

#[test]
fn an_event_that_becomes_immediate_may_fire_on_entities_that_exist() {
    let fires = |change: fn(&mut Schema)| {
        let (was, mut now) = (clinic(), clinic());
        change(&mut now);
        let differences = was.compatibility(&now).differences;
        differences.iter().any(Difference::may_fire)
    };
    let idle = |schema: &mut Schema, entity: u16| {
        let mut event = schema.events[1].clone();
        event.name = "Idle".to_owned();
        event.names[0].entity = EntityIx::new(entity);
        schema.events.push(event);
    };
    assert!(fires(|s| s.events[0].immediate = true));
    assert!(!fires(|s| s.events[1].immediate = false));
    let (was, mut now) = (clinic(), clinic());
    idle(&mut now, 0);
    assert!(was.compatibility(&now).differences[0].may_fire());
    let mut now = clinic();
    now.entities.push(EntityDef::default());
    idle(&mut now, 2);
    assert!(
        !was.compatibility(&now)
            .differences
            .iter()
            .any(Difference::may_fire)
    );
}
