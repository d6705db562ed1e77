//! What wakes immediate events that choose entities, see `graph/choice/waiting.rs`.

use super::immediates::{NumberTest, Requires, Wake};
use super::{Layout, StateSet, Watches, reverse};
use crate::graph::choice::plan::ChoosePlan;
use crate::schema::{
    Arc as ArcDef, ChooseFrom, ChooseWhere, ColumnIx, Comparison, EntityIx, EventDef, Hop,
    IndexKind, NameIx, Source, StateIx, Take,
};

/// An immediate event that entities wait for.
pub(crate) struct Wait {
    pub immediate: u16,
    pub waiting: Waiting,
}

/// The entities on which a change may enable an immediate event.
#[derive(PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Those that are linked with a candidate.
    Linked { candidate: EntityIx, back: Vec<Hop> },
    /// Those that may choose a candidate: the ones that an index finds, if there is one, or else all that wait.
    Matching {
        candidate: EntityIx,
        states: StateSet,
        narrowings: Vec<Narrowing>,
    },
    /// All that wait.
    All,
}

/// A condition of a choice that compares a value of the candidate with one of the own entity that has an index.
#[derive(PartialEq, Eq)]
pub(crate) struct Narrowing {
    pub candidate: ColumnIx,
    pub comparison: Comparison,
    pub own: ColumnIx,
}

impl Layout {
    /// Adds what a `choose` of an immediate event needs: what it is woken by, and the condition that there are candidates if a
    /// counter says so.
    pub(super) fn add_choice(
        &mut self,
        known: &mut Watches,
        (ix, event): (u16, &EventDef),
        at: usize,
        numbers: &mut Vec<NumberTest>,
    ) -> Option<ChoosePlan> {
        let arc = &event.arcs[at];
        let plan = ChoosePlan::new(self, event, arc)?;
        let ArcDef::Choose {
            from,
            states,
            conditions,
            order,
            take,
            ..
        } = arc
        else {
            return None;
        };
        let own = NameIx::new(0);
        let waiting = match from {
            ChooseFrom::Path(path) if path.root == own => {
                let (first, hop) = match *path.hops.as_slice() {
                    [hop] => (None, hop),
                    [first, hop] => (Some(first), hop),
                    _ => return Some(plan),
                };
                let reached = self.reach(known, ix, (first, hop), states);
                if *take == Take::One {
                    numbers.push(NumberTest {
                        reached,
                        requires: Requires::Compared(Comparison::GreaterOrEqual, 1),
                    });
                }
                let back = [Some(hop), first].into_iter().flatten().map(reverse);
                Waiting::Linked {
                    candidate: plan.entity,
                    back: back.collect(),
                }
            }
            from => {
                if let ChooseFrom::Path(path) = from {
                    let wait = self.wait(ix, Waiting::All);
                    for hop in &path.hops {
                        let back = None;
                        self.wake_by_links(
                            *hop,
                            Wake {
                                immediate: wait,
                                back,
                            },
                        );
                    }
                }
                Waiting::Matching {
                    candidate: plan.entity,
                    states: StateSet::of(states),
                    narrowings: self.narrowings(conditions),
                }
            }
        };
        let is_linked = matches!(waiting, Waiting::Linked { .. });
        let wait = self.wait(ix, waiting);
        if !is_linked {
            self.wake_by_states((plan.entity, states), wait);
        }
        for condition in conditions {
            self.reader_of(condition.column, wait);
            self.chooses_by(ix, &condition.with);
        }
        if let Take::Exactly { number, .. } | Take::UpTo { number, .. } = take {
            self.chooses_by(ix, number);
        }
        if (event.arcs[at + 1..].iter()).any(|later| depends_on(later, plan.name)) {
            // Another candidate may become the first one, with which there is something to choose later.
            let wait = self.wait(ix, Waiting::All);
            let entity = &mut self.entities[usize::from(plan.entity)];
            entity.deleted.push(wait);
            let all: Vec<StateIx> = StateIx::all(entity.states.len()).collect();
            self.wake_by_states((plan.entity, &all), wait);
            let compared = conditions.iter().map(|condition| condition.column);
            for column in compared.chain(order.map(|order| order.column)) {
                self.reader_of(column, wait);
            }
        }
        Some(plan)
    }

    /// The number by which a wait is woken. These follow those of the immediate events.
    fn wait(&mut self, immediate: u16, waiting: Waiting) -> u16 {
        let is_same = |known: &Wait| known.immediate == immediate && known.waiting == waiting;
        let at = self.waits.iter().position(is_same).unwrap_or_else(|| {
            self.waits.push(Wait { immediate, waiting });
            self.waits.len() - 1
        });
        let immediates = self.schema.events.iter().filter(|event| event.immediate);
        (immediates.count() + at) as u16
    }

    /// Wakes a wait when an entity enters one of the states.
    fn wake_by_states(&mut self, (entity, states): (EntityIx, &[StateIx]), wait: u16) {
        for state in states {
            let state = &mut self.entities[usize::from(entity)].states[usize::from(*state)];
            if !state.immediates.contains(&wait) {
                state.immediates.push(wait);
            }
        }
    }

    /// Lets an immediate event be woken by changes of a value by which it chooses.
    fn chooses_by(&mut self, immediate: u16, source: &Source) {
        match source {
            Source::Entity { name, column } if *name == NameIx::new(0) => {
                self.reader_of(*column, immediate);
            }
            Source::Entity { column, .. } => {
                let wait = self.wait(immediate, Waiting::All);
                self.reader_of(*column, wait);
            }
            Source::Calculated { left, right, .. } => {
                self.chooses_by(immediate, left);
                self.chooses_by(immediate, right);
            }
            _ => {}
        }
    }

    /// The conditions by which an index finds the entities that may choose a candidate, those by equal values first.
    fn narrowings(&self, conditions: &[ChooseWhere]) -> Vec<Narrowing> {
        let narrowing = |condition: &ChooseWhere| {
            let Source::Entity { name, column } = &condition.with else {
                return None;
            };
            let def = &self.schema[*column];
            let single_key = def.key && !self.columns[usize::from(*column)].composite;
            let finds = match condition.comparison {
                Comparison::Equal => def.index.is_some() || single_key,
                Comparison::NotEqual => false,
                _ => def.index == Some(IndexKind::Ordered),
            };
            (finds && *name == NameIx::new(0)).then_some(Narrowing {
                candidate: condition.column,
                comparison: condition.comparison,
                own: *column,
            })
        };
        let mut all: Vec<Narrowing> = conditions.iter().filter_map(narrowing).collect();
        all.sort_by_key(|narrowing| narrowing.comparison != Comparison::Equal);
        all
    }
}

/// Whether a choice depends on an entity that was chosen before it.
fn depends_on(arc: &ArcDef, chosen: NameIx) -> bool {
    let ArcDef::Choose {
        from,
        conditions,
        take,
        ..
    } = arc
    else {
        return false;
    };
    let is_root = matches!(from, ChooseFrom::Path(path) if path.root == chosen);
    let number = match take {
        Take::One => None,
        Take::Exactly { number, .. } | Take::UpTo { number, .. } => Some(number),
    };
    let mut values = conditions.iter().map(|c| &c.with).chain(number);
    is_root || values.any(|value| is_of(value, chosen))
}

/// Whether a value is taken from an entity.
fn is_of(value: &Source, of: NameIx) -> bool {
    match value {
        Source::Entity { name, .. } => *name == of,
        Source::Calculated { left, right, .. } => is_of(left, of) || is_of(right, of),
        _ => false,
    }
}
