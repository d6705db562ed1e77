//! What a transaction says of itself: an idempotency key that comes a second time, and `expect`.

use ironweave::{Meta, Store, Timestamp};

use crate::compare::{Wrong, same};
use crate::driver::variant;
use crate::model::{Model, event};
use crate::rules::Fire;
use crate::world::{Oid, World};

/// An event that happened, with what each of its names stood for.
pub type Happened = (Fire, Vec<Vec<Oid>>);

/// The names of a receipt, as the oracle has them.
pub fn names(receipt: &ironweave::AnyReceipt) -> Vec<Vec<Oid>> {
    let ids = |all: &Vec<ironweave::EntityRef>| {
        all.iter()
            .map(|e| (e.id.slot(), e.id.generation()))
            .collect()
    };
    receipt.names.iter().map(|(_, all)| ids(all)).collect()
}

/// Asks for a transaction again, which happened as `seq` under a key: the same events get the same receipts, and any
/// others reject. Nothing happens.
pub fn repeated(store: &mut Store<Model>, key: &str, happened: &[Happened]) -> Result<(), Wrong> {
    let seq = store.seq();
    let meta = || Meta::new().idempotency_key(key);
    let begin = |store: &mut Store<Model>, events: &[Happened]| -> Result<Option<String>, Wrong> {
        let mut t = store.begin_with(meta()).map_err(|e| e.to_string())?;
        for (fire, expected) in events {
            match t.apply_any(&event(fire.event, fire.fields.clone())) {
                Ok(receipt) => {
                    same(&names(&receipt), expected, || "names, again".into())?;
                    same(&Some(receipt.seq), &seq, || "the sequence, again".into())?;
                }
                Err(e) => return Ok(Some(variant(&e))),
            }
        }
        Ok(t.commit().err().map(|e| variant(&e)))
    };
    let reused = Some("KeyReused".to_owned());
    same(&begin(store, happened)?, &None, || "the same again".into())?;
    // One event less, one more, and one that is another.
    let (last, rest) = happened.split_last().ok_or("nothing happened")?;
    same(&begin(store, rest)?, &reused, || "less".into())?;
    let more: Vec<Happened> = happened.iter().chain([last]).cloned().collect();
    same(&begin(store, &more)?, &reused, || "more".into())?;
    if let Some((first, _)) = rest.iter().find(|(fire, _)| *fire != last.0) {
        let other = [(first.clone(), last.1.clone())];
        let all: Vec<Happened> = rest.iter().chain(&other).cloned().collect();
        same(&begin(store, &all)?, &reused, || "another".into())?;
    }
    same(&store.seq(), &seq, || "the sequence after all that".into())
}

/// Asks whether an event can happen that expects that nothing of what it names has changed since `then`, when there was
/// `before`. It cannot, where an entity is not what it was; where all are, it may have changed and changed back, which a
/// comparison of the two does not tell.
pub fn expects(
    store: &mut Store<Model>,
    (then, before): (u64, &World),
    now: &World,
    (fire, time): (&Fire, i64),
    named: &[(u16, Oid)],
) -> Result<(), Wrong> {
    let meta = Meta::new().time(Timestamp::from_micros(time)).expect(then);
    let mut t = store.begin_with(meta).map_err(|e| e.to_string())?;
    let outcome = t.apply_any(&event(fire.event, fire.fields.clone()));
    let outcome = outcome.err().map(|e| variant(&e));
    drop(t);
    let changed = |(entity, id): &(u16, Oid)| {
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
