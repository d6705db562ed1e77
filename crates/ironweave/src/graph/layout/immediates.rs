//! When immediate events can become enabled: for each change of the graph, the events that it can enable.
//!
//! | a condition reads | what is kept | what wakes the event |
//! |---|---|---|
//! | the state of its own entity | nothing | entering a state |
//! | entities in some states over an edge | a counter for each entity at the near end of the edge | a change of the counter |
//! | all entities over an edge | nothing, since the edge has their number | a link or an unlink |
//! | the same over two edges, of which the first leads to at most one entity | the same, for the entity in between | the same, and a change of the first link |
//! | values of its own entity | nothing | a change of one of these values |
//! | candidates of a choice | see `graph/choice/waiting.rs` | |

use super::{Layout, StateSet, Watches, reverse};
use crate::graph::choice::plan::ChoosePlan;
use crate::schema::{
    Arc as ArcDef, ColumnIx, Comparison, EntityIx, EventDef, EventIx, FunctionIx, Hop, NameIx,
    Path, Quantifier, Scope, SortBy, Source, StateIx,
};
use crate::value::calculate::{ImmediateCode, Operand, Operands, ValueFunction, value};

/// An immediate event and what enables it.
pub(crate) struct Immediate {
    pub event: EventIx,
    pub entity: EntityIx,
    pub from: StateSet,
    /// The conditions that numbers of links decide.
    pub numbers: Vec<NumberTest>,
    /// The conditions that need functions of the program. These are not called while the graph changes.
    pub values: Vec<ValueTest>,
    /// What it chooses, with the indexes of the arcs.
    pub choices: Vec<(usize, ChoosePlan)>,
    /// Which of the entities on which it is enabled it fires on first; `None` for the smallest slot.
    pub order: Option<SortBy>,
    pub code: ImmediateCode,
}

/// A condition on the number of entities that a path reaches.
pub(crate) struct NumberTest {
    pub reached: Reached,
    pub requires: Requires,
}

/// What a condition requires of a number of entities.
pub(crate) enum Requires {
    /// That all that are reached are in the states, that any is, or that none is.
    Quantified(Quantifier),
    /// That the number compares so with a literal.
    Compared(Comparison, i128),
}

/// A condition on values.
pub(crate) struct ValueTest {
    pub test: ValuesCompared,
    /// The index of its arc.
    pub arc: usize,
}

/// What a condition on values compares.
pub(crate) enum ValuesCompared {
    Number {
        reached: Reached,
        comparison: Comparison,
        with: Source,
        function: FunctionIx,
    },
    Values {
        left: Source,
        comparison: Comparison,
        right: Source,
        function: FunctionIx,
    },
}

/// The entities that a path reaches from the entity of an immediate event.
pub(crate) struct Reached {
    /// The edge that is followed first, to at most one entity, if the path has two.
    pub first: Option<Hop>,
    /// The last edge.
    pub hop: Hop,
    /// The watch that counts the ones that are in the states of the condition; `None` if the state does not matter.
    pub watch: Option<u16>,
}

/// An immediate event that may be enabled by a change at an entity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wake {
    pub immediate: u16,
    /// If the event does not fire on that entity but on those that are linked with it, the hop to these.
    pub back: Option<Hop>,
}

/// An immediate event that a link or an unlink may enable, at the entity from which a hop over the edge leads.
pub(crate) struct LinkWake {
    pub forward: bool,
    pub wake: Wake,
}

/// Whether the layout decides a condition of an immediate event, so that it holds whenever the event fires.
pub(crate) fn is_watched(layout: &Layout, arc: &ArcDef) -> bool {
    match arc {
        ArcDef::When { path, .. } => is_own(path) || reached(layout, path).is_some(),
        ArcDef::Count { path, .. } => reached(layout, path).is_some(),
        ArcDef::Compare { .. } => true,
        _ => false,
    }
}

/// Whether a path is the entity on which an immediate event fires.
fn is_own(path: &Path) -> bool {
    path.root == NameIx::new(0) && path.hops.is_empty()
}

/// The first and the last edge of a path that can be watched.
fn reached(layout: &Layout, path: &Path) -> Option<(Option<Hop>, Hop)> {
    // What it creates does not exist before it fires.
    if path.root != NameIx::new(0) {
        return None;
    }
    match *path.hops.as_slice() {
        [hop] => Some((None, hop)),
        [first, hop] => layout.leads_to_one(first).then_some((Some(first), hop)),
        _ => None,
    }
}

/// The literals and functions of an immediate event.
struct Constants<'c>(&'c ImmediateCode);

impl Operands for Constants<'_> {
    fn given(&self, source: &Source) -> Option<&dyn std::any::Any> {
        match source {
            Source::Literal { index, .. } => Some(self.0.literal(index.get())),
            _ => None,
        }
    }

    fn function(&self, index: FunctionIx) -> ValueFunction {
        self.0.function(index.get())
    }
}

impl Layout {
    /// Adds the watches that immediate events need, one for each hop and set of states.
    pub(super) fn add_immediates(&mut self, known: &mut Watches, codes: &[ImmediateCode]) {
        let schema = self.schema.clone();
        let events = EventIx::all(schema.events.len()).zip(&schema.events);
        for (event_ix, event) in events.filter(|(_, e)| e.immediate) {
            let code = codes.get(usize::from(event_ix)).cloned();
            let code = code.unwrap_or(ImmediateCode::NONE);
            self.add_immediate(known, (event_ix, event), code);
        }
    }

