//! Values of fields: the six types that random models use, and where predicates lie in a schema's text.

use std::any::Any;
use std::sync::LazyLock;
use std::time::Duration;

use ironweave::Timestamp;
use ironweave::plumbing::Value;
use ironweave::schema::{ColumnIx, EdgeIx, Hop, Schema};

/// A value, as the oracle knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Val {
    U(u64),
    S(String),
    O(Option<i64>),
    /// Microseconds.
    T(i64),
    /// Microseconds.
    M(Option<i64>),
    /// Nanoseconds.
    D(u128),
}

/// A type of values, by its name in the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    U,
    S,
    O,
    T,
    M,
    D,
}

/// The Rust type of values of a type.
pub trait Typed: Value + Ord + Clone {
    const TY: Ty;
    fn read(value: &Val) -> Self;
    fn val(&self) -> Val;
}

macro_rules! typed {
    ($($variant:ident $ty:ty, $of:expr, $val:expr;)*) => {$(
        impl Typed for $ty {
            const TY: Ty = Ty::$variant;

            fn read(value: &Val) -> Self {
                match value {
                    Val::$variant(x) => $of(x),
                    other => unreachable!("{other:?} is of another type"),
                }
            }

            fn val(&self) -> Val {
                Val::$variant($val(self))
            }
        }
    )*};
}

typed! {
    U u64, |x: &u64| *x, |x: &Self| *x;
    S String, String::clone, Self::clone;
    O Option<i64>, |x: &Option<i64>| *x, |x: &Self| *x;
    T Timestamp, |x: &i64| Timestamp::from_micros(*x), |x: &Self| x.as_micros();
    M Option<Timestamp>, |x: &Option<i64>| x.map(Timestamp::from_micros), |x: &Self| x.map(Timestamp::as_micros);
    D Duration, |x: &u128| duration(*x), Self::as_nanos;
}

pub fn duration(nanos: u128) -> Duration {
    let secs = u64::try_from(nanos / 1_000_000_000).expect("a duration");
    Duration::new(secs, (nanos % 1_000_000_000) as u32)
}

/// Runs code with the Rust type of a type of values.
macro_rules! with_type {
    ($ty:expr, $t:ident => $body:expr) => {
        $crate::values::with_type!(@ $ty, $t, $body,
            (U u64) (S String) (O Option<i64>) (T ironweave::Timestamp) (M Option<ironweave::Timestamp>)
            (D std::time::Duration))
    };
    (@ $ty:expr, $t:ident, $body:expr, $(($variant:ident $rust:ty))*) => {
        match $ty {
            $($crate::values::Ty::$variant => { type $t = $rust; $body })*
        }
    };
}
pub(crate) use with_type;

impl Val {
    /// The value as a Rust expression.
    pub fn expression(&self) -> String {
        match self {
            Self::U(n) => n.to_string(),
            Self::S(text) => format!("{text:?}"),
            Self::O(None) | Self::M(None) => "None".to_owned(),
            Self::O(Some(n)) => format!("Some({n})"),
            Self::T(micros) => format!("Timestamp::from_micros({micros})"),
            Self::M(Some(micros)) => format!("Some(Timestamp::from_micros({micros}))"),
            Self::D(nanos) => match u64::try_from(*nanos) {
                Ok(nanos) => format!("Duration::from_nanos({nanos})"),
                Err(_) => "Duration::MAX".to_owned(),
            },
        }
    }

    pub fn ty(&self) -> Ty {
        match self {
            Self::U(_) => Ty::U,
            Self::S(_) => Ty::S,
            Self::O(_) => Ty::O,
            Self::T(_) => Ty::T,
            Self::M(_) => Ty::M,
            Self::D(_) => Ty::D,
        }
    }
}

pub fn ty(name: &str) -> Ty {
    match name {
        "u64" => Ty::U,
        "String" => Ty::S,
        "Option<i64>" => Ty::O,
        "Timestamp" => Ty::T,
        "Option<Timestamp>" => Ty::M,
        "Duration" => Ty::D,
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
            Self::M => "Option<Timestamp>",
            Self::D => "Duration",
        }
    }

    /// Every value that a history uses: few, so that they meet.
    pub fn pool(self) -> Vec<Val> {
        fn of<T: Typed>(pool: &[T]) -> Vec<Val> {
            pool.iter().map(T::val).collect()
        }
        match self {
            Self::U => of(&U),
            Self::S => of(&S),
            Self::O => of(&O),
            Self::T => of(&T),
            Self::M => of(&M),
            Self::D => of(&D),
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

static M: [Option<Timestamp>; 5] = [
    Some(Timestamp::from_micros(0)),
    None,
    Some(Timestamp::from_micros(7)),
    Some(Timestamp::from_micros(40)),
    Some(Timestamp::from_secs(1_000_000)),
];
static D: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_micros(1),
    Duration::from_micros(20),
    Duration::from_nanos(1_999),
    Duration::from_secs(1_000_000),
    Duration::MAX,
];

/// A value of a pool with its Rust type, for as long as the program runs.
pub fn lasting(value: &Val) -> &'static dyn Any {
    fn of<T: Typed>(pool: &'static [T], value: &Val) -> &'static dyn Any {
        let value = T::read(value);
        let found = pool.iter().find(|p| **p == value);
        found.expect("a literal is of the pool")
    }
    match value.ty() {
        Ty::U => of(&U, value),
        Ty::S => of(&S, value),
        Ty::O => of(&O, value),
        Ty::T => of(&T, value),
        Ty::M => of(&M, value),
        Ty::D => of(&D, value),
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
