//! Values of fields: the four types that random models use, and where predicates lie in a schema's text.

use ironweave::Timestamp;
use ironweave::schema::{Arc, Assign, ColumnIx, EdgeIx, EventDef, Hop, Schema, Source};
use std::any::Any;
use std::sync::LazyLock;

/// A value, as the oracle knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Val {
    U(u64),
    S(String),
    O(Option<i64>),
    T(i64),
}

/// A type of values, by its name in the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    U,
    S,
    O,
    T,
}

pub fn ty(name: &str) -> Ty {
    match name {
        "u64" => Ty::U,
        "String" => Ty::S,
        "Option<i64>" => Ty::O,
        "Timestamp" => Ty::T,
        other => panic!("no type of a value: {other}"),
    }
}

impl Ty {
    pub fn name(self) -> &'static str {
        match self {
            Self::U => "u64",
            Self::S => "String",
            Self::O => "Option<i64>",
            Self::T => "Timestamp",
        }
    }

    /// Every value that a history uses: few, so that they meet.
    pub fn pool(self) -> Vec<Val> {
        match self {
            Self::U => U.iter().map(|x| Val::U(*x)).collect(),
            Self::S => S.iter().map(|x| Val::S(x.clone())).collect(),
            Self::O => O.iter().map(|x| Val::O(*x)).collect(),
            Self::T => T.iter().map(|x| Val::T(x.as_micros())).collect(),
        }
    }

    /// What a defaulted field has where nothing is given.
    pub fn default(self) -> Val {
        self.pool().swap_remove(1)
    }
}

static U: [u64; 8] = [0, 1, 2, 3, 24, 300, 70_000, u64::MAX];
static S: LazyLock<Vec<String>> = LazyLock::new(|| {
    let long = "a text that is longer than two hundred and fifty-six bytes ".repeat(5);
    [
        "",
        "a",
        "b",
        "c",
        "d",
        "e",
        "ä and more than 24 bytes",
        &long,
    ]
    .map(str::to_owned)
    .to_vec()
});
static O: [Option<i64>; 7] = [
    Some(-1),
    None,
    Some(0),
    Some(5),
    Some(-25),
    Some(i64::MIN),
    Some(1 << 40),
];
static T: [Timestamp; 4] = [
    Timestamp::from_micros(0),
    Timestamp::from_micros(7),
    Timestamp::from_micros(-300),
    Timestamp::from_secs(1_000_000),
];

/// A value of a pool with its Rust type, for as long as the program runs.
pub fn lasting(value: &Val) -> &'static dyn Any {
    let known = "a literal is of the pool";
    match value {
        Val::U(x) => U.iter().find(|p| *p == x).expect(known),
        Val::S(x) => S.iter().find(|p| *p == x).expect(known),
        Val::O(x) => O.iter().find(|p| *p == x).expect(known),
        Val::T(x) => T.iter().find(|p| p.as_micros() == *x).expect(known),
    }
}

/// A literal as it stands in the schema: its place in the pool.
pub fn literal(ty: Ty, text: &str) -> Val {
    let at: usize = text.parse().expect("a place in the pool");
    ty.pool().swap_remove(at)
}

/// The type of a column.
pub fn column_ty(schema: &Schema, column: ColumnIx) -> Ty {
    ty(&schema.columns[usize::from(column)].ty)
}

/// Every value that an arc writes, with its type.
pub fn sources<'a>(schema: &'a Schema, arc: &'a Arc) -> Vec<(Ty, &'a Source)> {
    let of = |a: &'a Assign| (column_ty(schema, a.column), &a.source);
    let on = |hop: &Hop| {
        let data = &schema.edges[usize::from(hop.edge)].data;
        ty(data.as_ref().expect("an edge with data"))
    };
    match arc {
        Arc::Create { values, .. } => values.iter().map(of).collect(),
        Arc::Move { data, .. } => data.iter().map(of).collect(),
        Arc::Set { value, .. } => vec![of(value)],
        Arc::Link { hop, data, .. } | Arc::Relink { hop, data, .. } => {
            data.iter().map(|d| (on(hop), d)).collect()
        }
        Arc::SetLink { hop, data, .. } => vec![(on(hop), data)],
        Arc::Unlink { .. } | Arc::Delete { .. } | Arc::When { .. } | Arc::Unknown(_) => Vec::new(),
        Arc::Count { .. } | Arc::Compare { .. } | Arc::Choose { .. } => {
            unreachable!("no random model has one")
        }
    }
}

/// The literals of an event, by index minus the number of its fields.
pub fn literals(schema: &Schema, event: &EventDef) -> Vec<Val> {
    let mut found = Vec::new();
    for (ty, source) in event.arcs.iter().flat_map(|arc| sources(schema, arc)) {
        if let Source::Literal { index, text } = source {
            found.push((*index, literal(ty, text)));
        }
    }
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, value)| value).collect()
}

/// A predicate of an invariant; the schema has it as text.
#[derive(Clone, Debug)]
pub enum Rule {
    /// In these states (a bit each), it has at most so many links.
    Links(u64, Hop, usize),
    /// In these states, all (or not all) that it is linked with are in those.
    Far(u64, Hop, bool, u64),
    /// A number of its own is less than that.
    Below(ColumnIx, u64),
}

fn hop(edge: u64, forward: u64) -> Hop {
    Hop {
        edge: EdgeIx::new(edge as u16),
        forward: forward == 1,
    }
}

fn numbers(text: &str) -> Vec<u64> {
    let words = text.split(' ').skip(1);
    words.map(|w| w.parse().expect("a number")).collect()
}

impl Rule {
    pub fn text(&self) -> String {
        match self {
            Self::Links(own, hop, max) => {
                format!("links {own} {} {} {max}", hop.edge, u64::from(hop.forward))
            }
            Self::Far(own, hop, all, far) => format!(
                "far {own} {} {} {} {far}",
                hop.edge,
                u64::from(hop.forward),
                u64::from(*all)
            ),
            Self::Below(column, limit) => format!("below {column} {limit}"),
        }
    }

    pub fn read(text: &str) -> Self {
        let n = numbers(text);
        match text.split(' ').next() {
            Some("links") => Self::Links(n[0], hop(n[1], n[2]), n[3] as usize),
            Some("far") => Self::Far(n[0], hop(n[1], n[2]), n[3] == 1, n[4]),
            _ => Self::Below(ColumnIx::new(n[0] as u16), n[1]),
        }
    }
}

/// A guard; the schema has it as text.
#[derive(Clone, Debug)]
pub enum Guard {
    /// That field of the event, a number, is not 2.
    NotTwo(usize),
    /// The entity of that name has at most so many links there.
    Links(usize, Hop, usize),
}

impl Guard {
    pub fn text(&self) -> String {
        match self {
            Self::NotTwo(field) => format!("not_two {field}"),
            Self::Links(name, hop, max) => {
                format!("links {name} {} {} {max}", hop.edge, u64::from(hop.forward))
            }
        }
    }

    pub fn read(text: &str) -> Self {
        let n = numbers(text);
        if text.starts_with("not_two") {
            return Self::NotTwo(n[0] as usize);
        }
        Self::Links(n[0] as usize, hop(n[1], n[2]), n[3] as usize)
    }
}
