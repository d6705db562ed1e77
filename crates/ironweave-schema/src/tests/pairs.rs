//! Random pairs of schemas, and a second judge of what their differences mean for a log: it follows names by nested loops, and decides
//! which numbers are wider from the values that the types of Rust have.

use std::collections::BTreeSet;

use super::random::Random;
use crate::*;

const TYPES: [&str; 14] = [
    "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i64", "i128", "f32", "f64", "String", "Color",
    "char",
];

impl Random {
    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }

    /// A few different names.
    fn some<'a>(&mut self, all: &[&'a str]) -> Vec<&'a str> {
        let mut some: Vec<&str> = all.iter().copied().filter(|_| self.below(4) > 0).collect();
        if self.below(3) == 0 {
            some.reverse();
        }
        some
    }

    fn ty(&mut self) -> String {
        let ty = self.pick(&TYPES);
        match self.below(4) {
            0 => format!("Option<{ty}>"),
            _ => ty.to_owned(),
        }
    }
}

fn encoding(ty: &str) -> Encoding {
    match ty.strip_prefix("Option<") {
        Some(inner) => Encoding::Option(Box::new(encoding(inner.trim_end_matches('>')))),
        None => Encoding::of_type(ty).unwrap_or_default(),
    }
}

/// A schema of few entities, with items of few names.
fn schema(random: &mut Random) -> Schema {
    let mut schema = Schema::default();
    for name in random.some(&["A", "B", "C"]) {
        let entity = EntityIx::at_end(&schema);
        let states: Vec<StateDef> = (random.some(&["S", "T", "U"]).into_iter())
            .map(|name| StateDef {
                name: name.to_owned(),
                ..StateDef::default()
            })
            .collect();
        let places = (0..states.len()).map(|state| Some(StateIx::new(state as u8)));
        for state in std::iter::once(None).chain(places) {
            for name in random.some(&["x", "y"]) {
                let ty = random.ty();
                schema.columns.push(ColumnDef {
                    entity,
                    state,
                    name: name.to_owned(),
                    encoding: Some(encoding(&ty)),
                    key: state.is_none() && random.below(4) == 0,
                    default: (random.below(4) == 0).then(|| "default".to_owned()),
                    ty,
                    ..ColumnDef::default()
                });
            }
        }
        schema.entities.push(EntityDef {
            name: name.to_owned(),
            states,
            ..EntityDef::default()
        });
    }
    let entities = schema.entities.len() as u64;
    if entities > 0 {
        for name in random.some(&["e", "f"]) {
            let end = |random: &mut Random, name: String| {
                let cardinality = match random.below(3) {
                    0 => Cardinality::One,
                    1 => Cardinality::Option,
                    _ => Cardinality::Many,
                };
                EndDef {
                    entity: EntityIx::from(random.below(entities) as u16),
                    name,
                    cardinality,
                    min: u32::from(cardinality == Cardinality::One),
                    ..EndDef::default()
                }
            };
            let (from, to) = (
                end(random, name.to_owned()),
                end(random, format!("{name}_of")),
            );
            let data = (random.below(2) == 0).then(|| random.ty());
            schema.edges.push(EdgeDef {
                from,
                to,
                encoding: data.as_deref().map(encoding),
                default: (random.below(4) == 0).then(|| "default".to_owned()),
                data,
                acyclic: random.below(4) == 0,
                ..EdgeDef::default()
            });
        }
    }
    for name in random.some(&["E", "F", "G"]) {
        let field = |(random, name): (&mut Random, &str)| {
            let ty = random.ty();
            EventFieldDef {
                name: name.to_owned(),
                encoding: Some(encoding(&ty)),
                default: (random.below(4) == 0).then(|| "default".to_owned()),
                ty,
                ..EventFieldDef::default()
            }
        };
        let names = random.some(&["p", "q"]);
        schema.events.push(EventDef {
            name: name.to_owned(),
            immediate: random.below(5) == 0,
            fields: names
                .into_iter()
                .map(|name| field((random, name)))
                .collect(),
            ..EventDef::default()
        });
    }
    for name in random.some(&["I", "J"]) {
        schema.invariants.push(InvariantDef {
            name: name.to_owned(),
            check: random.pick(&["f", "g"]).to_owned(),
            ..InvariantDef::default()
        });
    }
    schema
}

