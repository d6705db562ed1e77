//! Verification: firing the events of a log again with the current code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::base::error::{ErrorKind, FrameLocation, ReadError};
use crate::base::id::Id;
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::graph::Graph;
use crate::graph::fact::Facts;
use crate::graph::paged::Paged;
use crate::log::{FrameHeader, FrameKind};
use crate::schema::{BindBy, EventIx, NameDef};
use crate::step::epoch::NotEntered;
use crate::step::field_codec::read_chosen;
use crate::step::fire::By;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::step::{Core, epoch, flat};
use crate::store::bad_frame;
use crate::store::checkpoint::read::{Loaded, Loader};
use crate::store::frame::Decoded;
use crate::store::version::At;
use crate::store::view::LogView;

/// A difference between a logged transaction and what the current code does for the same events.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The sequence of the transaction.
    pub seq: Seq,
    /// Where its frame is, if the log is in a directory.
    pub location: Option<FrameLocation>,
    /// The time of the transaction.
    pub time: Timestamp,
    /// The name of the event.
    pub event: String,
    /// The logged fact, firing or fingerprint, as text.
    pub logged: String,
    /// That of the current code, as text.
    pub today: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seq,
            location,
            time,
            event,
            logged,
            today,
        } = self;
        if let Some(location) = location {
            write!(f, "{location}: ")?;
        }
        write!(
            f,
            "frame {seq} ({time}), event {event}: the log has `{logged}`, and the current code does `{today}`"
        )
    }
}

/// What a verification has found in a log that is right.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The number of transactions whose events gave the logged facts when they were fired again. Of a store without the types of
    /// its model, it is the number of transactions whose facts were replayed.
    pub agreed: u64,
    /// The events that could not be fired again, by their names in the log: those that the program does not have any more and reads as no
    /// other ones, others of the same transactions, and those of epochs of another shape. Their facts were replayed.
    pub not_fired: Vec<NotFired>,
}

/// An event that a verification could not fire again.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFired {
    /// The name of the event in the log.
    pub event: String,
    /// The number of transactions with the event.
    pub transactions: u64,
    /// The first of them.
    pub first: Seq,
}

/// The error of a verification.
#[non_exhaustive]
#[derive(Debug)]
pub enum VerifyError {
    /// The current code does not reproduce the log. This is the first difference.
    Differs(Box<Difference>),
    /// The store has no log.
    Unlogged,
    /// The log could not be read.
    Storage(StorageError),
}

impl VerifyError {
    /// Returns the kind of the error, which determines what a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Differs(_) => ErrorKind::Internal,
            Self::Unlogged => ErrorKind::Invalid,
            Self::Storage(e) => e.kind(),
        }
    }

    /// Returns the first difference, if the verification found one.
    #[must_use]
    pub fn difference(&self) -> Option<&Difference> {
        match self {
            Self::Differs(difference) => Some(difference),
            _ => None,
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs(difference) => fmt::Display::fmt(difference, f),
            Self::Unlogged => f.write_str(
                "this store has no log that could be verified; use `Store::memory` or `Store::open`",
            ),
            Self::Storage(e) => fmt::Display::fmt(e, f),
        }
    }
}

impl std::error::Error for VerifyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Differs(_) | Self::Unlogged => None,
            // The message of this error is that of the failure, so the source is the cause of the failure.
            Self::Storage(e) => e.source(),
        }
    }
}

impl From<StorageError> for VerifyError {
    fn from(e: StorageError) -> Self {
        Self::Storage(e)
    }
}

/// See [`Store::verify`](crate::Store::verify).
pub(crate) fn verify_view<M: Model>(
    view: Result<LogView<'_>, ReadError>,
) -> Result<Verified, VerifyError> {
    let view = view.map_err(|e| match e {
        ReadError::Unlogged => VerifyError::Unlogged,
        e => VerifyError::Storage(e.into_storage()),
    })?;
    if M::IS_DYNAMIC {
        verify_facts(&view)
    } else {
        verify(&view)
    }
}

/// Where a verification begins: at the first frame, or, if the first frames were dropped, at the oldest checkpoint.
struct Beginning(Option<(Loaded<Paged>, At)>);

impl Beginning {
    fn of(view: &LogView<'_>) -> Self {
        let kept = view.log().segments().map_or(Seq::ZERO, |log| log.kept());
        let dropped = (kept > Seq::ZERO).then(|| Loader::of_view(view).oldest());
        Self(dropped.flatten())
    }

    fn graph<'a>(&'a self, view: &'a LogView<'_>) -> Option<&'a Graph<Paged>> {
        match &self.0 {
            Some((loaded, _)) => Some(&loaded.graph),
            None => view.base.as_ref().map(|base| &base.graph),
        }
    }

    fn plan<'a>(&'a self, view: &'a LogView<'_>) -> &'a Plan {
        self.0
            .as_ref()
            .map_or(&view.plan, |(loaded, _)| &loaded.plan)
    }

    /// Returns the first frame that is verified.
    fn next(&self) -> Seq {
        self.0.as_ref().map_or(Seq::ZERO, |(_, at)| at.next())
    }
}

