//! What cannot be unfolded.

use std::fmt;

use crate::net::{Net, Take, Transition};

/// A part of a model that a place/transition net cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsupported {
    /// A guard of an event, which is code of the program.
    Guard {
        /// The event.
        event: String,
        /// The path of the function.
        guard: String,
    },
    /// A handler of an event, which is code of the program.
    Handler {
        /// The event.
        event: String,
        /// What the handler may do, as text.
        permits: Vec<String>,
    },
    /// An invariant, which is code of the program.
    Invariant {
        /// The invariant.
        name: String,
        /// The path of the function.
        check: String,
    },
    /// An event that creates an entity with a key that no field of the event gives, and so depends on the keys that there are.
    FixedKey {
        /// The event.
        event: String,
        /// The name of the created entity.
        variable: String,
    },
    /// A condition of an event on values, which are not part of the net.
    Condition {
        /// The event.
        event: String,
        /// The condition, as text.
        condition: String,
        /// Whether the event is immediate, so that it would fire where it does not.
        is_immediate: bool,
    },
    /// A choice of an event among entities that it tells apart by values, which are not part of the net.
    Choice {
        /// The event.
        event: String,
        /// The choice, as text.
        choice: String,
    },
    /// The order in which an immediate event fires on entities that it tells apart by values, which are not part of the net.
    FiringOrder {
        /// The event.
        event: String,
        /// The order, as text.
        order: String,
    },
    /// A sum or a difference, at whose overflow the event is rejected.
    Calculation {
        /// The event.
        event: String,
        /// The calculation, as text.
        calculation: String,
    },
    /// Arcs or permissions of an event that a newer version of ironweave has written.
    Unknown {
        /// The event.
        event: String,
        /// How many there are.
        count: usize,
    },
}

impl Unsupported {
    /// Returns whether leaving it out gives a net that does at least what the model does, so that a scope can
    /// [over-approximate](super::Scope::over_approximate).
    #[must_use]
    pub fn is_restriction(&self) -> bool {
        match self {
            Self::Guard { .. }
            | Self::Invariant { .. }
            | Self::FixedKey { .. }
            | Self::Calculation { .. } => true,
            // Without its condition, an immediate event fires where it does not, and takes what other events need.
            Self::Condition { is_immediate, .. } => !is_immediate,
            Self::Handler { .. }
            | Self::Choice { .. }
            | Self::FiringOrder { .. }
            | Self::Unknown { .. } => false,
        }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guard { event, guard } => write!(
                f,
                "{event} has the guard `{guard}`, which is code of the program"
            ),
            Self::Handler { event, permits } => write!(
                f,
                "{event} has a handler, which is code of the program and may {}",
                permits.join(", ")
            ),
            Self::Invariant { name, check } => write!(
                f,
                "the invariant {name} is `{check}`, which is code of the program"
            ),
            Self::FixedKey { event, variable } => write!(
                f,
                "{event} creates `{variable}` with a key that is not of a field of its own, and is rejected if an entity has this key"
            ),
            Self::Condition {
                event, condition, ..
            } => write!(
                f,
                "{event} has the condition `{condition}`, and values are not part of the net"
            ),
            Self::Choice { event, choice } => write!(
                f,
                "{event} chooses `{choice}`, and values are not part of the net"
            ),
            Self::FiringOrder { event, order } => write!(
                f,
                "{event} fires first by `{order}`, and values are not part of the net"
            ),
            Self::Calculation { event, calculation } => write!(
                f,
                "{event} calculates `{calculation}`, and is rejected if that overflows"
            ),
            Self::Unknown { event, count } => write!(
                f,
                "{event} has {count} arcs or permissions that a newer version of ironweave has written"
            ),
        }
    }
}

/// The error of a model that cannot be unfolded at a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotUnfolded {
    /// The scope does not have a number for exactly the entity types of the model.
    Entities {
        /// Names that are not of an entity type.
        unknown: Vec<String>,
        /// Entity types without a number.
        missing: Vec<String>,
    },
    /// Parts of the model cannot be unfolded.
    Unsupported(Vec<Unsupported>),
    /// The net would have too many places.
    Places {
        /// How many it would have, at least.
        places: u128,
        /// The limit.
        max: u64,
    },
    /// The net would have too many transitions.
    Transitions {
        /// The event at which the limit was exceeded.
        event: String,
        /// The limit.
        max: u64,
    },
    /// Immediate events follow an event without an end in sight.
    Endless {
        /// The event.
        event: String,
    },
}

