//! Paths: the constants of an entity type by which filters refer to its fields and edges.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use super::Filter;
use super::node::{Node, Test};
use crate::base::id::Id;
use crate::db::entity::{Entity, Handle};
use crate::schema::{ColumnIx, Hop};
use crate::value::Value;

/// A field of an entity type, or a piece of the data of one of its states, in filters and in the order of pages.
///
/// The macro generates a constant for each: `Order::NUMBER` for the field `number` of `Order`, and `Order::<Sent>::AT` for the
/// data `at` of the state `Sent`, which is `Order::AT` as well if no other state has data of this name. `V` is the type of its values, and `I` is [`Ordered`] if it has `#[index(ordered)]`.
///
/// An entity that has no value, since it is not in the state of the data, meets none of the conditions. `!` accepts it.
///
/// | condition | with an index or a key, at most | otherwise |
/// |---|---|---|
/// | `eq`, `one_of` | O(log n + accepted entities) for each value | O(1) for each tested entity and value |
/// | `lt`, `le`, `gt`, `ge`, `within`, with an ordered index | O(log n + accepted entities) | O(1) for each tested entity |
/// | `ne`, `matches` | | O(1) for each tested entity |
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::{Bought, Lamp};
///
/// let mut store = Store::<lamps::Model>::memory();
/// for room in ["attic", "cellar", "hall"] {
///     store.try_step(Bought { room: room.into() })?;
/// }
/// let hall = Lamp::ROOM.eq("hall").first(&store).expect("it was bought");
/// assert_eq!(hall.room(&store), "hall");
/// assert_eq!(Lamp::ROOM.lt("hall").count(&store), 2);
/// assert_eq!(Lamp::ROOM.matches(|room| room.ends_with('r')).count(&store), 1);
/// # Ok::<(), StepError>(())
/// ```
pub struct FieldPath<T, V, I = NotOrdered> {
    pub(super) column: ColumnIx,
    of: Types<T, V, I>,
}

/// The types of a field: a path has no values of them.
type Types<T, V, I> = PhantomData<fn() -> (T, V, I)>;

/// The index of a field with `#[index(ordered)]`, in the type of its [`FieldPath`].
#[derive(Clone, Copy, Debug)]
pub enum Ordered {}

/// In the type of a [`FieldPath`], a field without `#[index(ordered)]`.
#[derive(Clone, Copy, Debug)]
pub enum NotOrdered {}

/// The index of a field by which results can be in order: [`Ordered`].
#[diagnostic::on_unimplemented(
    message = "results can be in order of a field that has an ordered index",
    label = "this field has no ordered index",
    note = "write `#[index(ordered)]` before the field in the model"
)]
pub trait IndexedInOrder {}

impl IndexedInOrder for Ordered {}

/// An end of an edge, in filters.
///
/// The macro generates a constant for each end: `Order::LINES` for the edge `lines` of `Order`. `E` is the type of the end: `F`
/// if it holds exactly one `F`, `Option<F>` if at most one, and [`Many<F>`](Many) if any number.
///
/// A query over an edge can begin at the far end: with the named entity, or with the entities that the inner filter accepts, and
/// their links. `Bed::WARD.is(icu)` costs O(beds of `icu`). An entity that was deleted is linked with nothing, so that
/// `is` and `contains` accept no entity then. The same holds for a handle of another store, unless that store has an entity of
/// this id.
///
/// | condition | at an end of type | accepts entities that are linked |
/// |---|---|---|
/// | `is(entity)` | `F`, `Option<F>` | with this entity |
/// | `contains(entity)` | `Many<F>` | with this entity, and perhaps with others |
/// | `is_some()`, `is_none()` | `Option<F>` | with an entity, with none |
/// | `is_empty()` | `Many<F>` | with none |
/// | `any(filter)`, `all(filter)`, `none(filter)` | each | with at least one, only with, with none of the entities that a filter accepts |
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/wards.rs")); } use doc::wards;
/// use ironweave::prelude::*;
/// use wards::{Bed, SetUp, Ward, state::Occupied};
///
/// let mut store = Store::<wards::Model>::memory();
/// for number in 1..=3 {
///     store.step(SetUp { number, ward: "icu".into() });
/// }
/// let icu = store.find::<Ward>("icu").expect("it has beds");
/// assert_eq!(Bed::WARD.is(icu).count(&store), 3);
/// assert_eq!(Ward::BEDS.any(Bed::NUMBER.ge(3)).first(&store), Some(icu));
/// assert_eq!(Ward::BEDS.all(Bed::in_place::<Occupied>()).count(&store), 0);
///
/// // The query began with the three links of the ward.
/// let plan = Bed::WARD.is(icu).explain(&store);
/// assert_eq!(
///     plan.to_string(),
///     "Bed: 3 of 3 by the links over Bed.ward from named entities, reading 4 values and links"
/// );
/// ```
pub struct EdgePath<T, E> {
    hop: Hop,
    of: PhantomData<fn() -> (T, E)>,
}

