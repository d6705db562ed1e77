//! The plan: the arcs of every event, sorted by the stage that executes them, with the texts that errors need.

use std::any::TypeId;
use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::error::{Chain, Name, Reject};
use crate::base::id::Id;
use crate::db::Reader;
use crate::graph::column::ColumnTypes;
use crate::graph::layout::{Layout, StateSet};
use crate::schema::compiled::{CompiledArc, phase};
use crate::schema::{
    Arc as ArcDef, Assign, BindBy, Cardinality, ColumnIx, EntityIx, EventDef, Hop, NameDef, NameIx,
    Path, Quantifier, Schema, Scope, Source, StateIx,
};
use crate::step::arcs::may_compete;
use crate::step::compile::compile;
use crate::step::event::EventType;
use crate::step::immediates::Limits;
use crate::step::model::{Binding, Model};

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

pub(crate) struct EventPlan {
    pub name: Name,
    /// The chain of a rejection of this event when the program fired it: made once, since a rejection shares it.
    pub alone: Chain,
    pub names: Vec<NamePlan>,
    pub guards: Vec<Name>,
    pub creates: Vec<CreatePlan>,
    pub whens: Vec<WhenPlan>,
    /// Fields of bound entities that arcs after `create` copy elsewhere: name and column.
    pub copied: Vec<(NameIx, ColumnIx)>,
    /// The paths that lead over edges, which are walked before any arc acts.
    pub walks: Vec<Walk>,
    /// The states that entities must be in before any arc acts.
    pub source_states: Vec<SourceStates>,
    /// The other arcs, in order of execution.
    pub effects: Vec<Effect>,
    /// What [`Effect::Delete`] deletes.
    pub deletes: Vec<DeletePlan>,
    /// Whether two moves, a move and a delete, or two sets of one field, could meet in one entity.
    pub may_meet: bool,
    /// Whether its links could compete for an end that holds one: see `arcs/conflicts.rs`.
    pub may_compete: bool,
    /// Whether it can break a bound on links or close a cycle.
    pub bounded: bool,
    /// How many fields it has.
    pub fields: u16,
    /// Whether it has a handler.
    pub handler: bool,
    /// Whether it writes the time of the transaction.
    pub timed: bool,
    /// The compiled arcs that follow from the plan, if the event can have any.
    pub compiled: Option<Vec<CompiledArc>>,
    /// Whether the event has compiled arcs, and creates nothing before source states are checked: see [`Core::refusal`].
    ///
    /// [`Core::refusal`]: crate::step::Core::refusal
    pub refused_early: bool,
}

/// The entities that an arc acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The entity at this index among all that the event binds.
    At(u16),
    /// The entities that a name is bound to.
    Named(u16),
    /// The entities that a path leads to, by its index in [`EventPlan::walks`].
    Walked(u16),
}

/// A path over edges.
pub(crate) struct Walk {
    pub path: Path,
    /// If given, only the entities that are in these states.
    pub those: Option<(EntityIx, StateSet)>,
}

/// Some entities and the states in one of which each of them must be before any arc acts.
pub(crate) struct SourceStates {
    pub at: Reach,
    pub entity: EntityIx,
    pub states: StateSet,
    /// The states for errors: `Idle | Busy`.
    pub text: Name,
}

/// What an arc does to the entities that it acts on.
pub(crate) enum Effect {
    Link(LinkPlan),
    Set(SetPlan),
    Move(MovePlan),
    /// Deletes all that the event deletes.
    Delete,
}

/// What happens to links.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkKind {
    Unlink,
    Relink,
    Link,
    /// The link stays and gets other data.
    Keep,
}

impl Effect {
    /// Whether two arcs may not both act on one entity.
    fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Set(a), Self::Set(b)) => a.value.column == b.value.column,
            (Self::Move(a), Self::Move(b)) => a.entity == b.entity,
            _ => false,
        }
    }
}

pub(crate) struct NamePlan {
    pub name: Name,
    pub entity: EntityIx,
}

pub(crate) struct CreatePlan {
    pub entity: EntityIx,
    pub state: StateIx,
    pub values: Vec<Assign>,
    /// Fields that are not given a value.
    pub defaults: Vec<ColumnIx>,
}

pub(crate) struct WhenPlan {
    pub quantifier: Quantifier,
    pub path: Path,
    pub entity: EntityIx,
    pub states: StateSet,
    pub text: Name,
}

pub(crate) struct MovePlan {
    pub at: Reach,
    pub entity: EntityIx,
    pub to: StateIx,
    pub data: Vec<Assign>,
}

pub(crate) struct LinkPlan {
    pub kind: LinkKind,
    pub at: Reach,
    pub hop: Hop,
    pub with: Reach,
    /// Whether `with` is the end itself, `unlink(a.links -= a.links)`: then all links go.
    pub all: bool,
    pub data: Option<Source>,
}

pub(crate) struct SetPlan {
    pub at: Reach,
    pub entity: EntityIx,
    pub value: Assign,
}

pub(crate) struct DeletePlan {
    pub at: Reach,
    pub entity: EntityIx,
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
            events,
            invariants,
        } = binding;
        let layout = Layout::new(schema);
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
        whens: Vec::new(),
        copied: Vec::new(),
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
        for source in sources(arc) {
            match source {
                Source::Entity { name, column } if !plan.copied.contains(&(*name, *column)) => {
                    plan.copied.push((*name, *column));
                }
                Source::Time => plan.timed = true,
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
    fn add(&mut self, layout: &Layout, def: &EventDef, arc: &ArcDef) {
        match arc {
            // Of a newer version, which a program of this one does not have.
            ArcDef::Unknown(_)
            | ArcDef::Count { .. }
            | ArcDef::Compare { .. }
            | ArcDef::Choose { .. } => {}
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
                let entity = layout.path_entity(def, path);
                let word = match quantifier {
                    Quantifier::All => "all",
                    Quantifier::Any => "any",
                    Quantifier::None => "none",
                };
                let (of, among) = (
                    layout.path_text(def, path),
                    layout.states_text(entity, states),
                );
                self.whens.push(WhenPlan {
                    quantifier: *quantifier,
                    path: path.clone(),
                    entity,
                    states: StateSet::of(states),
                    text: format!("{word} {of} in {among}").into(),
                });
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

/// The sources of the values that an arc writes after the creates. Of a create only the time is of interest.
fn sources(arc: &ArcDef) -> Vec<&Source> {
    match arc {
        ArcDef::Move { data, .. } => data.iter().map(|a| &a.source).collect(),
        ArcDef::Set { value, .. } => vec![&value.source],
        ArcDef::SetLink { data, .. } => vec![data],
        ArcDef::Link { data, .. } | ArcDef::Relink { data, .. } => data.iter().collect(),
        ArcDef::Create { values, .. } => (values.iter().map(|a| &a.source))
            .filter(|source| matches!(source, Source::Time))
            .collect(),
        _ => Vec::new(),
    }
}
