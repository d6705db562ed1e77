//! What the declared arcs of a model tell apart although it is only a name: the slots and the keys of entities. Entities that
//! differ by nothing else are not symmetric then.
//!
//! Guards, handlers and the order in which immediate events fire can tell slots apart too. That is sampled.

use crate::schema::{Arc, ColumnIx, EntityIx, EventDef, Schema, SortBy, Source};

/// By entity type, why its slots, or its keys, have a meaning; `None` if no arc tells them apart.
pub(super) struct Observed {
    pub slots: Vec<Option<String>>,
    pub keys: Vec<Option<String>>,
}

impl Observed {
    pub(super) fn of(schema: &Schema) -> Self {
        let mut observed = Self {
            slots: vec![None; schema.entities.len()],
            keys: vec![None; schema.entities.len()],
        };
        for event in &schema.events {
            observed.compared(schema, event);
        }
        for event in &schema.events {
            for arc in &event.arcs {
                let Arc::Choose { name, order, .. } = arc else {
                    continue;
                };
                let entity = event[*name].entity;
                if !is_unique(schema, entity, order) {
                    let (event, name) = (&event.name, &event[*name].name);
                    let why = match order.is_empty() {
                        false => format!(
                            "{event} chooses `{name}` by slot among those that are equal in its order"
                        ),
                        true => format!("{event} chooses `{name}` by slot"),
                    };
                    observed.slots[entity.index()].get_or_insert(why);
                }
            }
        }
        observed
    }

    /// Notes the keys that an event compares.
    fn compared(&mut self, schema: &Schema, event: &EventDef) {
        let columns = |source: &Source| {
            let mut columns = Vec::new();
            add_columns(source, &mut columns);
            columns
        };
        for arc in &event.arcs {
            let mut read: Vec<ColumnIx> = Vec::new();
            match arc {
                Arc::Compare { left, right, .. } => {
                    read.extend(columns(left));
                    read.extend(columns(right));
                }
                Arc::Count { with, .. } => read.extend(columns(with)),
                Arc::Choose {
                    conditions, order, ..
                } => {
                    for condition in conditions {
                        read.push(condition.column);
                        read.extend(columns(&condition.with));
                    }
                    read.extend(order.iter().map(|order| order.column));
                }
                _ => {}
            }
            self.note(schema, event, &read);
        }
        if let Some(order) = event.order {
            self.note(schema, event, &[order.column]);
        }
    }

    fn note(&mut self, schema: &Schema, event: &EventDef, read: &[ColumnIx]) {
        for def in read.iter().map(|column| &schema[*column]) {
            if def.key {
                let why = format!("{} compares `{}`", event.name, schema.column_path(def));
                self.keys[def.entity.index()].get_or_insert(why);
            }
        }
    }
}

/// Whether no two entities are equal in an order.
fn is_unique(schema: &Schema, entity: EntityIx, order: &[SortBy]) -> bool {
    let columns = ColumnIx::all(schema.columns.len()).zip(&schema.columns);
    let mut keys = columns
        .filter(|(_, def)| def.entity == entity && def.key)
        .peekable();
    keys.peek().is_some() && keys.all(|(key, _)| order.iter().any(|order| order.column == key))
}

/// Adds the columns of entities that a value is made of.
fn add_columns(source: &Source, columns: &mut Vec<ColumnIx>) {
    match source {
        Source::Entity { column, .. } => columns.push(*column),
        Source::Calculated { left, right, .. } => {
            add_columns(left, columns);
            add_columns(right, columns);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::check::observed::Observed;
    use crate::schema::{
        Arc, BindBy, ChooseFrom, ColumnDef, EntityDef, EventDef, NameDef, NameIx, Schema, SortBy,
        StateDef, StateIx, Take,
    };

    /// Returns why slots and keys of an entity type have a meaning, whose event `Taken` chooses one by some columns. The columns are
    /// `name`, which is a key if `keys` is 1 or more, and `size`, which is another part of the key if it is 2.
    fn observed(keys: usize, by: &[u16]) -> [Option<String>; 2] {
        let column = |(at, name): (usize, &str)| ColumnDef {
            name: name.to_owned(),
            key: at < keys,
            ..ColumnDef::default()
        };
        let order = by.iter().map(|column| SortBy {
            column: (*column).into(),
            ..SortBy::default()
        });
        let schema = Schema {
            entities: vec![EntityDef {
                name: "Bed".to_owned(),
                states: vec![StateDef::default()],
                ..EntityDef::default()
            }],
            columns: ["name", "size"]
                .into_iter()
                .enumerate()
                .map(column)
                .collect(),
            events: vec![EventDef {
                name: "Taken".to_owned(),
                names: vec![NameDef {
                    name: "bed".to_owned(),
                    by: BindBy::Chosen,
                    ..NameDef::default()
                }],
                arcs: vec![Arc::Choose {
                    name: NameIx::new(0),
                    from: ChooseFrom::Place,
                    states: vec![StateIx::new(0)],
                    conditions: Vec::new(),
                    order: order.collect(),
                    take: Take::One,
                }],
                ..EventDef::default()
            }],
            ..Schema::default()
        };
        let observed = Observed::of(&schema);
        [observed.slots[0].clone(), observed.keys[0].clone()]
    }

    #[test]
    fn a_choice_distinguishes_slots_unless_its_order_is_that_of_a_key() {
        let slots = |text: &str| Some(format!("Taken chooses `bed` by slot{text}"));
        let among_equal = " among those that are equal in its order";
        let key = Some("Taken compares `Bed.name`".to_owned());
        assert_eq!(observed(0, &[0]), [slots(among_equal), None]);
        assert_eq!(observed(1, &[]), [slots(""), None]);
        assert_eq!(observed(1, &[1]), [slots(among_equal), None]);
        assert_eq!(observed(1, &[0]), [None, key.clone()]);
        assert_eq!(observed(1, &[1, 0]), [None, key.clone()]);
        // One part of a key can be equal.
        assert_eq!(observed(2, &[0]), [slots(among_equal), key.clone()]);
        assert_eq!(observed(2, &[1, 0])[0], None);
    }
}
