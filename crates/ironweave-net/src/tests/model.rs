//! A schema from a short text, for tests.
//!
//! ```text
//! entity Bed Free Occupied Gone!          the first state is initial, `!` is terminal
//! to Bed Free Occupied                    the lifecycle allows Free -> Occupied
//! edge Ward.beds many, Bed.ward one       also `opt`, `min=1`, `max=2`, `counted`, `acyclic`, `cascade`, ..
//! event Admitted bed:Bed<Free> ward:Ward  `?` is an option, `*` a list, `!` and `!*` are ensured, `<State>` is a token, `u32` a value
//! immediate Cleaned bed:Bed
//!   create patient: Patient in Waiting
//!   move those ward.beds: Free | Gone -> Occupied
//!   link ward.beds += bed                 also `unlink`, `relink` and `data` (which sets the data of the links)
//!   set bed.Occupied.since                or `set bed.number`
//!   when any ward.beds in Free | Gone
//!   when count ward.beds in Free >= 2     or `when bed.number < ward.number`, also with literals and fields of the event
//!   choose bed: ward.beds in Free where number < limit by number desc       also `3 of Bed in Free`, `up to 3 of Bed in Free`
//!   by number desc                        the order of an immediate event
//!   due bed.Occupied.since
//!   delete bed
//!   guard rules::may_admit
//!   may Bed Free -> Gone                  also `may create Bed`, `may link Ward.beds`, `may set Bed.number`, ..
//! field Bed number                        a field, `field Bed Occupied since` is data of a state
//! ```

mod requirements;

use ironweave_schema::{
    Arc, Assign, BindBy, Cardinality, ColumnDef, ColumnIx, EdgeDef, EdgeIx, EndDef, EntityDef,
    EntityIx, EventDef, EventFieldDef, Hop, May, NameDef, NameIx, OnDelete, Path, Quantifier,
    Schema, Scope, Source, StateDef, StateIx, TransitionDef,
};

use crate::Net;

/// Returns the net of a model.
pub(crate) fn net(text: &str) -> Net {
    Net::of(&schema(text)).unwrap_or_else(|e| panic!("{e} in\n{text}"))
}

/// Reads a model.
pub(crate) fn schema(text: &str) -> Schema {
    let mut schema = Schema {
        name: "test".to_owned(),
        ..Schema::default()
    };
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "entity" => schema.entities.push(entity(rest)),
            "to" => add_move(&mut schema, rest),
            "edge" => add_edge(&mut schema, rest),
            "field" => add_field(&mut schema, rest),
            _ => {}
        }
    }
    for line in lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "entity" | "to" | "edge" | "field" => {}
            "event" | "immediate" => {
                let event = event(&schema, rest, word == "immediate");
                schema.events.push(event);
            }
            _ => {
                let mut event = schema.events.pop().expect("an arc follows an event");
                add_arc(&schema, &mut event, word, rest);
                schema.events.push(event);
            }
        }
    }
    schema
}

fn entity(text: &str) -> EntityDef {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap().to_owned();
    let states = words.map(|word| StateDef {
        name: word.trim_end_matches('!').to_owned(),
        terminal: word.ends_with('!'),
        ..StateDef::default()
    });
    EntityDef {
        name,
        states: states.collect(),
        ..EntityDef::default()
    }
}

fn find(schema: &Schema, name: &str) -> EntityIx {
    let at = schema.entities.iter().position(|e| e.name == name.trim());
    EntityIx::try_from(at.unwrap_or_else(|| panic!("no entity {name}"))).unwrap()
}

fn state(schema: &Schema, entity: EntityIx, name: &str) -> StateIx {
    let found = schema[entity].state(name.trim());
    found.unwrap_or_else(|| panic!("no state {name}"))
}

fn states(schema: &Schema, entity: EntityIx, text: &str) -> Vec<StateIx> {
    text.split('|').map(|s| state(schema, entity, s)).collect()
}

fn add_move(schema: &mut Schema, text: &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let entity = find(schema, words[0]);
    let (from, to) = (
        state(schema, entity, words[1]),
        state(schema, entity, words[2]),
    );
    let verb = format!("to_{}", words[2].to_lowercase());
    schema.entities[entity.index()].states[from.index()]
        .to
        .push(TransitionDef {
            to,
            verb,
            ..TransitionDef::default()
        });
}

fn add_field(schema: &mut Schema, text: &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let entity = find(schema, words[0]);
    let of = (words.len() == 3).then(|| state(schema, entity, words[1]));
    schema.columns.push(ColumnDef {
        entity,
        state: of,
        name: words.last().unwrap().to_string(),
        ty: "u32".to_owned(),
        ..ColumnDef::default()
    });
}

