//! Indexes of several parts: random ones, and their queries beside sorted lists of all entities.

use ironweave::index::{ByIndex, Hashed, IndexPart as Part, Linked, Sorted};
use ironweave::plumbing::{IndexType, by_index};
use ironweave::schema::{
    Cardinality, ColumnIx, EntityIx, Hop, IndexDef, IndexKind, IndexPart, Schema, StateIx,
};
use ironweave::{Db, Entity, Handle as _, Timestamp};

use crate::compare::{Wrong, same, slots};
use crate::entities::Ent;
use crate::model::id;
use crate::rng::Rng;
use crate::schemas::hops;
use crate::values::{Ty, Typed, Val, column_ty};
use crate::world::{World, columns, ends, far};

/// The parts of an index: those for which there is code.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    U,
    M,
    TU,
    US,
    /// A linked entity of the first type, and a number.
    LU,
}

const SHAPES: [Shape; 5] = [Shape::U, Shape::M, Shape::TU, Shape::US, Shape::LU];

impl Shape {
    fn types(self) -> &'static [Ty] {
        match self {
            Self::U | Self::LU => &[Ty::U],
            Self::M => &[Ty::M],
            Self::TU => &[Ty::T, Ty::U],
            Self::US => &[Ty::U, Ty::S],
        }
    }

    /// The shape of an index of a model.
    fn of(schema: &Schema, index: &IndexDef) -> Self {
        let ty = |part: &IndexPart| match part {
            IndexPart::Column(column) => Some(column_ty(schema, *column)),
            IndexPart::End(_) => None,
        };
        match (ty(&index.parts[0]), index.parts.len()) {
            (None, _) => Self::LU,
            (Some(Ty::M), _) => Self::M,
            (Some(Ty::T), _) => Self::TU,
            (_, 1) => Self::U,
            _ => Self::US,
        }
    }
}

/// The types whose entities have indexes, so that there is not too much code.
const INDEXED: usize = 2;

/// Gives a model some indexes.
pub fn draw(rng: &mut Rng, schema: &mut Schema) {
    for number in 0..rng.below(4) {
        let entity = EntityIx::new(rng.below(schema.entities.len().min(INDEXED)) as u16);
        let shape = SHAPES[rng.below(SHAPES.len())];
        schema
            .indexes
            .extend(index(rng, schema, entity, shape, number));
    }
}

fn index(
    rng: &mut Rng,
    schema: &Schema,
    entity: EntityIx,
    shape: Shape,
    number: usize,
) -> Option<IndexDef> {
    let all = schema.entities[usize::from(entity)].states.len();
    let mut parts = Vec::new();
    if shape == Shape::LU {
        let mut ends_of_one = hops(schema, entity);
        ends_of_one.retain(|hop: &Hop| {
            let near = ends(&schema.edges[usize::from(hop.edge)], hop.forward).0;
            near.cardinality != Cardinality::Many && far(schema, *hop) == EntityIx::default()
        });
        parts.push(IndexPart::End(*rng.pick(&ends_of_one)?));
    }
    let mut of: Vec<ColumnIx> = columns(schema, entity, None);
    if rng.chance(40) {
        of.extend(columns(
            schema,
            entity,
            Some(StateIx::new(rng.below(all) as u8)),
        ));
    }
    for ty in shape.types() {
        let mut fit = of.clone();
        fit.retain(|column| column_ty(schema, *column) == *ty);
        parts.push(IndexPart::Column(*rng.pick(&fit)?));
    }
    Some(IndexDef {
        name: format!("i{number}"),
        entity,
        kind: if rng.chance(70) {
            IndexKind::Ordered
        } else {
            IndexKind::Equal
        },
        parts,
        states: if rng.chance(50) {
            rng.some(&StateIx::all(all).collect::<Vec<_>>(), 50)
        } else {
            Vec::new()
        },
        ..IndexDef::default()
    })
}

/// Runs code with the parts of an index as a type.
macro_rules! with_parts {
    ($shape:expr, $p:ident => $body:expr) => {
        match $shape {
            Shape::U => {
                type $p = (u64, ());
                $body
            }
            Shape::M => {
                type $p = (Option<Timestamp>, ());
                $body
            }
            Shape::TU => {
                type $p = (Timestamp, (u64, ()));
                $body
            }
            Shape::US => {
                type $p = (u64, (String, ()));
                $body
            }
            Shape::LU => {
                type $p = (Linked<Ent<0, 0>>, (u64, ()));
                $body
            }
        }
    };
}

/// The type of an index, as the macro would write it.
pub fn index_type(schema: &Schema, index: &IndexDef) -> IndexType {
    with_parts!(Shape::of(schema, index), P => match index.kind {
        IndexKind::Ordered => IndexType::ordered::<P>(),
        IndexKind::Equal => IndexType::equal::<P>(),
    })
}

/// The values of the parts of each entity that is in an index, and its slot, in order. A linked entity is its slot.
type Rows = Vec<(Vec<Val>, u32)>;

fn rows(world: &World, index: &IndexDef) -> Rows {
    let mut rows = Rows::new();
    for slot in world.living(index.entity) {
        let row = world.row(index.entity, slot).expect("the entity is alive");
        let value = |part: &IndexPart| match part {
            IndexPart::Column(column) => row.values.get(column).cloned(),
            IndexPart::End(hop) => {
                let far = world.list(*hop, slot).first();
                far.map(|far| Val::U(u64::from(*far)))
            }
        };
        let parts: Option<Vec<Val>> = index.parts.iter().map(value).collect();
        let is_in_state = index.states.is_empty() || index.states.contains(&row.state);
        rows.extend(parts.filter(|_| is_in_state).map(|parts| (parts, slot)));
    }
    rows.sort();
    rows
}

