//! What a `choose` arc chooses, by the oracle: all candidates are looked at and sorted. And random `choose` arcs.

use std::cmp::Reverse;

use ironweave::schema::{
    Arc, BindBy, Cardinality, ChooseFrom, ChooseWhere, Comparison, EntityIx, FunctionIx, NameDef,
    NameIx, SortBy, StateIx, Take,
};

use crate::arcs::COMPARISONS;
use crate::events::{CHOSEN, Draft};
use crate::operations::holds;
use crate::rng::Rng;
use crate::rules::Firing;
use crate::sources::literal;
use crate::values::{Ty, Val, column_ty};
use crate::world::{Kinds, Oid, World, columns};

impl World {
    /// Puts entities, which are in order of their slots, into the order of a column.
    pub fn sort(&self, entity: EntityIx, all: &mut [u32], order: SortBy) {
        let value = |slot: &u32| self.row(entity, *slot)?.values.get(&order.column);
        if order.descending {
            all.sort_by_key(|slot| (value(slot).is_none(), Reverse(value(slot))));
        } else {
            all.sort_by_key(|slot| (value(slot).is_none(), value(slot)));
        }
    }
}

impl Firing<'_> {
    /// Binds the names that an immediate event chooses, as if it created nothing: these names are left empty.
    pub fn choose_before_creating(&mut self, world: &World) -> Result<(), Kinds> {
        let created = self.def.names.iter().filter(|n| n.by == BindBy::Created);
        self.names.extend(created.map(|_| Vec::new()));
        self.choose(world)
    }

    /// Binds the names that the event chooses, in written order.
    pub fn choose(&mut self, world: &World) -> Result<(), Kinds> {
        for arc in &self.def.arcs {
            if let Arc::Choose { name, .. } = arc {
                let entity = self.def.names[usize::from(*name)].entity;
                let chosen = self.chosen(world, entity, arc)?;
                let chosen: Vec<Oid> = chosen.into_iter().map(|s| world.oid(entity, s)).collect();
                self.names.push(chosen);
            }
        }
        Ok(())
    }

    fn chosen(&self, world: &World, entity: EntityIx, arc: &Arc) -> Result<Vec<u32>, Kinds> {
        let Arc::Choose {
            from,
            states,
            conditions,
            order,
            take,
            ..
        } = arc
        else {
            return Ok(Vec::new());
        };
        let (least, most) = match take {
            Take::One => (1, 1),
            Take::Exactly { number, .. } | Take::UpTo { number, .. } => {
                let most = match self.value(world, number) {
                    Ok(Val::U(most)) => most,
                    Ok(other) => unreachable!("{other:?} is no number"),
                    Err("Overflow") => return Err(vec!["Overflow"]),
                    Err(_) => return Err(vec!["NothingToChoose"]),
                };
                let exactly = matches!(take, Take::Exactly { .. });
                (if exactly { most } else { 0 }, most)
            }
        };
        // Nothing compares with what does not exist; the conditions after it are not looked at.
        let mut with = Some(Vec::new());
        for condition in conditions {
            match self.value(world, &condition.with) {
                Ok(value) => with.iter_mut().for_each(|with| with.push(value.clone())),
                Err("Overflow") => return Err(vec!["Overflow"]),
                Err(_) => {
                    with = None;
                    break;
                }
            }
        }
        let fits = |slot: &u32| {
            let row = world.row(entity, *slot).expect("the entity is alive");
            let meets = |(c, with): (&ChooseWhere, &Val)| {
                let value = row.values.get(&c.column);
                value.is_some_and(|value| holds(c.comparison, value.cmp(with)))
            };
            states.contains(&row.state)
                && (with.as_ref()).is_some_and(|with| conditions.iter().zip(with).all(meets))
        };
        let mut all = match from {
            ChooseFrom::Place => world.living(entity),
            ChooseFrom::Path(path) => self.walk(world, path),
        };
        all.retain(fits);
        all.sort_unstable();
        // Each sort keeps the order of what is equal.
        for order in order.iter().rev() {
            world.sort(entity, &mut all, *order);
        }
        if (all.len() as u64) < least {
            return Err(vec!["NothingToChoose"]);
        }
        all.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(all)
    }
}

impl Draft<'_> {
    /// Adds a `choose` and its name.
    pub fn choose(&mut self, rng: &mut Rng) -> Option<()> {
        let (from, entity) = if rng.chance(50) {
            let path = if self.immediate {
                self.watched_path(rng)?
            } else {
                self.path(rng, 2)?
            };
            let entity = self.entity(&path);
            (ChooseFrom::Path(path), entity)
        } else {
            let entity = EntityIx::new(rng.below(self.schema.entities.len()) as u16);
            (ChooseFrom::Place, entity)
        };
        let states = self.schema.entities[usize::from(entity)].states.len();
        let states = rng.some(&StateIx::all(states).collect::<Vec<_>>(), 60);
        // What a candidate can have; data of a state that it may not be in, too.
        let mut of = columns(self.schema, entity, None);
        for state in &states {
            of.extend(columns(self.schema, entity, Some(*state)));
        }
        let mut conditions = Vec::new();
        for _ in 0..rng.below(3) {
            let Some(column) = rng.pick(&of).copied() else {
                continue;
            };
            conditions.push(ChooseWhere {
                column,
                comparison: *rng.pick(&COMPARISONS)?,
                with: self.value(rng, column_ty(self.schema, column), self.comparing(), 1),
                function: FunctionIx::default(),
            });
        }
        if let (Some(c), true) = (conditions.first_mut(), rng.chance(20)) {
            c.comparison = Comparison::Equal;
        }
        let mut order: Vec<SortBy> = Vec::new();
        for percent in [70, 40] {
            if let (Some(column), true) = (rng.pick(&of).copied(), rng.chance(percent))
                && order.iter().all(|by| by.column != column)
            {
                order.push(SortBy {
                    column,
                    descending: rng.chance(50),
                    function: FunctionIx::default(),
                });
            }
        }
        let take = if rng.chance(60) {
            Take::One
        } else {
            let number = if rng.chance(70) {
                literal(rng, Ty::U)
            } else {
                self.value(rng, Ty::U, self.comparing(), 1)
            };
            let function = FunctionIx::default();
            if rng.chance(50) {
                Take::Exactly { number, function }
            } else {
                Take::UpTo { number, function }
            }
        };
        let at = self.chosen.len() as u16;
        self.chosen.push(NameDef {
            name: format!("h{at}"),
            entity,
            count: match take {
                Take::One => Cardinality::One,
                _ => Cardinality::Many,
            },
            by: BindBy::Chosen,
            ..NameDef::default()
        });
        self.chooses.push(Arc::Choose {
            name: NameIx::new(CHOSEN + at),
            from,
            states,
            conditions,
            order,
            take,
        });
        Some(())
    }
}
