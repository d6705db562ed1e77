//! The syntax tree of a model, with spans and without checks.
//!
//! Names are plain identifiers; `check` resolves them.

pub use ironweave_schema::{Arithmetic, Comparison, MetaField, OnDelete, Quantifier};
use proc_macro2::{Ident, Span};
use syn::{Attribute, Item, Lit, LitStr, Type, Visibility};

/// The module under `#[ironweave::model]`.
pub struct Module {
    /// Attributes of the module.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// `#[entity]` structs.
    pub entities: Vec<Entity>,
    /// `#[states(..)]` enums.
    pub lifecycles: Vec<Lifecycle>,
    /// `#[event]` and `#[immediate]` structs.
    pub events: Vec<Event>,
    /// `#[invariant(..)]` structs.
    pub invariants: Vec<Invariant>,
    /// All other items, unchanged.
    pub others: Vec<Item>,
}

/// `#[entity] pub struct Name { .. }`.
pub struct Entity {
    /// Attributes that are not ours.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// Its fields.
    pub fields: Vec<Field>,
    /// `#[index(fields = [..])]`.
    pub indexes: Vec<EntityIndex>,
    /// Former names, by `#[renamed(from = "..")]`.
    pub renamed: Vec<LitStr>,
}

/// `#[index(ordered, name = name, fields = [field, State.item], while = State | State)]` on an entity.
pub struct EntityIndex {
    /// The word `index`.
    pub word: Ident,
    /// `ordered`.
    pub ordered: bool,
    /// `name = name`.
    pub name: Option<Ident>,
    /// The parts.
    pub parts: Vec<IndexPart>,
    /// `while = State | State`; empty if it is not given.
    pub states: Vec<Ident>,
}

/// A part of an index: a field, or data of a state.
pub struct IndexPart {
    /// The state of `State.item`.
    pub state: Option<Ident>,
    /// The field or item.
    pub name: Ident,
}

/// A field of an entity.
pub struct Field {
    /// Attributes that are not ours.
    pub attrs: Vec<Attribute>,
    /// Its visibility, which is also that of the accessor.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: Type,
    /// The word `key` of `#[key]`.
    pub key: Option<Ident>,
    /// `#[index]` or `#[index(ordered)]`.
    pub index: Option<Index>,
    /// `#[default]` or `#[default(value)]`.
    pub default: Option<Default>,
    /// `#[inverse(entity::field)]`.
    pub inverse: Option<(Ident, Ident)>,
    /// `#[edge(..)]`.
    pub edge: Option<EdgeOptions>,
    /// Whether it has an `#[inverse(..)]` that could not be read.
    pub unread: bool,
    /// Former names, by `#[renamed(from = "..")]`.
    pub renamed: Vec<LitStr>,
}

/// `#[index]`.
pub struct Index {
    /// The word `index`.
    pub word: Ident,
    /// `#[index(ordered)]`.
    pub ordered: bool,
}

/// `#[default]`.
pub struct Default {
    /// The word `default`.
    pub word: Ident,
    /// `#[default(value)]`; without one it is `Default::default()`.
    pub value: Option<syn::Expr>,
}

/// `#[edge(data = T, acyclic, min = n, max = n, counted, on_delete = policy)]`.
pub struct EdgeOptions {
    /// The word `edge`.
    pub word: Ident,
    /// The words `min` and `max`, for errors.
    pub bounds: Option<Ident>,
    /// `min = n`.
    pub min: Option<u32>,
    /// `max = n`.
    pub max: Option<u32>,
    /// `data = T`.
    pub data: Option<(Ident, Type)>,
    /// `acyclic`.
    pub acyclic: Option<Ident>,
    /// `counted`.
    pub counted: Option<Ident>,
    /// `on_delete = policy`.
    pub on_delete: Option<OnDelete>,
}

/// `#[states(Entity)] pub enum Name { .. }`.
pub struct Lifecycle {
    /// Attributes that are not ours.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// The name of the enum.
    pub name: Ident,
    /// The entity that has these states.
    pub entity: Ident,
    /// The states.
    pub states: Vec<State>,
}