impl EntityIx {
    fn at_end(schema: &Schema) -> Self {
        Self::from(schema.entities.len() as u16)
    }
}

/// Renames items of `now` from items of `was` that `now` does not have: some of them get a name of their own.
fn rename<'a, T: 'a>(
    random: &mut Random,
    was: &[String],
    now: impl Iterator<Item = &'a mut T>,
    parts: fn(&mut T) -> (&mut String, &mut Vec<String>),
) {
    let mut now: Vec<&mut T> = now.collect();
    let mut free: Vec<String> = was.to_vec();
    free.retain(|name| now.iter_mut().all(|item| parts(item).0 != name));
    for item in now {
        let (name, renamed) = parts(item);
        if was.contains(name) {
            if random.below(3) == 0 {
                // It has no effect.
                renamed.push("never".to_owned());
            }
        } else if random.below(2) == 0
            && let Some(former) = free.pop()
        {
            renamed.extend(["never".to_owned(), former]);
        }
    }
}

fn names<'a>(all: impl Iterator<Item = &'a String>) -> Vec<String> {
    all.cloned().collect()
}

/// The item of an earlier list that one of a later list was.
fn earlier<'a, T>(
    was: &'a [T],
    name: impl Fn(&T) -> &str,
    (now, renamed): (&str, &[String]),
) -> Option<&'a T> {
    let of = |wanted: &str| was.iter().find(|item| name(item) == wanted);
    of(now).or_else(|| renamed.iter().find_map(|former| of(former)))
}

/// The smallest and the largest value of an integer type.
fn range(ty: &str) -> Option<(i128, u128)> {
    macro_rules! of {
        ($($int:ident)*) => {
            match ty { $(stringify!($int) => Some(($int::MIN as i128, $int::MAX as u128)),)* _ => None }
        };
    }
    match ty {
        "u128" => Some((0, u128::MAX)),
        _ => of!(u8 u16 u32 u64 i8 i16 i32 i64 i128),
    }
}

fn inner(ty: &str) -> Option<&str> {
    ty.strip_prefix("Option<")?.strip_suffix('>')
}

/// Whether values can be read: always, never, or `None` if only the values show it.
fn is_read(was: &str, now: &str) -> Option<bool> {
    if was == now || inner(now) == Some(was) {
        return Some(true);
    }
    match (inner(was), inner(now)) {
        (Some(was), Some(now)) => is_read(was, now),
        (None, Some(now)) => is_read(was, now),
        // An option is not known to be readable as a type that the schema does not know.
        (Some(_), None) => (now != "Color").then_some(false),
        (None, None) if was == "Color" || now == "Color" => None,
        (None, None) => {
            let wider = range(was).zip(range(now));
            let wider = wider.is_some_and(|(was, now)| now.0 <= was.0 && now.1 >= was.1);
            Some(wider || (was, now) == ("f32", "f64"))
        }
    }
}

