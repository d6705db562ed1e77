//! The plan: the arcs of every event, sorted by the stage that executes them, with the texts that errors need.

mod by_schema;
mod parts;

use std::any::TypeId;
use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::error::{Chain, Name, Reject};
use crate::base::id::Id;
use crate::db::Reader;
use crate::graph::choice::plan::ChoosePlan;
use crate::graph::column::ColumnTypes;
use crate::graph::layout::{Layout, StateSet, is_watched};
use crate::schema::compiled::phase;
use crate::schema::{
    Arc as ArcDef, BindBy, Cardinality, ColumnIx, EntityIx, EventDef, Hop, NameDef, Path, Schema,
    Scope, Source,
};
use crate::step::arcs::may_compete;
use crate::step::compile::compile;
use crate::step::event::EventType;
use crate::step::immediates::Limits;
use crate::step::model::{Binding, Model};

pub(crate) use by_schema::{DescribedEvent, Noticed, SchemaPlan, default_of};
pub(crate) use parts::*;

/// The function of an invariant.
pub type Check = fn(Id, &Reader<'_>) -> Result<(), Reject>;

/// A model, ready to run.
pub struct Plan {
    /// The model that its columns and events have the types of. `None` if the schema was read from a log.
    pub(crate) model: Option<TypeId>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) columns: ColumnTypes,
    pub(crate) events: Vec<EventPlan>,
    pub(crate) types: Vec<EventType>,
    pub(crate) checks: Vec<Check>,
    /// The limits on immediate events in one step.
    pub(crate) limits: Limits,
    /// The clock that transactions get their times from.
    pub(crate) clock: Clock,
    /// Whether an error may name events that fired before: the ones that enabled an immediate event, or that changed what an
    /// invariant reads. Then what fires is recorded even without a log.
    pub(crate) traced: bool,
}

impl Plan {
    /// The plan of a model. An error is a defect of the macro.
    pub(crate) fn of<M: Model>(limits: Limits, clock: Clock) -> Result<Self, String> {
        let mut binding = M::binding();
        binding.add_encodings();
        let plan = Self {
            model: Some(TypeId::of::<M>()),
            limits,
            clock,
            ..Self::new(binding)
        };
        plan.check_compiled()?;
        Ok(plan)
    }

    pub(crate) fn new(binding: Binding) -> Self {
        let Binding {
            schema,
            columns,
            data,
            indexes,
            events,
            invariants,
        } = binding;
        let codes: Vec<_> = events.iter().map(|event| event.immediate.clone()).collect();
        let layout = Layout::of_model(schema, &indexes, &codes);
        let plans = layout.schema.events.iter();
        Self {
            model: None,
            events: plans.map(|def| event(&layout, def)).collect(),
            traced: !layout.immediates.is_empty() || !invariants.is_empty(),
            layout,
            columns: ColumnTypes { columns, data },
            types: events,
            checks: invariants,
            limits: Limits::default(),
            clock: Clock::default(),
        }
    }

    /// The plan of a [valid](Schema::validate) schema that was read from a log. It replays facts and fires no event.
    pub(crate) fn of_log(schema: Schema) -> Self {
        let layout = Layout::of_facts(schema);
        Self {
            model: None,
            columns: ColumnTypes::of_log(&layout.schema),
            events: layout.schema.events.iter().map(named).collect(),
            layout,
            types: Vec::new(),
            checks: Vec::new(),
            limits: Limits::default(),
            clock: Clock::default(),
            traced: false,
        }
    }
}

/// The plan of an event without its arcs.
fn named(def: &EventDef) -> EventPlan {
    let name: Name = def.name.as_str().into();
    EventPlan {
        alone: Chain::new(vec![Arc::clone(&name)]),
        name,
        names: def
            .names
            .iter()
            .map(|n| NamePlan {
                name: n.name.as_str().into(),
                entity: n.entity,
            })
            .collect(),
        guards: def.guards.iter().map(|g| g.as_str().into()).collect(),
        creates: Vec::new(),
        chooses: Vec::new(),
        conditions: Vec::new(),
        copied: Vec::new(),
        calculated: Vec::new(),
        walks: Vec::new(),
        source_states: Vec::new(),
        effects: Vec::new(),
        deletes: Vec::new(),
        may_meet: false,
        may_compete: false,
        bounded: false,
        fields: def.fields.len() as u16,
        handler: !def.mays.is_empty(),
        timed: false,
        compiled: None,
        refused_early: false,
    }
}