fn add_edge(schema: &mut Schema, text: &str) {
    let acyclic = text.split([' ', ',']).any(|word| word == "acyclic");
    let mut ends = text.split(',').map(|text| {
        let mut words = text.split_whitespace();
        let (entity, name) = words.next().unwrap().split_once('.').unwrap();
        let mut end = EndDef {
            entity: find(schema, entity),
            name: name.to_owned(),
            ..EndDef::default()
        };
        for word in words {
            match word {
                "many" => end.cardinality = Cardinality::Many,
                "opt" => end.cardinality = Cardinality::Option,
                "one" => end.cardinality = Cardinality::One,
                "acyclic" => {}
                "counted" => end.counted = true,
                "cascade" => end.on_delete = OnDelete::Cascade,
                "restrict" => end.on_delete = OnDelete::Restrict,
                "unlink" => end.on_delete = OnDelete::Unlink,
                _ => match word.split_once('=') {
                    Some(("min", n)) => end.min = n.parse().unwrap(),
                    Some(("max", n)) => end.max = Some(n.parse().unwrap()),
                    _ => panic!("{word}"),
                },
            }
        }
        end
    });
    let (from, to) = (ends.next().unwrap(), ends.next().unwrap());
    let data = Some("u32".to_owned());
    schema.edges.push(EdgeDef {
        from,
        to,
        data,
        acyclic,
        ..EdgeDef::default()
    });
}

fn event(schema: &Schema, text: &str, immediate: bool) -> EventDef {
    let mut words = text.split_whitespace();
    let mut event = EventDef {
        name: words.next().unwrap().to_owned(),
        immediate,
        ..EventDef::default()
    };
    for word in words {
        let (name, ty) = word.split_once(':').unwrap();
        if ty == "u32" {
            event.fields.push(EventFieldDef {
                name: name.to_owned(),
                ty: ty.to_owned(),
                ..EventFieldDef::default()
            });
            continue;
        }
        let count = match ty {
            _ if ty.ends_with('?') => Cardinality::Option,
            _ if ty.ends_with('*') => Cardinality::Many,
            _ => Cardinality::One,
        };
        let plain = ty.trim_end_matches(['?', '*', '!']);
        let (of, token) = plain.split_once('<').unwrap_or((plain, ""));
        let entity = find(schema, of);
        let by = match token.strip_suffix('>') {
            Some(token) => BindBy::Token(state(schema, entity, token)),
            None if ty.contains('!') => BindBy::Ensure,
            None => BindBy::Handle,
        };
        event.fields.push(EventFieldDef {
            name: name.to_owned(),
            ty: ty.to_owned(),
            ..EventFieldDef::default()
        });
        event.names.push(NameDef {
            name: name.to_owned(),
            entity,
            count,
            by,
            ..NameDef::default()
        });
    }
    event
}

/// Reads a path, and returns the entity type that it reaches.
fn path(schema: &Schema, event: &EventDef, text: &str) -> (Path, EntityIx) {
    let mut words = text.trim().split('.');
    let root = words.next().unwrap();
    let at = event.names.iter().position(|n| n.name == root);
    let at = at.unwrap_or_else(|| panic!("no name {root} in {}", event.name));
    let mut entity = event.names[at].entity;
    let mut path = Path {
        root: NameIx::try_from(at).unwrap(),
        hops: Vec::new(),
    };
    for word in words {
        let (hop, far) = hop(schema, entity, word);
        path.hops.push(hop);
        entity = far;
    }
    (path, entity)
}

fn hop(schema: &Schema, entity: EntityIx, name: &str) -> (Hop, EntityIx) {
    for (edge, def) in EdgeIx::all(schema.edges.len()).zip(&schema.edges) {
        for forward in [true, false] {
            let (near, far) = (def.near(forward), def.far(forward));
            if near.entity == entity && near.name == name {
                return (Hop { edge, forward }, far.entity);
            }
        }
    }
    panic!("no edge {name} of {}", schema[entity].name)
}

fn column(schema: &Schema, entity: EntityIx, of: Option<StateIx>, name: &str) -> ColumnIx {
    let is = |c: &ColumnDef| c.entity == entity && c.state == of && c.name == name;
    ColumnIx::try_from(schema.columns.iter().position(is).unwrap()).unwrap()
}