/// What a log must not have, and what is refused in any case.
fn judged(was: &Schema, now: &Schema) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let mut needs = |check: Check| {
        out.insert(format!("{check:?}"));
    };
    // The later index of each earlier entity type, and of its states.
    let entity_of = |def: &EntityDef| {
        let found = earlier(&was.entities, |e| &e.name, (&def.name, &def.renamed))?;
        was.entities.iter().position(|e| std::ptr::eq(e, found))
    };
    let entities: Vec<Option<usize>> = now.entities.iter().map(entity_of).collect();
    for (at, old) in was.entities.iter().enumerate() {
        let Some(kept) = entities.iter().position(|of| *of == Some(at)) else {
            needs(Check::NoEntity(old.name.clone()));
            continue;
        };
        let new = &now.entities[kept];
        let states: Vec<Option<&StateDef>> = (new.states.iter())
            .map(|s| earlier(&old.states, |s| &s.name, (&s.name, &s.renamed)))
            .collect();
        for state in &old.states {
            if !states.iter().flatten().any(|kept| kept.name == state.name) {
                needs(Check::NoneIn {
                    entity: new.name.clone(),
                    state: state.name.clone(),
                });
            }
        }
        // The fields, and then the data of each state that both have.
        let places = (0..new.states.len()).filter_map(|s| {
            let old_state = old.states.iter().position(|o| Some(o) == states[s])?;
            Some((Some(old_state), Some(s)))
        });
        let mut keys = false;
        let keyed = now
            .columns
            .iter()
            .any(|c| usize::from(c.entity) == kept && c.key);
        for (old_state, new_state) in std::iter::once((None, None)).chain(places) {
            let of = |schema: &Schema, entity: usize, state: Option<usize>| -> Vec<ColumnDef> {
                let own = |c: &&ColumnDef| {
                    usize::from(c.entity) == entity && c.state.map(usize::from) == state
                };
                schema.columns.iter().filter(own).cloned().collect()
            };
            let (olds, news) = (of(was, at, old_state), of(now, kept, new_state));
            let item = |name: &str, ty: &str| match new_state {
                None => Item::Field {
                    entity: new.name.clone(),
                    name: name.to_owned(),
                    ty: ty.to_owned(),
                },
                Some(state) => Item::Data {
                    entity: new.name.clone(),
                    state: new.states[state].name.clone(),
                    name: name.to_owned(),
                    ty: ty.to_owned(),
                },
            };
            let found: Vec<Option<&ColumnDef>> = (news.iter())
                .map(|c| earlier(&olds, |c| &c.name, (&c.name, &c.renamed)))
                .collect();
            for old in &olds {
                if !found.iter().flatten().any(|kept| kept.name == old.name) {
                    needs(Check::NoValue(item(&old.name, &old.ty)));
                }
            }
            for (new_column, old) in news.iter().zip(found) {
                let (name, ty) = (&new_column.name, &new_column.ty);
                let Some(old) = old else {
                    let optional = new_column.default.is_some() || ty.starts_with("Option<");
                    match new_state {
                        _ if optional && !new_column.key => {}
                        None => needs(Check::NoEntity(new.name.clone())),
                        Some(state) => needs(Check::NoneIn {
                            entity: new.name.clone(),
                            state: new.states[state].name.clone(),
                        }),
                    }
                    continue;
                };
                keys |= old.key != new_column.key;
                match is_read(&old.ty, ty) {
                    Some(true) => {}
                    Some(false) => needs(Check::NoValue(item(name, ty))),
                    None => needs(Check::Readable {
                        item: item(name, ty),
                        ty: ty.clone(),
                    }),
                }
            }
        }
        if keys && keyed {
            needs(Check::UniqueKeys(new.name.clone()));
        }
    }
    let kept = |schema: &Schema, end: &EndDef| -> Option<usize> {
        let at = usize::from(end.entity);
        match std::ptr::eq(schema, was) {
            true => entities.iter().position(|of| *of == Some(at)),
            false => entities[at].map(|_| at),
        }
    };
    let item = |edge: &EdgeDef, schema: &Schema| Item::Edge {
        from: format!("{}.{}", schema[edge.from.entity].name, edge.from.name),
        to: format!("{}.{}", schema[edge.to.entity].name, edge.to.name),
    };
    let mut taken = vec![false; was.edges.len()];
    for new in &now.edges {
        let path = |end: &EndDef| format!("{}.{}", now[end.entity].name, end.name);
        let is_old = |old: &EdgeDef, name: &str| {
            kept(was, &old.from) == Some(usize::from(new.from.entity)) && old.from.name == name
        };
        let mut by_name = std::iter::once(&new.from.name).chain(&new.from.renamed);
        let old = by_name.find_map(|name| was.edges.iter().position(|old| is_old(old, name)));
        let Some(at) = old else {
            for end in [&new.from, &new.to] {
                if end.min > 0 && kept(now, end).is_some() {
                    needs(Check::NoEntity(now[end.entity].name.clone()));
                }
            }
            continue;
        };
        taken[at] = true;
        let (old, edge) = (&was.edges[at], item(new, now));
        if kept(was, &old.to) != Some(usize::from(new.to.entity)) {
            needs(Check::NoLink(edge.clone()));
        }
        match (&old.data, &new.data) {
            (None, None) => {}
            (Some(_), None) => needs(Check::NoLink(edge.clone())),
            (None, Some(ty)) => {
                if new.default.is_none() && !ty.starts_with("Option<") {
                    needs(Check::NoLink(edge.clone()));
                }
            }
            (Some(was), Some(ty)) => match is_read(was, ty) {
                Some(true) => {}
                Some(false) => needs(Check::NoLink(edge.clone())),
                None => needs(Check::Readable {
                    item: edge.clone(),
                    ty: ty.clone(),
                }),
            },
        }
        if new.acyclic && !old.acyclic {
            needs(Check::NoCycle(edge));
        }
        for (old, new) in [(&old.from, &new.from), (&old.to, &new.to)] {
            let at_least = old.min < new.min;
            let at_most = |end: &EndDef| end.cardinality != Cardinality::Many;
            if at_least || at_most(new) && !at_most(old) {
                needs(Check::Links {
                    end: path(new),
                    min: new.min,
                    max: new.max,
                });
            }
        }
    }
    for (old, taken) in was.edges.iter().zip(taken) {
        let ends = [&old.from, &old.to].map(|end| kept(was, end));
        if let ([Some(from), Some(to)], false) = (ends, taken) {
            let name = |entity: usize, end: &EndDef| {
                let ends = now.edges.iter().flat_map(|e| [&e.from, &e.to]);
                let renamed = ends.filter(|e| usize::from(e.entity) == entity);
                let mut renamed = renamed.filter(|e| e.renamed.contains(&end.name));
                let name = renamed.next().map_or(&end.name, |e| &e.name);
                format!("{}.{name}", now.entities[entity].name)
            };
            needs(Check::NoLink(Item::Edge {
                from: name(from, &old.from),
                to: name(to, &old.to),
            }));
        }
    }
    for new in &now.invariants {
        let old = earlier(&was.invariants, |i| &i.name, (&new.name, &new.renamed));
        let entity = |old: &InvariantDef| {
            let of = |schema: &Schema, at: EntityIx| schema.entities.get(usize::from(at)).cloned();
            let (old, new) = (of(was, old.entity), of(now, new.entity));
            let is_same = |(old, new): (EntityDef, EntityDef)| {
                old.name == new.name || new.renamed.contains(&old.name)
            };
            old.is_none() && new.is_none() || old.zip(new).is_some_and(is_same)
        };
        if old.is_none_or(|old| old.check != new.check || !entity(old)) {
            needs(Check::Invariant(new.name.clone()));
        }
    }
    for new in &now.events {
        let old = earlier(&was.events, |e| &e.name, (&new.name, &new.renamed));
        let Some(old) = old.filter(|old| !old.immediate && !new.immediate) else {
            continue;
        };
        if new.upcasts.contains(&old.name) {
            continue;
        }
        for field in &new.fields {
            let found = earlier(&old.fields, |f| &f.name, (&field.name, &field.renamed));
            let is_read = match found {
                Some(old) => is_read(&old.ty, &field.ty) == Some(true),
                None => field.default.is_some() || field.ty.starts_with("Option<"),
            };
            if !is_read {
                out.insert(format!("refused {} of {}", field.name, new.name));
            }
        }
    }
    out
}

