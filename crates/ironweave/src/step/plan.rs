//! The plan: the arcs of every event, sorted by the phase in which they are executed, with the texts that
//! errors need.

use std::sync::Arc;

use crate::error::Name;
use crate::graph::layout::{Layout, StateSet};
use crate::schema::{
    Arc as ArcDef, Assign, ColumnIx, EntityIx, EventDef, Hop, Path, Quantifier, Schema, Scope,
    Source, StateIx,
};
use crate::step::event::EventType;
use crate::{Reject, db::Reader, id::Id};

/// The code of an invariant.
pub type Check = fn(Id, &Reader<'_>) -> Result<(), Reject>;

/// A model, ready to run.
pub struct Plan {
    pub(crate) layout: Arc<Layout>,
    pub(crate) events: Vec<EventPlan>,
    pub(crate) types: Vec<EventType>,
    pub(crate) checks: Vec<Check>,
}

pub(crate) struct EventPlan {
    pub name: Name,
    pub names: Vec<NamePlan>,
    pub guards: Vec<Name>,
    pub creates: Vec<CreatePlan>,
    pub whens: Vec<WhenPlan>,
    /// The other arcs, in order of execution.
    pub acts: Vec<Act>,
    /// Fields of bound entities that arcs after `create` write somewhere: name and column.
    pub copied: Vec<(u16, ColumnIx)>,
    /// Whether two moves, a move and a delete, or two sets of one field, could meet in one entity.
    pub may_meet: bool,
}

/// What an arc does, once it is known to what.
pub(crate) enum Act {
    Link(LinkKind, LinkPlan),
    Set(SetPlan),
    Move(MovePlan),
    Delete(DeletePlan),
}

/// What happens to links. In this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LinkKind {
    Unlink,
    Relink,
    Link,
    /// They stay, with other data.
    Keep,
}

impl Act {
    /// When it is its turn.
    fn phase(&self) -> (u8, LinkKind) {
        match self {
            Self::Link(kind, _) => (0, *kind),
            Self::Set(_) => (1, LinkKind::Keep),
            Self::Move(_) => (2, LinkKind::Keep),
            Self::Delete(_) => (3, LinkKind::Keep),
        }
    }

    /// Whether two arcs could do to one entity what only one may do.
    fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Set(a), Self::Set(b)) => a.value.column == b.value.column,
            (Self::Move(a), Self::Move(b)) => a.entity == b.entity,
            (Self::Move(a), Self::Delete(b)) => a.entity == b.entity,
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
    /// Fields that are not given.
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
    pub scope: Scope,
    pub path: Path,
    pub entity: EntityIx,
    pub from: StateSet,
    pub from_text: Name,
    pub to: StateIx,
    pub data: Vec<Assign>,
}

pub(crate) struct LinkPlan {
    pub path: Path,
    pub hop: Hop,
    pub with: Path,
    /// `with` is `path` and the edge: all links are meant.
    pub all: bool,
    pub data: Option<Source>,
}

pub(crate) struct SetPlan {
    pub path: Path,
    pub entity: EntityIx,
    pub value: Assign,
    /// The state that the entities must be in, where the value is data of a state.
    pub state: Option<StateIx>,
}

pub(crate) struct DeletePlan {
    pub path: Path,
    pub entity: EntityIx,
}

impl Plan {
    pub(crate) fn new(schema: Schema, types: Vec<EventType>, checks: Vec<Check>) -> Self {
        let layout = Layout::new(schema);
        let events = layout
            .schema
            .events
            .iter()
            .map(|e| event(&layout, e))
            .collect();
        Self {
            layout,
            events,
            types,
            checks,
        }
    }
}

fn event(layout: &Layout, def: &EventDef) -> EventPlan {
    let mut plan = EventPlan {
        name: def.name.as_str().into(),
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
        acts: Vec::new(),
        copied: Vec::new(),
        may_meet: false,
    };
    for arc in &def.arcs {
        for source in sources(arc) {
            if let Source::Entity { name, column } = source
                && !plan.copied.contains(&(*name, *column))
            {
                plan.copied.push((*name, *column));
            }
        }
    }
    let link = |path: &Path, hop: Hop, with: &Path, data: &Option<Source>| LinkPlan {
        all: with.root == path.root && with.hops.split_last() == Some((&hop, path.hops.as_slice())),
        path: path.clone(),
        hop,
        with: with.clone(),
        data: data.clone(),
    };
    for arc in &def.arcs {
        match arc {
            ArcDef::Create {
                name,
                state,
                values,
            } => {
                let entity = def.names[usize::from(*name)].entity;
                let given = |c: &ColumnIx| values.iter().any(|v| v.column == *c);
                let defaults = layout.entities[usize::from(entity)].defaults.iter();
                plan.creates.push(CreatePlan {
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
                plan.whens.push(WhenPlan {
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
                plan.acts.push(Act::Move(MovePlan {
                    scope: *scope,
                    path: path.clone(),
                    entity,
                    from: StateSet::of(from),
                    from_text: layout.states_text(entity, from).into(),
                    to: *to,
                    data: data.clone(),
                }));
            }
            ArcDef::Unlink { path, hop, with } => {
                let arc = link(path, *hop, with, &None);
                plan.acts.push(Act::Link(LinkKind::Unlink, arc));
            }
            ArcDef::Relink {
                path,
                hop,
                with,
                data,
            } => {
                let arc = link(path, *hop, with, data);
                plan.acts.push(Act::Link(LinkKind::Relink, arc));
            }
            ArcDef::Link {
                path,
                hop,
                with,
                data,
            } => {
                let arc = link(path, *hop, with, data);
                plan.acts.push(Act::Link(LinkKind::Link, arc));
            }
            ArcDef::SetLink {
                path,
                hop,
                with,
                data,
            } => {
                let arc = link(path, *hop, with, &Some(data.clone()));
                plan.acts.push(Act::Link(LinkKind::Keep, arc));
            }
            ArcDef::Set { path, value } => plan.acts.push(Act::Set(SetPlan {
                path: path.clone(),
                entity: layout.path_entity(def, path),
                value: value.clone(),
                state: layout.schema.columns[usize::from(value.column)].state,
            })),
            ArcDef::Delete { path } => plan.acts.push(Act::Delete(DeletePlan {
                path: path.clone(),
                entity: layout.path_entity(def, path),
            })),
        }
    }
    plan.acts.sort_by_key(Act::phase);
    let mut pairs = (0..plan.acts.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    plan.may_meet = pairs.any(|(a, b)| plan.acts[a].may_meet(&plan.acts[b]));
    plan
}

/// The values that an arc writes after the creates.
fn sources(arc: &ArcDef) -> Vec<&Source> {
    match arc {
        ArcDef::Move { data, .. } => data.iter().map(|a| &a.source).collect(),
        ArcDef::Set { value, .. } => vec![&value.source],
        ArcDef::SetLink { data, .. } => vec![data],
        ArcDef::Link { data, .. } | ArcDef::Relink { data, .. } => data.iter().collect(),
        _ => Vec::new(),
    }
}
