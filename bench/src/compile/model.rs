//! The sources that `compile` measures: a model of any number of entities, and plain types of the same number.
//!
//! Entities stand in a ring. Each has four states (two with data), four fields (one the key), two edges to the
//! entities after it, and so the inverses of two edges of the entities before it, and three events: one that creates
//! it with links, one that moves it by a token, and one with a handler (every second entity) or that sets a field (the
//! others). Names of states are the same in all, as they are apt to be.

use std::fmt::Write as _;

/// What is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The model.
    Ours,
    /// Structs and enums of the same number, with derives.
    Bare,
}

impl Who {
    /// Its name, in rows and in names of crates.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ironweave",
            Self::Bare => "bare",
        }
    }

    /// `src/lib.rs`. One event in the middle has a field more where it is `edited`.
    pub fn source(self, entities: usize, edited: bool) -> String {
        let types = (0..entities).fold(String::new(), |mut text, i| {
            let names = Names::of(i, entities);
            let edit = if edited && i == entities / 2 {
                "pub remark: String,"
            } else {
                ""
            };
            match self {
                Self::Ours => entity(&mut text, &names, edit),
                Self::Bare => structs(&mut text, &names, edit),
            }
            text
        });
        let mut text = match self {
            Self::Ours => format!(
                "//! A model of {entities} entities.\n\n\
                 #[ironweave::model]\npub mod model {{\n    use ironweave::prelude::*;\n{types}}}\n\n\
                 use ironweave::prelude::*;\nuse model::*;\n"
            ),
            Self::Bare => format!(
                "//! Types of {entities} entities.\n\nuse serde::{{Deserialize, Serialize}};\n\n\
                 #[derive(Clone, Copy, Debug, Serialize, Deserialize)]\npub struct Id(pub u64);\n\
                 #[derive(Clone, Copy, Debug, Serialize, Deserialize)]\npub struct Timestamp(pub i64);\n{types}"
            ),
        };
        if self == Self::Ours {
            (0..entities)
                .step_by(2)
                .for_each(|i| handler(&mut text, &Names::of(i, entities)));
        }
        text
    }
}

/// An entity and its neighbours in the ring.
struct Names {
    own: String,
    next: String,
    after_next: String,
    before: String,
    before_that: String,
    handles: bool,
}

impl Names {
    fn of(i: usize, entities: usize) -> Self {
        let name = |distance: usize| format!("Node{}", (i + distance) % entities);
        // Going back by one is going on by all but one.
        let back = |distance: usize| name(entities * 2 - distance);
        Self {
            own: name(0),
            next: name(1),
            after_next: name(2),
            before: back(1),
            before_that: back(2),
            handles: i.is_multiple_of(2),
        }
    }
}

fn entity(text: &mut String, names: &Names, edit: &str) {
    let Names {
        own,
        next,
        after_next,
        before,
        before_that,
        handles,
    } = names;
    let _ = write!(
        text,
        "
    /// One of many.
    #[entity]
    pub struct {own} {{
        #[key]
        pub name: String,
        /// For people.
        pub label: String,
        pub weight: u32,
        pub due: Timestamp,
        pub parts: Many<{next}>,
        pub owner: Option<{after_next}>,
        #[inverse({before}::parts)]
        pub part_of: Option<{before}>,
        #[inverse({before_that}::owner)]
        pub owns: Many<{before_that}>,
    }}
    #[states({own})]
    pub enum {own}State {{
        #[initial]
        #[to(Active, Failed)]
        Idle,
        #[to(Done, Failed)]
        Active {{ since: Timestamp }},
        #[terminal]
        Done,
        #[to(Idle)]
        Failed {{ reason: String }},
    }}

    /// An entity was made.
    #[event]
    #[create(node: {own} {{ name, label, weight, due = meta.time }})]
    #[link(node.parts += parts)]
    #[link(node.owner += owner)]
    pub struct {own}Made {{
        pub name: String,
        pub label: String,
        pub weight: u32,
        pub parts: Vec<{next}>,
        pub owner: Option<{after_next}>,
    }}

    #[event]
    #[moves(node: Idle -> Active {{ since }})]
    pub struct {own}Started {{ pub node: {own}<Idle>, pub since: Timestamp, {edit} }}
"
    );
    let third = if *handles {
        format!(
            "
    #[event]
    #[moves(node: Active -> Done)]
    #[may({next}: Active -> Failed)]
    pub struct {own}Ended {{ pub node: {own}<Active>, pub reason: String }}
"
        )
    } else {
        format!(
            "
    #[event]
    #[set(node.label = label)]
    pub struct {own}Named {{ pub node: {own}, pub label: String }}
"
        )
    };
    text.push_str(&third);
}

/// The handler of an entity's third event.
fn handler(text: &mut String, names: &Names) {
    let Names { own, next, .. } = names;
    let _ = write!(
        text,
        "
impl Apply for {own}Ended {{
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {{
        for part in bound.node.parts(tx) {{
            if let {next}State::Active(part) = part.state(tx) {{
                part.to_failed(tx, self.reason.as_str())?;
            }}
        }}
        Ok(())
    }}
}}
"
    );
}

fn structs(text: &mut String, names: &Names, edit: &str) {
    let own = &names.own;
    let third = if names.handles {
        format!("{own}Ended {{ pub node: Id, pub reason: String }}")
    } else {
        format!("{own}Named {{ pub node: Id, pub label: String }}")
    };
    let derives = "#[derive(Clone, Debug, Serialize, Deserialize)]";
    let _ = write!(
        text,
        "
/// One of many.
{derives}
pub struct {own} {{
    pub name: String,
    /// For people.
    pub label: String,
    pub weight: u32,
    pub due: Timestamp,
    pub parts: Vec<Id>,
    pub owner: Option<Id>,
    pub part_of: Option<Id>,
    pub owns: Vec<Id>,
    pub state: {own}State,
}}
{derives}
pub enum {own}State {{
    Idle,
    Active {{ since: Timestamp }},
    Done,
    Failed {{ reason: String }},
}}

/// An entity was made.
{derives}
pub struct {own}Made {{
    pub name: String,
    pub label: String,
    pub weight: u32,
    pub parts: Vec<Id>,
    pub owner: Option<Id>,
}}
{derives}
pub struct {own}Started {{ pub node: Id, pub since: Timestamp, {edit} }}
{derives}
pub struct {third}
"
    );
}