impl fmt::Display for NotUnfolded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entities { unknown, missing } => {
                let mut parts = Vec::new();
                if !unknown.is_empty() {
                    parts.push(format!(
                        "the model has no entity type {}",
                        unknown.join(", ")
                    ));
                }
                if !missing.is_empty() {
                    let missing = missing.join(", ");
                    parts.push(format!("the number of entities is missing for {missing}"));
                }
                f.write_str(&parts.join("; "))
            }
            Self::Unsupported(all) => {
                f.write_str("the model cannot be unfolded:")?;
                all.iter().try_for_each(|one| write!(f, "\n  {one}"))?;
                match all.iter().all(Unsupported::is_restriction) {
                    true => f.write_str(
                        "\nover-approximate, which leaves these out, or explore the program itself with its `Checker`",
                    ),
                    false => f.write_str("\nexplore the program itself with its `Checker`"),
                }
            }
            Self::Places { places, max } => write!(
                f,
                "the net would have {places} places or more, and the limit is {max}; use fewer entities or a higher limit"
            ),
            Self::Transitions { event, max } => write!(
                f,
                "the net would have more than {max} transitions, most of them perhaps of {event}; use fewer entities or a higher limit"
            ),
            Self::Endless { event } => write!(
                f,
                "{event} is followed by more than 10000 immediate events; `Net::lint` finds loops of immediate events"
            ),
        }
    }
}

impl std::error::Error for NotUnfolded {}

/// Returns what is to be left out, or everything that cannot be unfolded.
pub(super) fn check(net: &Net, over_approximate: bool) -> Result<Vec<Unsupported>, NotUnfolded> {
    let mut all = Vec::new();
    for transition in &net.transitions {
        add(net, transition, &mut all);
    }
    all.extend(
        net.invariants
            .iter()
            .map(|invariant| Unsupported::Invariant {
                name: invariant.name.clone(),
                check: invariant.check.clone(),
            }),
    );
    match all.is_empty() || over_approximate && all.iter().all(Unsupported::is_restriction) {
        true => Ok(all),
        false => {
            all.retain(|one| !over_approximate || !one.is_restriction());
            Err(NotUnfolded::Unsupported(all))
        }
    }
}

fn add(net: &Net, transition: &Transition, all: &mut Vec<Unsupported>) {
    let event = || transition.name.clone();
    all.extend(transition.guards.iter().map(|guard| Unsupported::Guard {
        event: event(),
        guard: guard.clone(),
    }));
    if let Some(handler) = &transition.handler {
        let permits = handler.permits.iter().map(|action| net.action_text(action));
        all.push(Unsupported::Handler {
            event: event(),
            permits: permits.collect(),
        });
    }
    all.extend(
        transition
            .fixed_keys
            .iter()
            .map(|name| Unsupported::FixedKey {
                event: event(),
                variable: transition[*name].name.clone(),
            }),
    );
    all.extend(values(net, transition));
    if transition.unknown > 0 {
        all.push(Unsupported::Unknown {
            event: event(),
            count: transition.unknown,
        });
    }
}

/// What depends on values.
fn values(net: &Net, transition: &Transition) -> Vec<Unsupported> {
    let mut all = Vec::new();
    let event = || transition.name.clone();
    let condition = |condition: String| Unsupported::Condition {
        event: event(),
        condition,
        is_immediate: transition.is_immediate(),
    };
    for choice in &transition.choices {
        let is_known = match &choice.take {
            Take::One => true,
            Take::Exactly(number) | Take::UpTo(number) => number.literal.is_some(),
        };
        if !is_known || !choice.is_by_slot() {
            all.push(Unsupported::Choice {
                event: event(),
                choice: net.choice_text(transition, choice),
            });
        }
    }
    for read in &transition.reads {
        if let Some(amount) = &read.amount
            && amount.number.literal.is_none()
        {
            let counted = net.counted_text(transition, read);
            all.push(condition(format!("{counted} {}", amount.text())));
        }
    }
    all.extend(transition.conditions.iter().cloned().map(condition));
    all.extend(
        transition
            .order
            .iter()
            .map(|order| Unsupported::FiringOrder {
                event: event(),
                order: order.clone(),
            }),
    );
    let calculations = transition.calculations.iter();
    all.extend(calculations.map(|calculation| Unsupported::Calculation {
        event: event(),
        calculation: calculation.clone(),
    }));
    all
}