    fn add_immediate(
        &mut self,
        known: &mut Watches,
        (event_ix, event): (EventIx, &EventDef),
        code: ImmediateCode,
    ) {
        let entity = event.names[0].entity;
        let (mut from, mut moved) = (StateSet::ALL, StateSet::NONE);
        let (mut numbers, mut values) = (Vec::new(), Vec::new());
        let ix = self.immediates.len() as u16;
        for (at, arc) in event.arcs.iter().enumerate() {
            // A move of all that a path reaches is a condition too, or it would reject the step. It is
            // also a condition that the event moves its own entity, or it would fire forever.
            let (quantifier, path, states) = match arc {
                ArcDef::Move {
                    scope, path, from, ..
                } => {
                    if is_own(path) {
                        moved = moved.or(&StateSet::of(from));
                    }
                    match scope {
                        Scope::Those => continue,
                        Scope::Each => (Quantifier::All, path, from),
                    }
                }
                ArcDef::When {
                    quantifier,
                    path,
                    states,
                } => (*quantifier, path, states),
                ArcDef::Count {
                    path,
                    states,
                    comparison,
                    with,
                    function,
                } => {
                    let Some(hops) = reached(self, path) else {
                        continue;
                    };
                    let reached = self.reach(known, ix, hops, states);
                    match with {
                        Source::Literal { .. } => {
                            if let Ok(with @ Operand::Given(_)) = value(&Constants(&code), with) {
                                let function = code.function(function.get());
                                let requires =
                                    Requires::Compared(*comparison, function.number(with.get()));
                                numbers.push(NumberTest { reached, requires });
                            }
                        }
                        _ => {
                            self.read_by(ix, with);
                            let test = ValuesCompared::Number {
                                reached,
                                comparison: *comparison,
                                with: with.clone(),
                                function: *function,
                            };
                            values.push(ValueTest { test, arc: at });
                        }
                    }
                    continue;
                }
                ArcDef::Compare {
                    left,
                    comparison,
                    right,
                    function,
                } => {
                    self.read_by(ix, left);
                    self.read_by(ix, right);
                    let test = ValuesCompared::Values {
                        left: left.clone(),
                        comparison: *comparison,
                        right: right.clone(),
                        function: *function,
                    };
                    values.push(ValueTest { test, arc: at });
                    continue;
                }
                _ => continue,
            };
            if is_own(path) {
                let set = StateSet::of(states);
                from = from.and(&if quantifier == Quantifier::None {
                    set.not()
                } else {
                    set
                });
            } else if let Some(hops) = reached(self, path) {
                numbers.push(NumberTest {
                    reached: self.reach(known, ix, hops, states),
                    requires: Requires::Quantified(quantifier),
                });
            }
        }
        let from = from.and(&moved);
        let mut choices = Vec::new();
        for at in 0..event.arcs.len() {
            let plan = self.add_choice(known, (ix, event, &from), at, &mut numbers);
            choices.extend(plan.map(|plan| (at, plan)));
        }
        let states = &mut self.entities[usize::from(entity)].states;
        for (state, layout) in StateIx::all(states.len()).zip(states) {
            if from.contains(state) {
                layout.immediates.push(ix);
            }
        }
        self.immediates.push(Immediate {
            event: event_ix,
            entity,
            from,
            numbers,
            values,
            choices,
            order: event.order,
            code,
        });
    }

    /// Lets an immediate event be woken by what changes the entities that a path of it reaches.
    pub(super) fn reach(
        &mut self,
        known: &mut Watches,
        immediate: u16,
        (first, hop): (Option<Hop>, Hop),
        states: &[StateIx],
    ) -> Reached {
        let back = first.map(reverse);
        let wake = Wake { immediate, back };
        if let Some(first) = first {
            let back = None;
            self.wake_by_links(first, Wake { immediate, back });
        }
        let watch = match states {
            [] => {
                self.wake_by_links(hop, wake);
                None
            }
            states => {
                let watch = self.watch(known, hop, StateSet::of(states));
                let wakes = &mut self.watches[usize::from(watch)].wakes;
                if !wakes.contains(&wake) {
                    wakes.push(wake);
                }
                Some(watch)
            }
        };
        Reached { first, hop, watch }
    }

    /// Lets an immediate event be woken by links and unlinks over an edge.
    pub(super) fn wake_by_links(&mut self, hop: Hop, wake: Wake) {
        let edge = &mut self.edges[usize::from(hop.edge)];
        edge.is_watched = true;
        let forward = hop.forward;
        let is_same = |known: &LinkWake| known.forward == forward && known.wake == wake;
        if !edge.wakes.iter().any(is_same) {
            edge.wakes.push(LinkWake { forward, wake });
        }
    }

    /// Lets an immediate event be woken by changes of the values that one of its values is taken from.
    fn read_by(&mut self, immediate: u16, source: &Source) {
        match source {
            Source::Entity { column, .. } => self.reader_of(*column, immediate),
            Source::Calculated { left, right, .. } => {
                self.read_by(immediate, left);
                self.read_by(immediate, right);
            }
            _ => {}
        }
    }

    pub(super) fn reader_of(&mut self, column: ColumnIx, immediate: u16) {
        let layout = &mut self.columns[usize::from(column)];
        layout.is_part = true;
        if !layout.readers.contains(&immediate) {
            layout.readers.push(immediate);
        }
    }
}