/// Replays all facts on an empty graph. Without the code of the model, no event can be fired again.
fn verify_facts(view: &LogView<'_>) -> Result<Verified, VerifyError> {
    let begin = Beginning::of(view);
    let mut core = flat::core(begin.plan(view), begin.graph(view));
    let mut agreed = 0;
    for frame in view.frames(begin.next())? {
        let frame = frame?;
        let (seq, fingerprint) = (frame.header.seq, frame.header.fingerprint);
        for (_, plan) in view.epochs.begun(seq.checked_sub(1), seq) {
            let entered = epoch::enter(&mut core.graph, plan, Some(fingerprint));
            entered.map_err(|e| not_entered(view, (seq, plan), e))?;
        }
        let kind = frame.header.kind;
        if kind.has_facts() {
            let decoded = view.epochs.decode((seq, kind), &frame.payload);
            let decoded = decoded.map_err(|e| view.place(e))?;
            replay_frame(&mut core, &frame.header, &decoded.facts).map_err(|e| view.place(e))?;
            agreed += u64::from(kind == FrameKind::Transaction);
        }
    }
    let not_fired = Vec::new();
    Ok(Verified { agreed, not_fired })
}

fn verify(view: &LogView<'_>) -> Result<Verified, VerifyError> {
    let plan = &*view.plan;
    let begin = Beginning::of(view);
    let mut core = flat::core(plan, begin.graph(view));
    core.open.record_items();
    let mut not_fired: BTreeMap<String, (u64, Seq)> = BTreeMap::new();
    let mut agreed = 0;
    for frame in view.frames(begin.next())? {
        let frame = frame?;
        let (seq, kind) = (frame.header.seq, frame.header.kind);
        for (_, own) in view.epochs.begun(seq.checked_sub(1), seq) {
            let entered = epoch::enter(&mut core.graph, own, Some(frame.header.fingerprint));
            entered.map_err(|e| not_entered(view, (seq, own), e))?;
        }
        if !kind.has_facts() {
            continue;
        }
        let decoded = view.epochs.decode((seq, kind), &frame.payload);
        let mut decoded = decoded.map_err(|e| view.place(e))?;
        let foreign = view.epochs.foreign(seq);
        if kind == FrameKind::Migration || foreign.is_some() {
            let facts =
                (view.epochs).decode_replayed((seq, kind), &frame.payload, Facts::default());
            let facts = facts.map_err(|e| view.place(e))?;
            let own = view.epochs.plan(seq, &view.plan);
            let typed = foreign.map(|foreign| foreign.firings(&own.layout.schema, &decoded));
            let typed = typed
                .transpose()
                .map_err(|e| view.place(bad_frame(seq, e)))?;
            let fires = kind == FrameKind::Transaction && view.epochs.can_fire(seq);
            let typed = typed.filter(|typed| fires && typed.are_read());
            let Some(typed) = typed else {
                let events: BTreeSet<EventIx> = decoded.firings.iter().map(|f| f.event).collect();
                for event in events {
                    not_fired.entry(name(own, event)).or_insert((0, seq)).0 += 1;
                }
                replay_frame(&mut core, &frame.header, &facts.facts).map_err(|e| view.place(e))?;
                continue;
            };
            decoded = typed.with_facts(&decoded, facts);
        }
        core.open.clock.set(decoded.time);
        core.open.meta = decoded.meta.clone();
        core.open.logged_firings = decoded.firings.len() as u32;
        let first = || {
            decoded
                .firings
                .first()
                .map_or_else(String::new, |f| name(plan, f.event))
        };
        refire(&mut core, plan, &decoded, foreign.is_some())
            .and_then(|()| {
                let broken = |e: crate::base::error::StepError| {
                    (first(), "the transaction".to_owned(), e.to_string())
                };
                flat::check_invariants(&core, plan).map_err(broken)
            })
            .and_then(|()| {
                let (logged, today) = (frame.header.fingerprint, core.fingerprint());
                let fingerprint_text = |print: u128| format!("fingerprint {print:032x}");
                if logged == today {
                    Ok(())
                } else {
                    Err((first(), fingerprint_text(logged), fingerprint_text(today)))
                }
            })
            .map_err(|(event, logged, today)| {
                VerifyError::Differs(Box::new(Difference {
                    seq,
                    location: frame.location.clone(),
                    time: decoded.time,
                    event,
                    logged,
                    today,
                }))
            })?;
        core.keep();
        agreed += 1;
    }
    let not_fired = not_fired.into_iter();
    let not_fired = not_fired.map(|(event, (transactions, first))| NotFired {
        event,
        transactions,
        first,
    });
    let not_fired = not_fired.collect();
    Ok(Verified { agreed, not_fired })
}

#[cold]
fn not_entered(view: &LogView<'_>, (seq, plan): (Seq, &Plan), e: NotEntered) -> StorageError {
    let at = (seq, &plan.layout.schema);
    view.place(view.epochs.not_entered(view.log(), at, e))
}