fn add_arc(schema: &Schema, event: &mut EventDef, word: &str, rest: &str) {
    let arc = match word {
        "create" => {
            let (name, of) = rest.split_once(':').unwrap();
            let (of, within) = of.split_once(" in ").unwrap_or((of, ""));
            let entity = find(schema, of);
            event.names.push(NameDef {
                name: name.to_owned(),
                entity,
                count: Cardinality::One,
                by: BindBy::Created,
                ..NameDef::default()
            });
            let state = match within {
                "" => schema[entity].initial,
                _ => state(schema, entity, within),
            };
            let name = NameIx::try_from(event.names.len() - 1).unwrap();
            let values = Vec::new();
            Arc::Create {
                name,
                state,
                values,
            }
        }
        "move" => {
            let (of, moves) = rest.split_once(':').unwrap();
            let (from, to) = moves.split_once("->").unwrap();
            let (scope, of) = match of.split_once(' ') {
                Some(("those", of)) => (Scope::Those, of),
                Some(("each", of)) => (Scope::Each, of),
                _ => (Scope::Each, of),
            };
            let (path, entity) = path(schema, event, of);
            Arc::Move {
                scope,
                path,
                from: states(schema, entity, from),
                to: state(schema, entity, to),
                data: Vec::new(),
            }
        }
        "choose" => requirements::choose(schema, event, rest),
        "by" => {
            let entity = event.names[0].entity;
            event.order = Some(requirements::order(schema, entity, rest));
            return;
        }
        "due" => {
            event.due = Some(requirements::due(schema, event, rest));
            return;
        }
        "when" if rest.contains(['<', '=', '>']) => requirements::compared(schema, event, rest),
        "when" => {
            let (quantifier, rest) = rest.split_once(' ').unwrap();
            let (of, within) = rest.split_once(" in ").unwrap();
            let (path, entity) = path(schema, event, of);
            Arc::When {
                quantifier: match quantifier {
                    "all" => Quantifier::All,
                    "any" => Quantifier::Any,
                    "none" => Quantifier::None,
                    _ => panic!("{quantifier}"),
                },
                path,
                states: states(schema, entity, within),
            }
        }
        "link" | "relink" | "unlink" | "data" => {
            let symbol = if word == "unlink" { "-=" } else { "+=" };
            let (near, far) = rest.split_once(symbol).unwrap();
            let (near, name) = near.trim().rsplit_once('.').unwrap();
            let (near, entity) = path(schema, event, near);
            let (hop, _) = hop(schema, entity, name);
            let (with, _) = path(schema, event, far);
            let (path, data) = (near, None);
            match word {
                "link" => Arc::Link {
                    path,
                    hop,
                    with,
                    data,
                },
                "relink" => Arc::Relink {
                    path,
                    hop,
                    with,
                    data,
                },
                "unlink" => Arc::Unlink { path, hop, with },
                _ => Arc::SetLink {
                    path,
                    hop,
                    with,
                    data: Source::Time,
                },
            }
        }
        "set" => {
            let (of, field) = rest.rsplit_once('.').unwrap();
            let (of, within) = match of.rsplit_once('.') {
                Some((of, within)) if within.starts_with(char::is_uppercase) => (of, Some(within)),
                _ => (of, None),
            };
            let (path, entity) = path(schema, event, of);
            let within = within.map(|s| state(schema, entity, s));
            let value = Assign {
                column: column(schema, entity, within, field),
                source: Source::Time,
            };
            Arc::Set { path, value }
        }
        "delete" => Arc::Delete {
            path: path(schema, event, rest).0,
        },
        "guard" => return event.guards.push(rest.to_owned()),
        "may" => return event.mays.push(may(schema, rest)),
        _ => panic!("{word} {rest}"),
    };
    event.arcs.push(arc);
}

fn may(schema: &Schema, text: &str) -> May {
    let (word, rest) = text.split_once(' ').unwrap();
    let edge = || {
        let (entity, name) = rest.split_once('.').unwrap();
        hop(schema, find(schema, entity), name).0.edge
    };
    match word {
        "create" => May::Create(find(schema, rest)),
        "ensure" => May::Ensure(find(schema, rest)),
        "delete" => May::Delete(find(schema, rest)),
        "link" => May::Link(edge()),
        "relink" => May::Relink(edge()),
        "unlink" => May::Unlink(edge()),
        "data" => May::SetLink(edge()),
        "set" => {
            let (entity, name) = rest.split_once('.').unwrap();
            May::Set(column(schema, find(schema, entity), None, name))
        }
        entity => {
            let entity = find(schema, entity);
            let (from, to) = rest.split_once("->").unwrap();
            let (from, to) = (state(schema, entity, from), state(schema, entity, to));
            May::Move { entity, from, to }
        }
    }
}
