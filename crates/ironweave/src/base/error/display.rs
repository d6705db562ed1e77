//! The messages of [`StepError`]: the events that led to it, what happened to which entity, and what to do.

use std::fmt;

use crate::base::error::{Chain, EntityRef, LoopLimit, Name, StepError};

/// The number of events that a message shows. Of a longer chain it shows the beginning and the end.
const SHOWN_MAX: usize = 12;

/// Writes events one after the other, each followed by an arrow.
fn arrows(f: &mut fmt::Formatter<'_>, events: &[Name]) -> fmt::Result {
    let all = |f: &mut fmt::Formatter<'_>, events: &[Name]| {
        (events.iter()).try_for_each(|event| write!(f, "{event} → "))
    };
    if events.len() <= SHOWN_MAX {
        return all(f, events);
    }
    let (half, n) = (SHOWN_MAX / 2, events.len());
    all(f, &events[..half])?;
    write!(f, "({} more) → ", n - SHOWN_MAX)?;
    all(f, &events[n - half..])
}

/// The beginning of a message: the events that led to the rejection and the event that was rejected, as in
/// `Approve → immediate event Complete: `. The second field is the rejected event, for an error without a chain.
struct EventPrefix<'e>(&'e Chain, Option<&'e Name>);

impl fmt::Display for EventPrefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&**self.0, self.1) {
            ([one], _) | ([], Some(one)) => write!(f, "{one}: "),
            ([], None) => Ok(()),
            ([before @ .., last], _) => {
                arrows(f, before)?;
                write!(f, "immediate event {last}: ")
            }
        }
    }
}

/// Events before the rest of a message, each followed by an arrow.
struct Arrows<'e>(&'e [Name]);

impl fmt::Display for Arrows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        arrows(f, self.0)
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invariant {
                invariant,
                entity,
                reason,
                chain,
            } => {
                let chain = Arrows(chain);
                write!(
                    f,
                    "{chain}invariant {invariant} of {entity} does not hold: {reason}"
                )
            }
            Self::Loop {
                entity,
                cycle,
                limit,
                chain,
            } => write_loop(f, entity, cycle, *limit, chain),
            Self::TimeGoesBack { last, asked } if *last == crate::base::time::Timestamp::default() => write!(
                f,
                "the time {asked} is before {last}, the earliest time of a transaction; give a later time, or none"
            ),
            Self::TimeGoesBack { last, asked } => write!(
                f,
                "the time {asked} is before {last}, the time of the last transaction; give a later time, or none"
            ),
            Self::KeyReused { key, seq } => write!(
                f,
                "the idempotency key `{key}` belongs to transaction {seq}, which had other events; \
                 repeat exactly those, or choose another key"
            ),
            Self::KeyExpired { key } => write!(
                f,
                "the idempotency key `{key}` belongs to a transaction that was committed longer ago than keys are kept, so \
                 its result is not known; read the current state, and choose another key for a new request"
            ),
            Self::RejectedBefore { seq, reason } => write!(
                f,
                "rejected as in transaction {seq}, which has the same idempotency key: {reason}"
            ),
            Self::ReceiptLost { seq, event, name } => write!(
                f,
                "the request was committed in frame {seq}, by a version of the model in which the event {event} had no \
                 `{name}`; its changes are in the graph, but its receipt cannot be restored"
            ),
            Self::StaleSavepoint => f.write_str(
                "the savepoint is not one of this transaction, or a rollback to an earlier savepoint has removed it; \
                 the transaction is unchanged and can continue",
            ),
            Self::Metadata(e) => fmt::Display::fmt(e, f),
            Self::ReadOnly => f.write_str(
                "the store is open for reading only; open it with `Store::open` to take steps",
            ),
            Self::Storage(e) => fmt::Display::fmt(e, f),
            Self::Indeterminate(e) => write!(
                f,
                "{e}; open the store again to find out whether the last transaction was kept"
            ),
            _ => self.rejected(f),
        }
    }
}