/// In the type of an [`EdgePath`], an end that holds any number of `F`.
#[derive(Clone, Copy, Debug)]
pub struct Many<F> {
    of: PhantomData<fn() -> F>,
}

/// The type of an end of an edge: `F`, `Option<F>` or [`Many<F>`](Many).
pub trait End {
    /// The entity type that the edge leads to.
    type Far: Entity;
}

/// The type of an end that holds at most one entity: `F` or `Option<F>`.
#[diagnostic::on_unimplemented(
    message = "an end that holds many is not one entity",
    label = "this end holds any number of entities",
    note = "write `contains(entity)` for the entities that are linked with this one, and perhaps with others"
)]
pub trait AtMostOne: End {}

impl<F: Entity> AtMostOne for F {}

impl<F: Entity> AtMostOne for Option<F> {}

impl<F: Entity> End for F {
    type Far = F;
}

impl<F: Entity> End for Option<F> {
    type Far = F;
}

impl<F: Entity> End for Many<F> {
    type Far = F;
}

/// The path of a column, for use in constants.
#[must_use]
pub const fn field_path<T, V, I>(column: u16) -> FieldPath<T, V, I> {
    FieldPath {
        column: ColumnIx::new(column),
        of: PhantomData,
    }
}

/// The path of an end of an edge, for use in constants.
#[must_use]
pub const fn edge_path<T, E>(hop: Hop) -> EdgePath<T, E> {
    EdgePath {
        hop,
        of: PhantomData,
    }
}

/// A value that is compared with a field of type `V`: a `V`, a reference to one, `&str` for a `String`, and any of these for an
/// `Option`.
#[diagnostic::on_unimplemented(
    message = "a field of type `{V}` cannot be compared with `{Self}`",
    label = "not a value of type `{V}`"
)]
pub trait Operand<V> {
    #[doc(hidden)]
    fn into_value(self) -> V;
}

impl<V> Operand<V> for V {
    fn into_value(self) -> V {
        self
    }
}

impl<V: Clone> Operand<V> for &V {
    fn into_value(self) -> V {
        self.clone()
    }
}

impl<V> Operand<Option<V>> for V {
    fn into_value(self) -> Option<V> {
        Some(self)
    }
}

impl Operand<String> for &str {
    fn into_value(self) -> String {
        self.to_owned()
    }
}

