//! The messages of a [`StepError`]: the events that led to it, what happened to which entity, and what to do.

use std::fmt;

use crate::base::error::{Chain, EntityRef, LoopLimit, Name, StepError};

/// A chain of more events than this is shown by its beginning and its end.
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

/// The event that was rejected and those that led to it, before the message: `Approve → immediate event Complete: `.
struct By<'e>(&'e Chain, Option<&'e Name>);

impl fmt::Display for By<'_> {
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

/// Events that led to something which is no event.
struct After<'e>(&'e [Name]);

impl fmt::Display for After<'_> {
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
                let chain = After(chain);
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
            } => endless(f, entity, cycle, *limit, chain),
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
            Self::RejectedBefore { seq, reason } => write!(
                f,
                "rejected as when transaction {seq} happened under the same idempotency key: {reason}"
            ),
            Self::ReceiptLost { seq, event, name } => write!(
                f,
                "the request was answered in frame {seq}, under rules by which the event {event} had no `{name}`: what it \
                 did is there, and its receipt cannot be given again"
            ),
            Self::StaleSavepoint => f.write_str(
                "the savepoint is not one of this transaction, or a rollback to an earlier savepoint has undone it; \
                 the transaction is as it was and can go on",
            ),
            Self::Metadata(e) => fmt::Display::fmt(e, f),
            Self::ReadOnly => f.write_str(
                "the store is open for reading only; open it with `Store::open` to take steps",
            ),
            Self::Storage(e) => fmt::Display::fmt(e, f),
            Self::Indeterminate(e) => write!(
                f,
                "{e}; whether the last transaction was kept shows when the store is opened again"
            ),
            _ => self.rejected(f),
        }
    }
}

impl StepError {
    /// Why an event was rejected, for the errors that begin with the event.
    fn rejected(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (event, chain) = (self.event(), self.chain_ref());
        if let Some(chain) = chain {
            fmt::Display::fmt(&By(chain, event), f)?;
        }
        match self {
            Self::StaleHandle { entity, .. } => write!(
                f,
                "{entity} does not exist; it was deleted, or its handle is of another store"
            ),
            Self::UnknownKey { entity, key, .. } => {
                write!(
                    f,
                    "there is no {entity} {key}; create it first, or name another"
                )
            }
            Self::NotInPlace {
                entity,
                expected,
                found,
                ..
            } => write!(f, "{entity} is {found}, not {expected}"),
            Self::When { condition, .. } => write!(f, "`when({condition})` does not hold"),
            Self::Guard { guard, reason, .. } => {
                // The module of the function does not help who reads a rejection.
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
                write!(f, "{entity} stands twice in `{name}`; name it once")
            }
            Self::Duplicate { entity, key, .. } => {
                // An entity that is being created may have no key yet that could be shown.
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
                "{from} and {to} are already linked by {edge}; use `relink` where that is no mistake"
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
            Self::Cycle { edge, entities, .. } => {
                let mut names: Vec<String> = entities.iter().map(EntityRef::to_string).collect();
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
            // These have no event before them.
            Self::Invariant { .. }
            | Self::Loop { .. }
            | Self::TimeGoesBack { .. }
            | Self::KeyReused { .. }
            | Self::RejectedBefore { .. }
            | Self::ReceiptLost { .. }
            | Self::StaleSavepoint
            | Self::Metadata(_)
            | Self::ReadOnly
            | Self::Storage(_)
            | Self::Indeterminate(_) => Ok(()),
        }
    }

    /// The event that was rejected, where the error was made by one that knew it.
    fn event(&self) -> Option<&Name> {
        match self {
            Self::StaleHandle { event, .. }
            | Self::UnknownKey { event, .. }
            | Self::NotInPlace { event, .. }
            | Self::When { event, .. }
            | Self::Guard { event, .. }
            | Self::Rejected { event, .. }
            | Self::TwoArcs { event, .. }
            | Self::Repeated { event, .. }
            | Self::Changed { event, .. } => Some(event),
            _ => None,
        }
    }
}

/// A step whose immediate events do not end: how they came to it, the cycle, and which limit ended it.
fn endless(
    f: &mut fmt::Formatter<'_>,
    entity: &EntityRef,
    cycle: &[Name],
    limit: LoopLimit,
    chain: &Chain,
) -> fmt::Result {
    let it = match cycle {
        [] => {
            write!(f, "{}on {entity} ", By(chain, None))?;
            "it"
        }
        [first, ..] => {
            let (before, cycle) = (After(chain), After(cycle));
            write!(
                f,
                "{before}{cycle}{first} → ...: these immediate events go round in circles; on {entity} "
            )?;
            "the last"
        }
    };
    match limit {
        LoopLimit::Firings(n) => write!(
            f,
            "{it} has fired {n} times in this step, which is the limit; let their conditions exclude each other"
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