/// A state.
pub struct State {
    /// Attributes that are not ours.
    pub attrs: Vec<Attribute>,
    /// Its name.
    pub name: Ident,
    /// The word `initial`.
    pub initial: Option<Ident>,
    /// The word `terminal`.
    pub terminal: Option<Ident>,
    /// `#[allow(unreached)]`.
    pub allow_unreached: bool,
    /// `#[to(..)]`: verbs and targets.
    pub to: Vec<To>,
    /// Its data.
    pub data: Vec<Data>,
    /// Whether it has a `#[to(..)]` that could not be read.
    pub unread: bool,
    /// Former names, by `#[renamed(from = "..")]`.
    pub renamed: Vec<LitStr>,
}

/// `B` or `verb -> B`.
pub struct To {
    /// The verb, if one was given.
    pub verb: Option<Ident>,
    /// The target.
    pub target: Ident,
}

/// A piece of state data.
pub struct Data {
    /// Attributes that are not ours.
    pub attrs: Vec<Attribute>,
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: Type,
    /// `#[default]` or `#[default(value)]`, for entities that were in the state before it had the data.
    pub default: Option<Default>,
    /// `#[index]` or `#[index(ordered)]`.
    pub index: Option<Index>,
    /// Former names, by `#[renamed(from = "..")]`.
    pub renamed: Vec<LitStr>,
}

/// `#[event]` or `#[immediate]` on a struct.
pub struct Event {
    /// Attributes that are not ours.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// Whether it fires by itself.
    pub immediate: bool,
    /// Which of the entities on which it is enabled it fires on first.
    pub order: Option<FiringOrder>,
    /// Its fields.
    pub fields: Vec<EventField>,
    /// Its arcs, in written order.
    pub arcs: Vec<Arc>,
    /// The attributes of arcs, `may` and guards as written, for its documentation.
    pub written: Vec<String>,
    /// The keywords of arcs that could not be parsed, so that their effects are unknown.
    pub unread: Vec<String>,
    /// Whether there is any `#[may(..)]`, even one that could not be parsed.
    pub has_may: bool,
    /// The arcs that its handler may execute.
    pub mays: Vec<May>,
    /// Its guards.
    pub guards: Vec<syn::Path>,
    /// Former names, by `#[renamed(from = "..")]`.
    pub renamed: Vec<LitStr>,
    /// `#[upcast(..)]`.
    pub upcasts: Vec<Upcast>,
    /// `#[due(..)]`.
    pub due: Option<Due>,
}

/// `#[due(name.field)]` or `#[due(name.State.field)]`: the time at which an event is due.
pub struct Due {
    /// The name that the event binds.
    pub name: Ident,
    /// The state that has the field; `None` for a field of the entity.
    pub state: Option<Ident>,
    /// The field.
    pub field: Ident,
}

impl Due {
    /// The field with its state: `Reserved.until`.
    pub fn time(&self) -> String {
        match &self.state {
            Some(state) => format!("{state}.{}", self.field),
            None => self.field.to_string(),
        }
    }
}

/// `#[upcast(from = "LoggedEvent", with = path::of::function)]`: how logged events are read as the event.
pub struct Upcast {
    /// The name of the logged events.
    pub from: LitStr,
    /// The function.
    pub with: syn::Path,
}

/// A field of an event.
pub struct EventField {
    /// Attributes that are not ours.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: Type,
    /// How it is read and written as JSON.
    pub json: Json,
    /// Former names, by `#[renamed(from = "..")]`.
    pub renamed: Vec<LitStr>,
}

/// `#[serde(..)]` and `#[default(..)]` on a field of an event.
#[derive(std::default::Default)]
pub struct Json {
    /// `rename = "name"`.
    pub rename: Option<syn::LitStr>,
    /// `alias = "name"`.
    pub aliases: Vec<syn::LitStr>,
    /// The value of the field if the JSON, or an event that was logged before, does not have it.
    pub default: Option<FieldDefault>,
}