impl Operand<Option<String>> for &str {
    fn into_value(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl<T: Entity, V: Value, I> FieldPath<T, V, I> {
    fn test(self, test: Test) -> Filter<T> {
        Filter::new(Node::Value(Arc::new(test)))
    }

    fn range(self, from: Bound<V>, to: Bound<V>) -> Filter<T>
    where
        V: PartialOrd,
    {
        self.test(Test::range(self.column, (from, to)))
    }

    /// Returns a filter for entities whose value equals a value.
    ///
    /// With `#[index]`, values are equal as `by_FIELD` compares them: a type whose values can be equal and be serialized
    /// differently has them as different ones.
    #[must_use]
    pub fn eq(self, value: impl Operand<V>) -> Filter<T>
    where
        V: PartialEq,
    {
        self.one_of([value])
    }

    /// Returns a filter for entities that have a value other than this one.
    #[must_use]
    pub fn ne(self, value: impl Operand<V>) -> Filter<T>
    where
        V: PartialEq,
    {
        let has_value = self.matches(|_| true);
        has_value & !self.eq(value)
    }

    /// Returns a filter for entities whose value equals one of some values. Of no values, it accepts no entity.
    #[must_use]
    pub fn one_of(self, values: impl IntoIterator<Item = impl Operand<V>>) -> Filter<T>
    where
        V: PartialEq,
    {
        let values = values.into_iter().map(Operand::into_value);
        self.test(Test::equal(self.column, values))
    }

    /// Returns a filter for entities whose value is less than a value. As Rust compares them, `None` is less than each
    /// `Some`, and NaN is neither less nor greater than another number.
    #[must_use]
    pub fn lt(self, value: impl Operand<V>) -> Filter<T>
    where
        V: PartialOrd,
    {
        self.range(Bound::Unbounded, Bound::Excluded(value.into_value()))
    }

    /// Returns a filter for entities whose value is at most a value; see [`lt`](Self::lt).
    #[must_use]
    pub fn le(self, value: impl Operand<V>) -> Filter<T>
    where
        V: PartialOrd,
    {
        self.range(Bound::Unbounded, Bound::Included(value.into_value()))
    }

    /// Returns a filter for entities whose value is greater than a value; see [`lt`](Self::lt).
    #[must_use]
    pub fn gt(self, value: impl Operand<V>) -> Filter<T>
    where
        V: PartialOrd,
    {
        self.range(Bound::Excluded(value.into_value()), Bound::Unbounded)
    }

    /// Returns a filter for entities whose value is at least a value; see [`lt`](Self::lt).
    #[must_use]
    pub fn ge(self, value: impl Operand<V>) -> Filter<T>
    where
        V: PartialOrd,
    {
        self.range(Bound::Included(value.into_value()), Bound::Unbounded)
    }

    /// Returns a filter for entities whose value is within a range, as in `within(10..20)`. A range that ends before it begins
    /// accepts no entity.
    #[must_use]
    pub fn within(self, range: impl RangeBounds<V>) -> Filter<T>
    where
        V: PartialOrd,
    {
        self.range(range.start_bound().cloned(), range.end_bound().cloned())
    }

    /// Returns a filter for entities whose value a function accepts. The function is called during the query, for each
    /// entity that is tested, and no index is used.
    #[must_use]
    pub fn matches(self, accepts: impl Fn(&V) -> bool + Send + Sync + 'static) -> Filter<T> {
        self.test(Test::matches(self.column, accepts))
    }
}

impl<T: Entity, E: End> EdgePath<T, E> {
    fn linked(self, far: Node, levels: u16) -> Filter<T> {
        Filter::nested(Node::Linked(self.hop, Box::new(far)), levels)
    }

    fn linked_with(self, id: Id) -> Filter<T> {
        self.linked(Node::Named([id].into()), 0)
    }

    fn linked_at_all(self) -> Filter<T> {
        self.linked(Node::All(Vec::new()), 0)
    }

    /// Returns a filter for entities that are linked with this one, at an end that holds at most one. O(links of `entity` at the
    /// other end), if it is not combined with a condition that costs less.
    #[must_use]
    pub fn is(self, entity: impl Handle<Entity = E::Far>) -> Filter<T>
    where
        E: AtMostOne,
    {
        self.linked_with(entity.id())
    }

    /// Returns a filter for entities that are linked with at least one entity that a filter accepts.
    #[must_use]
    pub fn any(self, far: Filter<E::Far>) -> Filter<T> {
        self.linked(far.node, far.levels)
    }

    /// Returns a filter for entities of which each linked entity is accepted by a filter. It accepts an entity without links.
    #[must_use]
    pub fn all(self, far: Filter<E::Far>) -> Filter<T> {
        self.none(!far)
    }

    /// Returns a filter for entities that are linked with no entity that a filter accepts.
    #[must_use]
    pub fn none(self, far: Filter<E::Far>) -> Filter<T> {
        !self.any(far)
    }
}

impl<T: Entity, F: Entity> EdgePath<T, Option<F>> {
    /// Returns a filter for entities that are linked with one.
    #[must_use]
    pub fn is_some(self) -> Filter<T> {
        self.linked_at_all()
    }

    /// Returns a filter for entities that are not linked.
    #[must_use]
    pub fn is_none(self) -> Filter<T> {
        !self.linked_at_all()
    }
}

impl<T: Entity, F: Entity> EdgePath<T, Many<F>> {
    /// Returns a filter for entities that are linked with this one, and perhaps with others. O(links of `entity` at the other
    /// end), if it is not combined with a condition that costs less.
    #[must_use]
    pub fn contains(self, entity: impl Handle<Entity = F>) -> Filter<T> {
        self.linked_with(entity.id())
    }

    /// Returns a filter for entities that are not linked.
    #[must_use]
    pub fn is_empty(self) -> Filter<T> {
        !self.linked_at_all()
    }
}

impl<T, V, I> Clone for FieldPath<T, V, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V, I> Copy for FieldPath<T, V, I> {}

impl<T, V, I> fmt::Debug for FieldPath<T, V, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FieldPath").field(&self.column).finish()
    }
}

impl<T, E> Clone for EdgePath<T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, E> Copy for EdgePath<T, E> {}

impl<T, E> fmt::Debug for EdgePath<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EdgePath").field(&self.hop).finish()
    }
}
