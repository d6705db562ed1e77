//! What a `choose` arc chooses, by the oracle: all candidates are looked at and sorted. And random `choose` arcs.

use std::cmp::Reverse;

use ironweave::schema::{
    Arc, BindBy, Cardinality, ChooseFrom, ChooseWhere, ColumnIx, Comparison, EntityIx, FunctionIx,
    Hop, IndexKind, NameDef, NameIx, Path, Scope, SortBy, StateIx, Take,
};

use crate::arcs::COMPARISONS;
use crate::events::{CHOSEN, Draft, bare};
use crate::operations::holds;
use crate::planted::Bug;
use crate::rng::Rng;
use crate::rules::Firing;
use crate::schemas::hops;
use crate::sources::literal;
use crate::values::{Ty, Val, column_ty};
use crate::world::{Kinds, Oid, World, columns};

/// What is chosen, in order.
#[derive(Default)]
struct Found {
    chosen: Vec<u32>,
    /// What would be chosen without the order.
    by_slot: Vec<u32>,
    /// What would be chosen if of equal candidates the first of a list were.
    by_list: Vec<u32>,
}

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
            if let Arc::Choose { name, order, .. } = arc {
                let entity = self.def.names[usize::from(*name)].entity;
                let found = self.chosen(world, entity, arc)?;
                if let (Some(order), true) = (order.first(), found.chosen != found.by_slot) {
                    self.decided.chooses_by(order);
                }
                self.decided.slots += usize::from(found.chosen != found.by_list);
                let chosen = found.chosen;
                let chosen: Vec<Oid> = chosen.into_iter().map(|s| world.oid(entity, s)).collect();
                self.names.push(chosen);
            }
        }
        Ok(())
    }

    fn chosen(&self, world: &World, entity: EntityIx, arc: &Arc) -> Result<Found, Kinds> {
        let Arc::Choose {
            from,
            states,
            conditions,
            order,
            take,
            ..
        } = arc
        else {
            return Ok(Found::default());
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
        let mut by_list = all.clone();
        if !Bug::ChoiceTiesByList.is_planted() {
            all.sort_unstable();
        }
        if (all.len() as u64) < least {
            return Err(vec!["NothingToChoose"]);
        }
        let mut by_slot = all.clone();
        if !Bug::ChoiceIgnoresBy.is_planted() {
            // Each sort keeps the order of what is equal.
            for order in order.iter().rev() {
                world.sort(entity, &mut all, *order);
                world.sort(entity, &mut by_list, *order);
            }
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        for found in [&mut all, &mut by_slot, &mut by_list] {
            found.truncate(most);
        }
        Ok(Found {
            chosen: all,
            by_slot,
            by_list,
        })
    }
}

impl Draft<'_> {
    /// An order by one of these columns, mostly by one with an ordered index, or in which entities have different values.
    pub fn random_order(&self, rng: &mut Rng, of: &[ColumnIx]) -> Option<SortBy> {
        let by_index = rng.chance(40);
        let mut often = of.to_vec();
        often.retain(|column| {
            let def = &self.schema.columns[usize::from(*column)];
            if by_index {
                def.index == Some(IndexKind::Ordered)
            } else {
                def.default.is_none()
            }
        });
        let of = if rng.chance(80) && !often.is_empty() {
            &often
        } else {
            of
        };
        rng.pick(of).map(|column| SortBy {
            column: *column,
            descending: rng.chance(50),
            function: FunctionIx::default(),
        })
    }

    /// The names that are bound when a choice is made, of an immediate event before it creates anything.
    fn bound_roots(&self) -> Vec<NameIx> {
        let mut roots = self.roots();
        roots.retain(|root| self.name_of(*root).by != BindBy::Created);
        roots
    }

    /// The states that an entity may be chosen in, if a path is one that the event chooses.
    pub fn chosen_in(&self, path: &Path) -> Vec<StateIx> {
        let of_path = |arc: &Arc| match arc {
            Arc::Choose { name, states, .. } if *path == bare(*name) => Some(states.clone()),
            _ => None,
        };
        self.chooses.iter().find_map(of_path).unwrap_or_default()
    }

    /// Adds a `choose`, often with a move of what it chooses, and perhaps another one.
    pub fn chooses(&mut self, rng: &mut Rng) {
        for again in [100, 30] {
            let takes = rng.chance(50);
            if !rng.chance(again) || self.choose(rng, takes).is_none() {
                return;
            }
            if takes || rng.chance(30) {
                let path = bare(NameIx::new(CHOSEN + self.chosen.len() as u16 - 1));
                let onwards = self.immediate && rng.chance(80);
                self.moves(rng, path, Scope::Each, onwards);
            }
        }
    }

    /// Adds a `choose` and its name. If it is to take what it chooses out of a place, the candidates are mostly those in one
    /// state that no entity begins in, so that they run out, or become many.
    fn choose(&mut self, rng: &mut Rng, takes: bool) -> Option<()> {
        let (from, entity) = if rng.chance(if takes { 20 } else { 40 }) {
            let path = if self.immediate {
                let root = *rng.pick(&self.bound_roots())?;
                self.watched_path(rng, root)?
            } else {
                let mut path = self.path(rng, 2)?;
                if path.hops.is_empty() && rng.chance(90) {
                    let mut hops = hops(self.schema, self.entity(&path));
                    let is_list = |hop: &Hop| !self.leads_to_one(hop);
                    if hops.iter().any(is_list) && rng.chance(80) {
                        hops.retain(is_list);
                    }
                    path.hops.push(*rng.pick(&hops)?);
                }
                path
            };
            let entity = self.entity(&path);
            (ChooseFrom::Path(path), entity)
        } else {
            let entity = EntityIx::new(rng.below(self.schema.entities.len()) as u16);
            (ChooseFrom::Place, entity)
        };
        let def = &self.schema.entities[usize::from(entity)];
        let mut states: Vec<StateIx> = StateIx::all(def.states.len()).collect();
        if takes && states.len() > 1 {
            states.retain(|state| *state != def.initial);
        }
        let mut states = rng.some(&states, if takes { 20 } else { 60 });
        if !takes && matches!(from, ChooseFrom::Path(_)) && rng.chance(60) {
            // So that there are several.
            states = StateIx::all(def.states.len()).collect();
        } else if !takes && !states.contains(&def.initial) && rng.chance(70) {
            // Most entities are there.
            states.push(def.initial);
            states.sort_unstable();
        }
        self.choose_from(rng, from, entity, states)
    }

    /// Adds a `choose` from candidates in some states, with random conditions, order and number.
    pub fn choose_from(
        &mut self,
        rng: &mut Rng,
        from: ChooseFrom,
        entity: EntityIx,
        states: Vec<StateIx>,
    ) -> Option<()> {
        // What a candidate can have; data of a state that it may not be in, too.
        let mut of = columns(self.schema, entity, None);
        for state in &states {
            of.extend(columns(self.schema, entity, Some(*state)));
        }
        let mut conditions = Vec::new();
        for _ in 0..[0, 0, 1, 1, 2][rng.below(5)] {
            let Some(column) = rng.pick(&of).copied() else {
                continue;
            };
            conditions.push(ChooseWhere {
                column,
                comparison: *rng.pick(&COMPARISONS)?,
                with: self.value(rng, column_ty(self.schema, column), self.choosing(), 1),
                function: FunctionIx::default(),
            });
        }
        if let (Some(c), true) = (conditions.first_mut(), rng.chance(20)) {
            c.comparison = Comparison::Equal;
        }
        let often = match from {
            ChooseFrom::Place => 80,
            ChooseFrom::Path(_) => 60,
        };
        let mut order: Vec<SortBy> = Vec::new();
        for percent in [often, 30] {
            if rng.chance(percent)
                && let Some(by) = self.random_order(rng, &of)
                && order.iter().all(|known| known.column != by.column)
            {
                order.push(by);
            }
        }
        let take = if rng.chance(60) {
            Take::One
        } else {
            let number = if rng.chance(70) {
                literal(rng, Ty::U)
            } else {
                self.value(rng, Ty::U, self.choosing(), 1)
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