fn event(layout: &Layout, def: &EventDef) -> EventPlan {
    let mut plan = EventPlan {
        may_compete: may_compete(layout, def),
        ..named(def)
    };
    for arc in &def.arcs {
        let is_before = !matches!(arc, ArcDef::Create { .. });
        plan.timed |= (written(arc).into_iter().chain(compared(arc))).any(is_timed);
        for source in written(arc) {
            match source {
                Source::Entity { name, column }
                    if is_before && !plan.copied.contains(&(*name, *column)) =>
                {
                    plan.copied.push((*name, *column));
                }
                Source::Calculated { function, .. } => plan.calculated.push(CalculatedPlan {
                    source: source.clone(),
                    function: *function,
                    is_before,
                    text: layout.schema.source_text(def, source).into(),
                }),
                _ => {}
            }
        }
    }
    // In order of execution, so that the first error does not depend on the order of declaration.
    let mut arcs: Vec<&ArcDef> = def.arcs.iter().collect();
    arcs.sort_by_key(|arc| phase(arc));
    for arc in arcs {
        plan.add(layout, def, arc);
    }
    let mut pairs = (0..plan.effects.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    plan.may_meet = pairs.any(|(a, b)| plan.effects[a].may_meet(&plan.effects[b]))
        || plan.deletes.iter().any(|delete| {
            let moves = |effect: &Effect| matches!(effect, Effect::Move(arc) if arc.entity == delete.entity);
            plan.effects.iter().any(moves)
        });
    plan.bounded = plan.handler || bounded(layout, def);
    plan.compiled = compile(layout, def, &plan);
    let ensures = def.names.iter().any(|name| name.by == BindBy::Ensure);
    plan.refused_early = plan.compiled.is_some() && plan.creates.is_empty() && !ensures;
    plan
}

/// Whether the arcs of an event can break a bound on links or close a cycle.
fn bounded(layout: &Layout, def: &EventDef) -> bool {
    let begins = |name: &NameDef| matches!(name.by, BindBy::Ensure | BindBy::Created);
    let of_bounded = |name: &NameDef| !layout.entities[usize::from(name.entity)].bounded.is_empty();
    let changes_bounded = |arc: &ArcDef| match arc {
        ArcDef::Link { hop, .. } | ArcDef::Unlink { hop, .. } | ArcDef::Relink { hop, .. } => {
            layout.edges[usize::from(hop.edge)].bounded
        }
        // It removes links of other edges too.
        ArcDef::Delete { .. } => layout.edges.iter().any(|edge| edge.bounded),
        _ => false,
    };
    def.names.iter().any(|n| begins(n) && of_bounded(n)) || def.arcs.iter().any(changes_bounded)
}

impl EventPlan {
    fn require(&mut self, layout: &Layout, def: &EventDef, arc: &ArcDef, requires: Requirement) {
        // Of an immediate event the graph has decided it.
        if !def.immediate || !is_watched(layout, arc) {
            let text = condition_text(layout, def, arc);
            self.conditions.push(ConditionPlan { requires, text });
        }
    }

    fn add(&mut self, layout: &Layout, def: &EventDef, arc: &ArcDef) {
        match arc {
            // Of a newer version, which a program of this one does not have.
            ArcDef::Unknown(_) => {}
            ArcDef::Choose { .. } => self.chooses.extend(ChoosePlan::new(layout, def, arc)),
            ArcDef::Create {
                name,
                state,
                values,
            } => {
                let entity = def.names[usize::from(*name)].entity;
                let given = |c: &ColumnIx| values.iter().any(|v| v.column == *c);
                let defaults = layout.entities[usize::from(entity)].defaults.iter();
                self.creates.push(CreatePlan {
                    entity,
                    state: *state,
                    values: values.clone(),
                    defaults: defaults.copied().filter(|c| !given(c)).collect(),
                });
            }
            ArcDef::When {
                quantifier,
                path,
                states,
            } => {
                let requires = Requirement::States {
                    quantifier: *quantifier,
                    path: path.clone(),
                    entity: layout.path_entity(def, path),
                    states: StateSet::of(states),
                };
                self.require(layout, def, arc, requires);
            }
            ArcDef::Count {
                path,
                states,
                comparison,
                with,
                function,
            } => {
                let requires = Requirement::Count {
                    path: path.clone(),
                    entity: layout.path_entity(def, path),
                    states: match states.as_slice() {
                        [] => StateSet::ALL,
                        states => StateSet::of(states),
                    },
                    comparison: *comparison,
                    with: with.clone(),
                    function: *function,
                };
                self.require(layout, def, arc, requires);
            }
            ArcDef::Compare {
                left,
                comparison,
                right,
                function,
            } => {
                let requires = Requirement::Compare {
                    left: left.clone(),
                    comparison: *comparison,
                    right: right.clone(),
                    function: *function,
                };
                self.require(layout, def, arc, requires);
            }
            ArcDef::Move {
                scope,
                path,
                from,
                to,
                data,
            } => {
                let entity = layout.path_entity(def, path);
                let states = StateSet::of(from);
                let at = match scope {
                    Scope::Those => self.walk(path, Some((entity, states))),
                    Scope::Each => {
                        let at = self.reach(def, path);
                        self.source_states.push(SourceStates {
                            at,
                            entity,
                            states,
                            text: layout.states_text(entity, from).into(),
                        });
                        at
                    }
                };
                self.effects.push(Effect::Move(MovePlan {
                    at,
                    entity,
                    to: *to,
                    data: data.clone(),
                }));
            }
            ArcDef::Unlink { path, hop, with } => {
                self.link(def, LinkKind::Unlink, (path, *hop, with), None);
            }
            ArcDef::Relink {
                path,
                hop,
                with,
                data,
            } => self.link(def, LinkKind::Relink, (path, *hop, with), data.clone()),
            ArcDef::Link {
                path,
                hop,
                with,
                data,
            } => self.link(def, LinkKind::Link, (path, *hop, with), data.clone()),
            ArcDef::SetLink {
                path,
                hop,
                with,
                data,
            } => self.link(def, LinkKind::Keep, (path, *hop, with), Some(data.clone())),
            ArcDef::Set { path, value } => {
                let (at, entity) = (self.reach(def, path), layout.path_entity(def, path));
                if let Some(state) = layout.schema[value.column].state {
                    self.source_states.push(SourceStates {
                        at,
                        entity,
                        states: StateSet::of(&[state]),
                        text: layout.states_text(entity, &[state]).into(),
                    });
                }
                self.effects.push(Effect::Set(SetPlan {
                    at,
                    entity,
                    value: value.clone(),
                }));
            }
            ArcDef::Delete { path } => {
                let (at, entity) = (self.reach(def, path), layout.path_entity(def, path));
                if self.deletes.is_empty() {
                    self.effects.push(Effect::Delete);
                }
                self.deletes.push(DeletePlan { at, entity });
            }
        }
    }

    fn link(
        &mut self,
        def: &EventDef,
        kind: LinkKind,
        (path, hop, with): (&Path, Hop, &Path),
        data: Option<Source>,
    ) {
        let plan = LinkPlan {
            kind,
            all: with.root == path.root
                && with.hops.split_last() == Some((&hop, path.hops.as_slice())),
            at: self.reach(def, path),
            hop,
            with: self.reach(def, with),
            data,
        };
        self.effects.push(Effect::Link(plan));
    }

    /// The entities of a path.
    fn reach(&mut self, def: &EventDef, path: &Path) -> Reach {
        if !path.hops.is_empty() {
            return self.walk(path, None);
        }
        let before = &def.names[..=usize::from(path.root)];
        if before.iter().all(|name| name.count == Cardinality::One) {
            Reach::At(path.root.get())
        } else {
            Reach::Named(path.root.get())
        }
    }

    fn walk(&mut self, path: &Path, those: Option<(EntityIx, StateSet)>) -> Reach {
        self.walks.push(Walk {
            path: path.clone(),
            those,
        });
        Reach::Walked(self.walks.len() as u16 - 1)
    }
}

/// A condition for errors: `all want.partitions in Live`.
pub(crate) fn condition_text(layout: &Layout, def: &EventDef, arc: &ArcDef) -> Name {
    let text = layout.schema.arc_text(def, arc);
    let text = text.strip_prefix("when(").and_then(|t| t.strip_suffix(')'));
    text.unwrap_or_default().into()
}

/// The values that an arc writes.
fn written(arc: &ArcDef) -> Vec<&Source> {
    match arc {
        ArcDef::Create { values, .. } => values.iter().map(|a| &a.source).collect(),
        ArcDef::Move { data, .. } => data.iter().map(|a| &a.source).collect(),
        ArcDef::Set { value, .. } => vec![&value.source],
        ArcDef::SetLink { data, .. } => vec![data],
        ArcDef::Link { data, .. } | ArcDef::Relink { data, .. } => data.iter().collect(),
        _ => Vec::new(),
    }
}

/// The values that a condition compares.
fn compared(arc: &ArcDef) -> Vec<&Source> {
    match arc {
        ArcDef::Count { with, .. } => vec![with],
        ArcDef::Compare { left, right, .. } => vec![left, right],
        ArcDef::Choose { conditions, .. } => conditions.iter().map(|c| &c.with).collect(),
        _ => Vec::new(),
    }
}

/// Whether a value depends on the time of the transaction.
fn is_timed(source: &Source) -> bool {
    match source {
        Source::Time => true,
        Source::Calculated { left, right, .. } => is_timed(left) || is_timed(right),
        _ => false,
    }
}