impl StepError {
    /// Writes the message of an error that begins with the rejected event.
    fn rejected(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (event, chain) = (self.event(), self.chain_ref());
        if let Some(chain) = chain {
            fmt::Display::fmt(&EventPrefix(chain, event), f)?;
        }
        match self {
            Self::StaleHandle { entity, .. } => write!(
                f,
                "{entity} does not exist; it was deleted, or its handle is of another store"
            ),
            Self::UnknownKey { entity, key, .. } => {
                write!(
                    f,
                    "there is no {entity} {key}; create it first, or use another key"
                )
            }
            Self::NotInPlace {
                entity,
                expected,
                found,
                ..
            } => write!(f, "{entity} is {found}, not {expected}"),
            Self::When { condition, .. } => write!(f, "`when({condition})` does not hold"),
            Self::NothingToChoose {
                name,
                candidates,
                found,
                wanted,
                ..
            } => match wanted {
                1 => write!(
                    f,
                    "there is nothing to choose as `{name}`: `{candidates}` finds no entity"
                ),
                _ => write!(
                    f,
                    "there is too little to choose as `{name}`: `{candidates}` finds {found} of {wanted} entities"
                ),
            },
            Self::Overflow { calculation, .. } => {
                write!(f, "`{calculation}` overflows")
            }
            Self::Guard { guard, reason, .. } => {
                // The message omits the module path of the function.
                let name = guard.rsplit("::").next().unwrap_or(guard);
                write!(f, "guard {name}: {reason}")
            }
            Self::Rejected { reason, .. } => fmt::Display::fmt(reason, f),
            Self::TwoArcs { entity, .. } => write!(
                f,
                "two arcs move or delete {entity}, or set the same field of it; \
                 an event does each of these once to an entity"
            ),
            Self::Repeated { name, entity, .. } => {
                write!(f, "{entity} occurs twice in `{name}`; list it once")
            }
            Self::Duplicate { entity, key, .. } => {
                // An entity that is being created has no key in the graph yet.
                let entity = &entity.entity;
                write!(f, "{entity} {key} exists already; choose another key")
            }
            Self::Cardinality {
                entity,
                edge,
                found,
                allowed,
                ..
            } => write!(
                f,
                "{entity} would have {found} link{} at {edge}, and {allowed}",
                if *found == 1 { "" } else { "s" }
            ),
            Self::AlreadyLinked { edge, from, to, .. } => write!(
                f,
                "{from} and {to} are already linked by {edge}; use `relink` if that is allowed"
            ),
            Self::NotLinked { edge, from, to, .. } => {
                write!(f, "{from} and {to} are not linked by {edge}")
            }
            Self::Restricted {
                entity, edge, by, ..
            } => write!(
                f,
                "{entity} cannot be deleted: at {edge} it is linked with {by}, and the `on_delete` of {edge} is \
                 `restrict`; unlink it first"
            ),
            Self::Cycle {
                edge,
                entities,
                len,
                ..
            } => {
                let mut names: Vec<String> = entities.iter().map(EntityRef::to_string).collect();
                if *len > entities.len() {
                    let left_out = format!(".. {} more ..", len - entities.len());
                    names.insert(entities.len() / 2, left_out);
                }
                names.extend(entities.first().map(EntityRef::to_string));
                write!(
                    f,
                    "{edge} is acyclic, and its links would form a cycle: {}",
                    names.join(" -> ")
                )
            }
            Self::Full { what, .. } => write!(f, "there is no room for more of {what}"),
            Self::Unwritable { what, reason, .. } => {
                write!(f, "the value of {what} cannot be written: {reason}")
            }
            Self::Changed {
                entity,
                expected,
                found,
                ..
            } => write!(
                f,
                "{entity} was changed by transaction {found}, and nothing after transaction {expected} was expected \
                 to change it; read it again"
            ),
            // `fmt` writes these.
            Self::Invariant { .. }
            | Self::Loop { .. }
            | Self::TimeGoesBack { .. }
            | Self::KeyReused { .. }
            | Self::KeyExpired { .. }
            | Self::RejectedBefore { .. }
            | Self::ReceiptLost { .. }
            | Self::StaleSavepoint
            | Self::Metadata(_)
            | Self::ReadOnly
            | Self::Storage(_)
            | Self::Indeterminate(_) => Ok(()),
        }
    }

    /// Returns the event that was rejected, if the error has it apart from its chain.
    fn event(&self) -> Option<&Name> {
        match self {
            Self::StaleHandle { event, .. }
            | Self::UnknownKey { event, .. }
            | Self::NotInPlace { event, .. }
            | Self::When { event, .. }
            | Self::NothingToChoose { event, .. }
            | Self::Overflow { event, .. }
            | Self::Guard { event, .. }
            | Self::Rejected { event, .. }
            | Self::TwoArcs { event, .. }
            | Self::Repeated { event, .. }
            | Self::Changed { event, .. } => Some(event),
            _ => None,
        }
    }
}

/// Writes the message of [`StepError::Loop`]: the events before the cycle, the cycle, and the limit.
fn write_loop(
    f: &mut fmt::Formatter<'_>,
    entity: &EntityRef,
    cycle: &[Name],
    limit: LoopLimit,
    chain: &Chain,
) -> fmt::Result {
    let it = match cycle {
        [] => {
            write!(f, "{}on {entity} ", EventPrefix(chain, None))?;
            "it"
        }
        [first, ..] => {
            let (before, cycle) = (Arrows(chain), Arrows(cycle));
            write!(
                f,
                "{before}{cycle}{first} → ...: these immediate events enable each other in a cycle; on {entity} "
            )?;
            "the last"
        }
    };
    match limit {
        LoopLimit::Firings(n) => write!(
            f,
            "{it} has fired {n} times in this step, which is the limit; let their conditions exclude each other, or raise \
             `Options::firings_max`"
        ),
        LoopLimit::CreationDepth(n) => write!(
            f,
            "{it} would create an entity at depth {}, and {n} is the limit; let a condition end it, or raise \
             `Options::creation_depth_max`",
            u64::from(n) + 1
        ),
        LoopLimit::CreatedFirings(n) => write!(
            f,
            "{it} would be firing {} of this step on entities that immediate events created, and {n} is the limit; \
             let a condition end it, or raise `Options::created_firings_max`",
            u64::from(n) + 1
        ),
    }
}