/// The default of a field of an event.
pub enum FieldDefault {
    /// `#[serde(default)]` or `#[default]`: that of the type's `Default`.
    OfType,
    /// `#[serde(default = "path")]`: the result of a function.
    Call(syn::ExprPath),
    /// `#[default(value)]`.
    Value(syn::Expr),
}

/// `#[invariant(Entity, via = [..], path)]` on a unit struct.
pub struct Invariant {
    /// Attributes that are not ours.
    pub attrs: Vec<Attribute>,
    /// Its visibility.
    pub vis: Visibility,
    /// Its name.
    pub name: Ident,
    /// The entity type that it constrains.
    pub entity: Ident,
    /// The edges that it reads.
    pub via: Vec<Ident>,
    /// The function.
    pub check: syn::Path,
    /// Former names, by `#[renamed(from = "..")]`.
    pub renamed: Vec<LitStr>,
}

/// `root.hop.hop`.
#[derive(Clone)]
pub struct Path {
    /// A name of the event.
    pub root: Ident,
    /// Names of edges.
    pub hops: Vec<Ident>,
}

impl Path {
    /// The last identifier.
    pub fn last(&self) -> &Ident {
        self.hops.last().unwrap_or(&self.root)
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.root)?;
        self.hops.iter().try_for_each(|hop| write!(f, ".{hop}"))
    }
}

/// `name` or `name = value`.
pub struct Assign {
    /// The field that gets the value.
    pub name: Ident,
    /// The value; in the short form, the field of the event with that name.
    pub value: Value,
}

/// A value in an arc.
pub enum Value {
    /// A field of the event.
    Field(Ident),
    /// `meta.time`.
    Time,
    /// `meta.actor`, `meta.correlation`, `meta.causation`.
    Meta(MetaField),
    /// `name.field`: a field of a bound entity. `name.State.field`: data of its state.
    Of(Ident, Option<Ident>, Ident),
    /// A literal, perhaps after a minus.
    Literal(Option<syn::Token![-]>, Lit),
    /// `None`.
    None(Ident),
    /// `Some(literal)`.
    Some(Ident, Option<syn::Token![-]>, Lit),
    /// `value + value` or `value - value`.
    Calculated {
        /// The operation.
        operator: Arithmetic,
        /// The operator as written.
        at: Span,
        /// The left and the right operand.
        operands: Box<[Value; 2]>,
    },
}

/// A comparison: its operator, at which rustc reports types that cannot be compared, and its right operand.
pub struct Compared {
    /// The comparison.
    pub comparison: Comparison,
    /// The operator.
    pub at: Span,
    /// The right operand.
    pub with: Value,
}

/// Which of the entities of a path a move applies to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Nothing was written.
    Bare,
    /// `each`.
    Each,
    /// `those`.
    Those,
}

/// How links change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// `link(a.e += b)`.
    Link,
    /// `unlink(a.e -= b)`.
    Unlink,
    /// `relink(a.e += b)`.
    Relink,
}

impl LinkKind {
    /// The word as written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Unlink => "unlink",
            Self::Relink => "relink",
        }
    }

    /// The operator between the edge and the linked path.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Unlink => "-=",
            Self::Link | Self::Relink => "+=",
        }
    }
}

