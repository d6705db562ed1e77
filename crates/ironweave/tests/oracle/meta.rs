//! Metadata of transactions: an idempotency key that is used a second time, and `expect`.

use ironweave::{Meta, Seq, StepError, Store, Timestamp};

use ironweave::schema::EntityIx;

use crate::compare::{Wrong, same};
use crate::driver::variant;
use crate::model::{Model, event};
use crate::rules::Fire;
use crate::world::{Oid, World};

/// An event that was tried, with what each of its names stood for if it fired.
pub type Tried = (Fire, Option<Vec<Vec<Oid>>>);

/// The names of an event that was applied, as the oracle has them.
pub fn names(applied: &ironweave::AnyApplied) -> Vec<Vec<Oid>> {
    let ids = |all: &Vec<ironweave::EntityRef>| {
        all.iter()
            .map(|e| (e.id.slot(), e.id.generation()))
            .collect()
    };
    applied.names.iter().map(|(_, all)| ids(all)).collect()
}

/// Asks for a transaction again, which happened as `seq` under a key: the same events get the same receipts and rejections,
/// and any others reject. Nothing happens. `tried` is all that it tried, and `stayed` the places in that of the events that
/// are in it.
pub fn repeated(
    store: &mut Store<Model>,
    key: &str,
    tried: &[Tried],
    stayed: &[usize],
) -> Result<(), Wrong> {
    let seq = store.seq();
    // It has no time that is before the last one's.
    let meta = || {
        Meta::new()
            .with_idempotency_key(key)
            .with_time(Timestamp::from_micros(0))
    };
    let begin = |store: &mut Store<Model>, events: &[Tried], exact: bool| {
        let mut t = store.begin_with(meta()).map_err(|e| e.to_string())?;
        for (fire, expected) in events {
            match (
                t.apply_any(&event(fire.event, fire.fields.clone())),
                expected,
            ) {
                (Ok(applied), Some(expected)) if exact => {
                    same(&names(&applied), expected, || "names, again".into())?;
                    same(&applied.repeated, &true, || "that it is again".into())?;
                }
                (Ok(_), None) if exact => return Err("what was rejected fires, again".to_owned()),
                (Ok(_), _) | (Err(StepError::RejectedBefore { .. }), None) => {}
                (Err(StepError::RejectedBefore { .. }), _) if !exact => {}
                (Err(e), _) => return Ok(Some(variant(&e))),
            }
        }
        match t.commit() {
            Ok(committed) => {
                if exact {
                    same(&committed.seq(), &seq, || "the sequence, again".into())?;
                }
                Ok::<_, Wrong>(None)
            }
            Err(e) => Ok(Some(variant(&e))),
        }
    };
    let reused = Some("KeyReused".to_owned());
    same(&begin(store, tried, true)?, &None, || {
        "the same again".into()
    })?;
    let happened: Vec<Tried> = stayed.iter().map(|i| tried[*i].clone()).collect();
    let (last, rest) = happened.split_last().ok_or("nothing happened")?;
    let less = begin(store, rest, false)?;
    // A repetition that applies no event is committed.
    let expected = reused.clone().filter(|_| !rest.is_empty());
    same(&less, &expected, || "one event less".into())?;
    let vain = (tried.iter().enumerate()).filter(|(i, _)| !stayed.contains(i));
    if vain
        .clone()
        .any(|(_, (fire, _))| happened.iter().any(|(h, _)| h == fire))
    {
        // It cannot be told from what came to nothing.
        return Ok(());
    }
    let again = begin(store, &happened, false)?;
    same(&again, &None, || "only what stayed".into())?;
    let more: Vec<Tried> = happened.iter().chain([last]).cloned().collect();
    same(&begin(store, &more, false)?, &reused, || {
        "one event more".into()
    })?;
    if let Some((first, _)) = rest.iter().find(|(fire, _)| *fire != last.0) {
        let other = [(first.clone(), last.1.clone())];
        let all: Vec<Tried> = rest.iter().chain(&other).cloned().collect();
        same(&begin(store, &all, false)?, &reused, || {
            "another event".into()
        })?;
    }
    same(&store.seq(), &seq, || "the sequence after all that".into())
}

/// Asks whether an event can happen that expects that nothing of what it names has changed since `then`, when there was
/// `before`. It cannot, where an entity is not what it was; where all are, it may have changed and changed back, which a
/// comparison of the two does not tell.
pub fn expects(
    store: &mut Store<Model>,
    (then, before): (Seq, &World),
    now: &World,
    (fire, time): (&Fire, i64),
    named: &[(EntityIx, Oid)],
) -> Result<(), Wrong> {
    let meta = Meta::new()
        .with_time(Timestamp::from_micros(time))
        .expect(then);
    let mut t = store.begin_with(meta).map_err(|e| e.to_string())?;
    let outcome = t.apply_any(&event(fire.event, fire.fields.clone()));
    let outcome = outcome.err().map(|e| variant(&e));
    drop(t);
    let changed = |(entity, id): &(EntityIx, Oid)| {
        let row = |world: &World| {
            let alive = world.alive(*entity, *id);
            alive.then(|| world.row(*entity, id.0).cloned())
        };
        row(before) != row(now)
    };
    let last = Some(then) == store.seq();
    let found = outcome.as_deref() == Some("Changed");
    if named.iter().any(changed) {
        same(&found, &true, || "expect: what has changed".into())?;
    }
    if last {
        same(&found, &false, || "expect: nothing came after".into())?;
    }
    Ok(())
}