/// Compares the answers of all indexes; returns how many entities are in them.
pub fn compare_all(db: &impl Db, schema: &Schema, world: &World) -> Result<usize, Wrong> {
    let mut all = 0;
    for (ix, index) in schema.indexes.iter().enumerate() {
        let rows = rows(world, index);
        let asked = Asked {
            db,
            world,
            index: ix as u16,
            kind: index.kind,
            rows: &rows,
        };
        let shape = Shape::of(schema, index);
        let answers = if index.entity == EntityIx::default() {
            asked.of_shape::<Ent<0, 0>>(shape)
        } else {
            asked.of_shape::<Ent<1, 0>>(shape)
        };
        answers.map_err(|wrong| format!("index {}: {wrong}", index.name))?;
        all += rows.len();
    }
    Ok(all)
}

struct Asked<'a, D> {
    db: &'a D,
    world: &'a World,
    index: u16,
    kind: IndexKind,
    rows: &'a Rows,
}

impl<D: Db> Asked<'_, D> {
    fn of_shape<T: Entity>(&self, shape: Shape) -> Result<(), Wrong> {
        match shape {
            Shape::U => self.one::<T, u64>(),
            Shape::M => self.one::<T, Option<Timestamp>>(),
            Shape::TU => self.two::<T, Timestamp, u64>(Timestamp::read),
            Shape::US => self.two::<T, u64, String>(u64::read),
            Shape::LU => self.two::<T, Linked<Ent<0, 0>>, u64>(|slot| {
                let slot = u64::read(slot) as u32;
                Ent::from_id(id(slot, self.world.oid(EntityIx::default(), slot).1))
            }),
        }
    }

    /// The slots of the rows that fit, by slot in an index by equality.
    fn expected(&self, fits: impl Fn(&[Val]) -> bool) -> Vec<u32> {
        let mut found: Vec<u32> = (self.rows.iter())
            .filter(|(parts, _)| fits(parts))
            .map(|(_, slot)| *slot)
            .collect();
        if self.kind == IndexKind::Equal {
            found.sort_unstable();
        }
        found
    }

    fn one<T: Entity, A: Typed>(&self) -> Result<(), Wrong> {
        if self.kind == IndexKind::Ordered {
            self.whole::<T, (A, ())>()?;
            return self.ranges::<T, A, ()>();
        }
        for (parts, _) in self.rows {
            let query: ByIndex<T, (A, ()), Hashed> = by_index(self.index);
            let found = slots(query.equal(&A::read(&parts[0])).iter(self.db));
            same(&found, &self.expected(|p| p == parts), || {
                format!("{parts:?}")
            })?;
        }
        Ok(())
    }

    fn two<T: Entity, A: Part, B: Typed>(
        &self,
        given: impl Fn(&Val) -> A::Given,
    ) -> Result<(), Wrong>
    where
        A::Given: Clone,
    {
        for (parts, _) in self.rows {
            let (a, b) = (given(&parts[0]), B::read(&parts[1]));
            if self.kind == IndexKind::Equal {
                let query: ByIndex<T, (A, (B, ())), Hashed> = by_index(self.index);
                let found = slots(query.equal(&a).equal(&b).iter(self.db));
                same(&found, &self.expected(|p| p == parts), || {
                    format!("{parts:?}")
                })?;
                continue;
            }
            let query: ByIndex<T, (A, (B, ())), Sorted> = by_index(self.index);
            let query = query.equal(&a);
            let found = slots(query.clone().range(..=b).iter(self.db));
            let up_to = |p: &[Val]| p[0] == parts[0] && p[1] <= parts[1];
            same(&found, &self.expected(up_to), || format!("up to {parts:?}"))?;
            let same_first = self.expected(|p| p[0] == parts[0]);
            let ends = (query.first(self.db), query.last(self.db));
            let ends = (ends.0.map(|x| x.id().slot()), ends.1.map(|x| x.id().slot()));
            let expected = (same_first.first().copied(), same_first.last().copied());
            same(&ends, &expected, || format!("first and last of {parts:?}"))?;
        }
        Ok(())
    }

    /// All of an ordered index, from both ends.
    fn whole<T: Entity, P>(&self) -> Result<(), Wrong> {
        let query: ByIndex<T, P, Sorted> = by_index(self.index);
        let expected = self.expected(|_| true);
        same(&slots(query.iter(self.db)), &expected, || "all".into())?;
        let mut rows = self.rows.clone();
        rows.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let descending: Vec<u32> = rows.iter().map(|(_, slot)| *slot).collect();
        same(&slots(query.descending(self.db)), &descending, || {
            "descending".into()
        })
    }

    fn ranges<T: Entity, A: Typed, R>(&self) -> Result<(), Wrong> {
        for value in A::TY.pool() {
            let query = || -> ByIndex<T, (A, R), Sorted> { by_index(self.index) };
            let found = slots(query().range(A::read(&value)..).iter(self.db));
            same(&found, &self.expected(|p| p[0] >= value), || {
                format!("from {value:?}")
            })?;
            let found = slots(query().range(..A::read(&value)).iter(self.db));
            same(&found, &self.expected(|p| p[0] < value), || {
                format!("below {value:?}")
            })?;
        }
        Ok(())
    }
}