/// One thing that an event does.
pub enum Arc {
    /// `create(name: Entity { .. } in State { .. })`.
    Create {
        /// The name it introduces.
        name: Ident,
        /// The entity type.
        entity: Ident,
        /// Fields.
        values: Vec<Assign>,
        /// The state and its data.
        state: Option<(Ident, Vec<Assign>)>,
    },
    /// `moves(scope path: A | B -> C { .. })`.
    Move {
        /// `each`, `those` or neither.
        scope: Scope,
        /// The entities.
        path: Path,
        /// Source states.
        from: Vec<Ident>,
        /// Target state.
        to: Ident,
        /// Its data.
        data: Vec<Assign>,
    },
    /// `link(path.edge += with)`, `unlink(path.edge -= with)`, `relink(path.edge += with)`.
    Link {
        /// Which of the three.
        kind: LinkKind,
        /// The near ends.
        path: Path,
        /// The edge.
        edge: Ident,
        /// The far ends.
        with: Path,
        /// `{ data }` or `{ data = value }`.
        data: Option<Assign>,
    },
    /// `set(path.edge[with] = value)`.
    SetLink {
        /// The near ends.
        path: Path,
        /// The edge.
        edge: Ident,
        /// The far ends.
        with: Path,
        /// The value.
        value: Value,
    },
    /// `delete(path)`.
    Delete {
        /// The entities.
        path: Path,
    },
    /// `set(path.field = value)` or `set(path.State.field = value)`.
    Set {
        /// The entities.
        path: Path,
        /// The field.
        field: Ident,
        /// The value.
        value: Value,
    },
    /// `when(quantifier path in A | B)`.
    When {
        /// All, any or none.
        quantifier: Quantifier,
        /// The entities.
        path: Path,
        /// The states.
        states: Vec<Ident>,
    },
    /// `when(count path in A | B >= value)`.
    Count {
        /// The entities.
        path: Path,
        /// The states; empty if any counts.
        states: Vec<Ident>,
        /// The comparison of their number.
        compared: Compared,
    },
    /// `when(value < value)`.
    Compare(Value, Compared),
    /// `choose(name: path in A | B where field == value by field desc)`.
    Choose(Box<Choose>),
}

/// A name that is bound to entities which the event chooses.
pub struct Choose {
    /// The name it introduces.
    pub name: Ident,
    /// How many.
    pub take: Take,
    /// An entity type, or a path to the candidates.
    pub from: Path,
    /// The states of a candidate.
    pub states: Vec<Ident>,
    /// Further conditions on a candidate.
    pub conditions: Vec<CandidateWhere>,
    /// Which candidate is the first: by the first field, of equal values by the second and so on.
    pub order: Vec<ChosenOrder>,
}

/// How many candidates are chosen.
pub enum Take {
    /// One.
    One,
    /// `3 of`, with the place of the number.
    Exactly(Span, Value),
    /// `up to 3 of`, with the place of the number.
    UpTo(Span, Value),
}

/// `field` or `State.field` of a candidate.
pub struct CandidateColumn {
    /// The state.
    pub state: Option<Ident>,
    /// The field.
    pub name: Ident,
}

/// `field <= value`: a condition on a candidate.
pub struct CandidateWhere {
    /// The left operand.
    pub column: CandidateColumn,
    /// The comparison and the right operand.
    pub compared: Compared,
}

/// `by field desc`.
pub struct ChosenOrder {
    /// The field.
    pub column: CandidateColumn,
    /// Whether the greatest value comes first.
    pub descending: bool,
}

/// `immediate(by = name.field desc)`.
pub struct FiringOrder {
    /// The name of the only field of the event.
    pub root: Ident,
    /// What it is ordered by.
    pub order: ChosenOrder,
}

/// One thing that a handler may do.
pub enum May {
    /// `Entity: A | B -> C`.
    Move {
        /// The entity type.
        entity: Ident,
        /// Source states.
        from: Vec<Ident>,
        /// Target state.
        to: Ident,
    },
    /// `link Entity.edge`, `unlink Entity.edge`, `relink Entity.edge`.
    Link(LinkKind, Ident, Ident),
    /// `set Entity.field`; `set Entity.edge`, for the data of links; `set Entity.State.field`, for state data.
    Set(Ident, Option<Ident>, Ident),
    /// `create Entity`, `ensure Entity`, `delete Entity`.
    Whole(Whole, Ident),
}

/// A permission for a whole entity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// `create T`.
    Create,
    /// `ensure T`.
    Ensure,
    /// `delete T`.
    Delete,
}

impl Whole {
    /// The word as written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Ensure => "ensure",
            Self::Delete => "delete",
        }
    }
}
