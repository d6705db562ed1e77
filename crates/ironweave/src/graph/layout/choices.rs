//! What wakes immediate events that choose entities, see `graph/choice/waiting.rs`.

use super::immediates::{NumberTest, Reached, Requires, Wake};
use super::{Layout, StateSet, Watches, reverse};
use crate::graph::choice::plan::ChoosePlan;
use crate::graph::choice::search::{Limit, Search, Sought};
use crate::schema::{
    Arc as ArcDef, ChooseFrom, ChooseWhere, ColumnIx, Comparison, EntityIx, EventDef, Hop, NameIx,
    Source, StateIx, Take,
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
        /// What leads from a candidate to the entity with which those that wait are linked; `None` if they choose among all.
        over: Option<Hop>,
        matching: Matching,
    },
    /// All that wait.
    All,
}

/// The conditions of a choice that compare a value of the candidate with one of the entity that chooses, as conditions on the
/// latter.
#[derive(PartialEq, Eq)]
pub(crate) struct Matching {
    pub limits: Vec<Limit>,
    /// What each limit is compared with: a column of the candidate.
    pub values: Vec<ColumnIx>,
    /// The ways to find those that may choose a candidate, the best one first.
    pub searches: Vec<Search>,
}

impl Layout {
    /// Adds what a `choose` of an immediate event needs: what it is woken by, and the condition that there are candidates if a
    /// counter says so.
    pub(super) fn add_choice(
        &mut self,
        known: &mut Watches,
        (ix, event, own_states): (u16, &EventDef, &StateSet),
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
        let mut later = event.arcs[at + 1..].iter();
        let decides_later = later.any(|later| depends_on(later, plan.name));
        let waiting = match from {
            ChooseFrom::Path(path) if path.root == own => {
                let (first, hop) = match *path.hops.as_slice() {
                    [hop] => (None, hop),
                    [first, hop] => (Some(first), hop),
                    _ => return Some(plan),
                };
                let matching = self.matching(event, own_states, first, conditions);
                // If a later choice depends on this one, a candidate that leaves may enable the event too.
                let is_narrow = !decides_later && !matching.searches.is_empty();
                let (reached, waiting) = match first.filter(|_| is_narrow) {
                    Some(over) => {
                        let (immediate, back) = (ix, None);
                        self.wake_by_links(over, Wake { immediate, back });
                        let reached = Reached {
                            first,
                            hop,
                            watch: Some(self.watch(known, hop, StateSet::of(states))),
                        };
                        let waiting = Waiting::Matching {
                            candidate: plan.entity,
                            states: StateSet::of(states),
                            over: Some(reverse(hop)),
                            matching,
                        };
                        (reached, waiting)
                    }
                    None => {
                        let reached = self.reach(known, ix, (first, hop), states);
                        let back = [Some(hop), first].into_iter().flatten().map(reverse);
                        let waiting = Waiting::Linked {
                            candidate: plan.entity,
                            back: back.collect(),
                        };
                        (reached, waiting)
                    }
                };
                if *take == Take::One {
                    numbers.push(NumberTest {
                        reached,
                        requires: Requires::Compared(Comparison::GreaterOrEqual, 1),
                    });
                }
                waiting
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
                    over: None,
                    matching: self.matching(event, own_states, None, conditions),
                }
            }
        };
        let (is_linked, over) = match &waiting {
            Waiting::Linked { .. } => (true, None),
            Waiting::Matching { over, .. } => (false, *over),
            Waiting::All => (false, None),
        };
        let wait = self.wait(ix, waiting);
        if !is_linked {
            self.wake_by_states((plan.entity, states), wait);
        }
        if let Some(over) = over {
            let (immediate, back) = (wait, None);
            self.wake_by_links(over, Wake { immediate, back });
        }
        for condition in conditions {
            self.reader_of(condition.column, wait);
            self.chooses_by(ix, &condition.with);
        }
        if let Take::Exactly { number, .. } | Take::UpTo { number, .. } = take {
            self.chooses_by(ix, number);
        }
        if decides_later {
            // Another candidate may become the first one, with which there is something to choose later.
            let wait = self.wait(ix, Waiting::All);
            let entity = &mut self.entities[usize::from(plan.entity)];
            entity.deleted.push(wait);
            let all: Vec<StateIx> = StateIx::all(entity.states.len()).collect();
            self.wake_by_states((plan.entity, &all), wait);
            let compared = conditions.iter().map(|condition| condition.column);
            for column in compared.chain(order.iter().map(|order| order.column)) {
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

    /// How the entities are found that may choose a candidate. `first` is the end at which they are linked with one that a candidate
    /// leads to.
    fn matching(
        &self,
        event: &EventDef,
        own_states: &StateSet,
        first: Option<Hop>,
        conditions: &[ChooseWhere],
    ) -> Matching {
        let entity = event.names[0].entity;
        let all = StateIx::all(self.entities[usize::from(entity)].states.len());
        let states: Vec<StateIx> = all.filter(|state| own_states.contains(*state)).collect();
        let of_own = conditions
            .iter()
            .filter_map(|condition| match &condition.with {
                Source::Entity { name, column } if *name == NameIx::new(0) => {
                    let limit = Limit {
                        column: *column,
                        comparison: swapped(condition.comparison),
                    };
                    Some((limit, condition.column))
                }
                _ => None,
            });
        let (limits, values): (Vec<Limit>, Vec<ColumnIx>) = of_own.unzip();
        let sought = Sought {
            entity,
            near: first,
            states: &states,
            limits: &limits,
            order: &[],
        };
        let searches = sought.searches(self);
        Matching {
            limits,
            values,
            searches,
        }
    }
}

/// The comparison of the right operand with the left one.
fn swapped(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        Comparison::Equal | Comparison::NotEqual => comparison,
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