/// The same of the comparison that is tested.
fn found(was: &Schema, now: &Schema) -> BTreeSet<String> {
    let differences = was.compatibility(now).differences;
    let needs = differences.into_iter().filter_map(|difference| {
        let text = difference.to_string();
        assert!(!text.is_empty());
        match difference.verdict {
            Verdict::Free => None,
            Verdict::Data { check, .. } => Some(format!("{check:?}")),
            Verdict::Refused { .. } => match difference.change {
                Change::Added(Item::EventField { event, name, .. })
                | Change::Changed {
                    item: Item::EventField { event, name, .. },
                    ..
                } => Some(format!("refused {name} of {event}")),
                other => panic!("{other} is refused"),
            },
        }
    });
    needs.collect()
}

#[test]
fn random_pairs_are_judged_as_by_a_second_judge() {
    let mut random = Random(0x0dd_ba11);
    let (mut free, mut refused) = (0, 0);
    for _ in 0..4_000 {
        let was = schema(&mut random);
        let mut now = match random.below(3) {
            0 => was.clone(),
            _ => schema(&mut random),
        };
        change(&mut random, &was, &mut now);
        let (expected, found) = (judged(&was, &now), found(&was, &now));
        assert_eq!(found, expected, "{}\n{}", was.to_json(), now.to_json());
        free += u32::from(expected.is_empty());
        refused += u32::from(expected.iter().any(|text| text.starts_with("refused")));
    }
    assert!(free > 100 && refused > 100, "{free} {refused}");
}