/// Applies the facts of a frame, after which the graph must have the fingerprint of the frame.
fn replay_frame(core: &mut Core, header: &FrameHeader, facts: &Facts) -> Result<(), StorageError> {
    let fingerprint = header.fingerprint;
    let replayed = match header.kind {
        FrameKind::Migration => flat::replay_part(core, facts, Some(fingerprint)),
        _ => flat::replay(core, facts, fingerprint),
    };
    replayed.map_err(|e| bad_frame(header.seq, e))
}

fn name(plan: &Plan, event: EventIx) -> String {
    plan.events[usize::from(event)].name.to_string()
}

/// Fires the events of one transaction. The error is the event, what the log has, and what the current code does.
fn refire(
    core: &mut Core,
    plan: &Plan,
    decoded: &Decoded,
    is_foreign: bool,
) -> Result<(), (String, String, String)> {
    let nothing = || "nothing more".to_owned();
    for (i, firing) in decoded.firings.iter().enumerate() {
        // Immediate events fire by themselves, or that is the difference.
        let Some(decode) = plan.types[usize::from(firing.event)].decode else {
            continue;
        };
        let failed = |today: String| (name(plan, firing.event), "it fired".to_owned(), today);
        let event = decoded.reader(i).and_then(|r| decode(&r));
        let event = event.map_err(|e| failed(format!("it cannot be read: {e}")))?;
        // The interpreter, so that what compiled arcs have written is verified by something else.
        core.fire_unguarded(plan, &*event, By::Interpreter)
            .map_err(|e| failed(e.to_string()))?;
    }
    core.open.journal.prepare_facts();
    let open = &core.open;
    let firings = &open.firings;
    let (today, logged): (&Facts, &Facts) = (open.journal.facts(), &decoded.facts);
    let mut at = 0;
    for i in 0..decoded.firings.len().max(firings.len()) {
        let (l, t) = (decoded.firings.get(i), firings.get(i));
        let event = l
            .map(|f| f.event)
            .or(t.map(|f| f.event))
            .map_or_else(String::new, |e| name(plan, e));
        let fired =
            |e: Option<EventIx>| e.map_or_else(nothing, |e| format!("{} fires", name(plan, e)));
        if l.map(|f| f.event) != t.map(|f| f.event) {
            return Err((event, fired(l.map(|f| f.event)), fired(t.map(|f| f.event))));
        }
        if !is_foreign && let Some((l, t)) = other_choice(core, plan, decoded, i) {
            return Err((event, l, t));
        }
        let (l_end, t_end) = (
            l.map_or(at, |f| f.facts_end as usize),
            t.map_or(at, |f| f.facts_end as usize),
        );
        while at < l_end.max(t_end) {
            let l = (at < l_end).then(|| logged.list[at]);
            let t = (at < t_end).then(|| today.list[at]);
            if !matches!((l, t), (Some(l), Some(t)) if logged.same(l, today, t)) {
                let text = |facts: &Facts, f: Option<_>| {
                    f.map_or_else(nothing, |f| facts.render(f, &plan.layout))
                };
                return Err((event, text(logged, l), text(today, t)));
            }
            at += 1;
        }
    }
    Ok(())
}

/// What the log has and what is chosen today, if a firing chooses other entities.
fn other_choice(
    core: &Core,
    plan: &Plan,
    decoded: &Decoded,
    firing: usize,
) -> Option<(String, String)> {
    let of = core.open.firings.get(firing).filter(|of| of.chose)?;
    let start = firing
        .checked_sub(1)
        .map_or(0, |before| core.open.firings[before].binding_end);
    let binding = core
        .open
        .event_bytes
        .get(start as usize..of.binding_end as usize)?;
    let (logged, today) = (decoded.chosen(firing), read_chosen(binding).ok()?);
    let names = plan.layout.schema[of.event].names.iter();
    let names = names.filter(|name| name.by == BindBy::Chosen);
    let differs = names.zip(logged.into_iter().zip(today));
    let text = |name: &NameDef, ids: &[Id]| {
        let entity = &plan.layout.entities[usize::from(name.entity)].name;
        let ids: Vec<String> = ids.iter().map(|id| format!("{entity}/{id}")).collect();
        format!("it chooses `{}`: {}", name.name, ids.join(", "))
    };
    for (name, (logged, today)) in differs {
        if let (Some(logged), Some(today)) = (logged, today)
            && logged != today
        {
            return Some((text(name, &logged), text(name, &today)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_a_verification_has_its_kind() {
        let difference = Difference {
            seq: Seq::new(7),
            location: None,
            time: Timestamp::from_secs(0),
            event: "Admit".into(),
            logged: "a".into(),
            today: "b".into(),
        };
        let differs = VerifyError::Differs(Box::new(difference));
        assert_eq!(differs.kind(), ErrorKind::Internal);
        assert_eq!(VerifyError::Unlogged.kind(), ErrorKind::Invalid);
    }
}
