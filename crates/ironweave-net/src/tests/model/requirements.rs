//! Choices, counts, comparisons, orders and due times, as text.

use ironweave_schema::{
    Arc, Arithmetic, BindBy, Cardinality, ChooseFrom, ChooseWhere, ColumnIx, Comparison, DueDef,
    EntityIx, EventDef, FieldIx, FunctionIx, NameDef, NameIx, Schema, SortBy, Source, Take,
};

use super::{column, find, path, state, states};

/// Reads `bed: ward.beds in Free where number <= ward.number by number desc`, with a name of the event.
pub(super) fn choose(schema: &Schema, event: &mut EventDef, text: &str) -> Arc {
    let (name, rest) = text.split_once(':').unwrap();
    let (rest, order) = split(rest, " by ");
    let (rest, conditions) = split(rest, " where ");
    let (from, within) = rest.split_once(" in ").unwrap();
    let (take, from) = match from.split_once(" of ") {
        Some((take, from)) => (Some(take.trim()), from.trim()),
        None => (None, from.trim()),
    };
    let (from, entity) = match from.starts_with(char::is_uppercase) {
        true => (ChooseFrom::Place, find(schema, from)),
        false => {
            let (path, entity) = path(schema, event, from);
            (ChooseFrom::Path(path), entity)
        }
    };
    let conditions = conditions.iter().flat_map(|text| text.split(','));
    let conditions = conditions.map(|text| {
        let (column, comparison, with) = comparison(text);
        ChooseWhere {
            column: column_of(schema, entity, column),
            comparison,
            with: source(schema, event, with),
            function: FunctionIx::new(0),
        }
    });
    let (conditions, take) = (
        conditions.collect(),
        match take {
            None => Take::One,
            Some(take) => match take.strip_prefix("up to ") {
                Some(number) => Take::UpTo {
                    number: source(schema, event, number),
                    function: FunctionIx::new(0),
                },
                None => Take::Exactly {
                    number: source(schema, event, take),
                    function: FunctionIx::new(0),
                },
            },
        },
    );
    let order = order.map_or_else(Vec::new, |text| {
        (text.split(','))
            .map(|text| self::order(schema, entity, text))
            .collect()
    });
    event.names.push(NameDef {
        name: name.to_owned(),
        entity,
        count: match take {
            Take::One => Cardinality::One,
            _ => Cardinality::Many,
        },
        by: BindBy::Chosen,
        ..NameDef::default()
    });
    Arc::Choose {
        name: NameIx::try_from(event.names.len() - 1).unwrap(),
        from,
        states: states(schema, entity, within),
        conditions,
        order,
        take,
    }
}

/// Reads `count ward.beds in Free >= 2` or `bed.number < ward.number`.
pub(super) fn compared(schema: &Schema, event: &EventDef, text: &str) -> Arc {
    let (left, comparison, right) = comparison(text);
    let (right, function) = (source(schema, event, right), FunctionIx::new(0));
    let Some(counted) = left.strip_prefix("count ") else {
        return Arc::Compare {
            left: source(schema, event, left),
            comparison,
            right,
            function,
        };
    };
    let (counted, within) = split(counted, " in ");
    let (path, entity) = path(schema, event, counted);
    Arc::Count {
        path,
        states: within.map_or_else(Vec::new, |within| states(schema, entity, within)),
        comparison,
        with: right,
        function,
    }
}

/// Reads `number desc`, a column of an entity type.
pub(super) fn order(schema: &Schema, entity: EntityIx, text: &str) -> SortBy {
    let (column, descending) = match text.trim().strip_suffix(" desc") {
        Some(column) => (column, true),
        None => (text.trim(), false),
    };
    SortBy {
        column: column_of(schema, entity, column),
        descending,
        function: FunctionIx::new(0),
    }
}

/// Reads `bed.Occupied.since`.
pub(super) fn due(schema: &Schema, event: &EventDef, text: &str) -> DueDef {
    match source(schema, event, text) {
        Source::Entity { name, column } => DueDef {
            name,
            column,
            ..DueDef::default()
        },
        source => panic!("{source:?}"),
    }
}

fn split<'t>(text: &'t str, word: &str) -> (&'t str, Option<&'t str>) {
    match text.split_once(word) {
        Some((text, rest)) => (text, Some(rest)),
        None => (text, None),
    }
}

fn comparison(text: &str) -> (&str, Comparison, &str) {
    let all = [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let mut found = all.into_iter().filter_map(|(symbol, comparison)| {
        let (left, right) = text.split_once(symbol)?;
        Some((left.trim(), comparison, right.trim()))
    });
    found
        .next()
        .unwrap_or_else(|| panic!("no comparison in {text}"))
}

/// A column by its name, of the entity or of one of its states.
fn column_of(schema: &Schema, entity: EntityIx, name: &str) -> ColumnIx {
    let mut columns = schema.columns.iter();
    let at = columns.position(|c| c.entity == entity && c.name == name);
    ColumnIx::try_from(at.unwrap_or_else(|| panic!("no field {name}"))).unwrap()
}

fn source(schema: &Schema, event: &EventDef, text: &str) -> Source {
    let text = text.trim();
    for (symbol, operator) in [(" + ", Arithmetic::Add), (" - ", Arithmetic::Subtract)] {
        if let Some((left, right)) = text.split_once(symbol) {
            return Source::Calculated {
                operator,
                left: Box::new(source(schema, event, left)),
                right: Box::new(source(schema, event, right)),
                function: FunctionIx::new(0),
            };
        }
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return Source::Literal {
            index: FieldIx::new(0),
            text: text.to_owned(),
        };
    }
    if let Some(field) = event.fields.iter().position(|field| field.name == text) {
        return Source::Field(FieldIx::try_from(field).unwrap());
    }
    let words: Vec<&str> = text.split('.').collect();
    let name = event.names.iter().position(|name| name.name == words[0]);
    let name = name.unwrap_or_else(|| panic!("no value {text}"));
    let entity = event.names[name].entity;
    let column = match words[..] {
        [_, field] => column_of(schema, entity, field),
        [_, within, field] => column(schema, entity, Some(state(schema, entity, within)), field),
        _ => panic!("no value {text}"),
    };
    Source::Entity {
        name: NameIx::try_from(name).unwrap(),
        column,
    }
}