/// Changes a few types of a schema, and gives its items the names of items of an earlier one.
fn change(random: &mut Random, was: &Schema, now: &mut Schema) {
    for column in &mut now.columns {
        if random.below(6) == 0 {
            column.ty = random.ty();
            column.encoding = Some(encoding(&column.ty));
        }
    }
    for event in &mut now.events {
        if random.below(4) == 0 {
            event.upcasts.push(event.name.clone());
        }
    }
    let other = |random: &mut Random, name: &mut String| {
        if random.below(5) == 0 {
            name.push('2');
        }
    };
    now.entities
        .iter_mut()
        .for_each(|e| other(random, &mut e.name));
    now.events
        .iter_mut()
        .for_each(|e| other(random, &mut e.name));
    now.invariants
        .iter_mut()
        .for_each(|e| other(random, &mut e.name));
    for edge in &mut now.edges {
        other(random, &mut edge.from.name);
    }
    let entities = names(was.entities.iter().map(|e| &e.name));
    rename(random, &entities, now.entities.iter_mut(), |e| {
        (&mut e.name, &mut e.renamed)
    });
    let events = names(was.events.iter().map(|e| &e.name));
    rename(random, &events, now.events.iter_mut(), |e| {
        (&mut e.name, &mut e.renamed)
    });
    let invariants = names(was.invariants.iter().map(|e| &e.name));
    rename(random, &invariants, now.invariants.iter_mut(), |e| {
        (&mut e.name, &mut e.renamed)
    });
    let pair = |def: &EventDef| {
        let found = earlier(&was.events, |e| &e.name, (&def.name, &def.renamed));
        found.map_or_else(Vec::new, |e| names(e.fields.iter().map(|f| &f.name)))
    };
    for event in &mut now.events {
        let fields = pair(event);
        event
            .fields
            .iter_mut()
            .for_each(|f| other(random, &mut f.name));
        rename(random, &fields, event.fields.iter_mut(), |f| {
            (&mut f.name, &mut f.renamed)
        });
    }
    for at in 0..now.entities.len() {
        let def = &now.entities[at];
        let Some(old) = earlier(&was.entities, |e| &e.name, (&def.name, &def.renamed)) else {
            continue;
        };
        let states = names(old.states.iter().map(|s| &s.name));
        let index = was.entities.iter().position(|e| std::ptr::eq(e, old));
        rename(random, &states, now.entities[at].states.iter_mut(), |s| {
            (&mut s.name, &mut s.renamed)
        });
        let own = |c: &&ColumnDef| Some(usize::from(c.entity)) == index && c.state.is_none();
        let fields = names(was.columns.iter().filter(own).map(|c| &c.name));
        let new = now.columns.iter_mut();
        let mut new: Vec<&mut ColumnDef> = new
            .filter(|c| usize::from(c.entity) == at && c.state.is_none())
            .collect();
        new.iter_mut().for_each(|c| other(random, &mut c.name));
        rename(random, &fields, new.into_iter(), |c| {
            (&mut c.name, &mut c.renamed)
        });
        let own = |e: &&EdgeDef| Some(usize::from(e.from.entity)) == index;
        let ends = names(was.edges.iter().filter(own).map(|e| &e.from.name));
        let new = now
            .edges
            .iter_mut()
            .filter(|e| usize::from(e.from.entity) == at);
        rename(random, &ends, new, |e| {
            (&mut e.from.name, &mut e.from.renamed)
        });
    }
}
