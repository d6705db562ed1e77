//! The handler of an immediate event runs after its arcs and does what its `may` permits.

use ironweave::LoopLimit;
use ironweave::prelude::*;

use super::{assert_sound, reopened, temp_dir};
use ward::state::*;
use ward::*;

#[ironweave::model]
pub mod ward {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub name: String,
        /// The ward that takes what this one cannot.
        pub next: Option<Ward>,
        #[inverse(Ward::next)]
        #[edge(on_delete = unlink)]
        pub before: Many<Ward>,
        #[inverse(Call::ward)]
        pub calls: Many<Call>,
        pub staff: u64,
    }

    #[entity]
    pub struct Call {
        pub ward: Ward,
        #[default]
        pub hops: u64,
        #[inverse(Note::call)]
        #[edge(on_delete = unlink)]
        pub notes: Many<Note>,
    }
    #[states(Call)]
    pub enum CallState {
        #[initial]
        #[to(Waiting, Taken)]
        Ringing,
        #[to(Ringing, Lost)]
        Waiting,
        #[terminal]
        Taken,
        #[terminal]
        Lost,
    }

    #[entity]
    pub struct Note {
        pub text: String,
        pub call: Option<Call>,
    }
    #[states(Note)]
    pub enum NoteState {
        #[initial]
        #[to(Copied)]
        Fresh,
        #[terminal]
        Copied,
    }

    /// Escalates along the chain of wards: one event, not one for each ward.
    #[immediate]
    #[moves(call: Ringing -> Waiting)]
    #[may(Call: Waiting -> Ringing, Call: Waiting -> Lost, relink Call.ward, set Call.hops, create Note, link Note.call)]
    pub struct Escalated {
        pub call: Call,
    }

    /// Each copy has a copy, without end.
    #[immediate]
    #[when(note.text == "chain")]
    #[create(seal: Seal)]
    #[moves(note: Fresh -> Copied)]
    #[may(create Note)]
    pub struct Copying {
        pub note: Note,
    }

    /// The same without an arc that creates.
    #[immediate]
    #[when(note.text == "echo")]
    #[moves(note: Fresh -> Copied)]
    #[may(create Note)]
    pub struct Echoing {
        pub note: Note,
    }

    #[entity]
    pub struct Seal {}

    #[event]
    #[create(ward: Ward { name, staff })]
    #[link(ward.next += next)]
    pub struct Built {
        pub name: String,
        pub staff: u64,
        pub next: Option<Ward>,
    }
    #[event]
    #[create(call: Call {})]
    #[link(call.ward += ward)]
    pub struct Rang {
        pub ward: Ward,
    }
    #[event]
    #[create(note: Note { text })]
    pub struct Written {
        pub text: String,
    }
}

impl Apply for Escalated {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        // The token has the state after the arcs.
        let call: Call<Waiting> = bound.call;
        assert_eq!(self.call, call.any());
        let ward = self.call.ward(tx);
        if ward.name(tx) == "closed" {
            return Err(Reject::new("no one may call a closed ward"));
        }
        if ward.staff(tx) > 0 {
            return Ok(());
        }
        let Some(next) = ward.next(tx) else {
            call.to_lost(tx)?;
            return Ok(());
        };
        // A call that fails does nothing, and the handler goes on.
        let twice = NewNote {
            text: "tried".to_owned(),
        };
        let note = tx.create(twice)?.any();
        note.link_call(tx, &self.call)?;
        assert!(note.link_call(tx, &self.call).is_err());
        let hops = self.call.hops(tx) + 1;
        self.call.set_hops(tx, hops)?;
        self.call.relink_ward(tx, &next)?;
        call.to_ringing(tx)?;
        Ok(())
    }
}

impl Apply for Copying {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let _: (Note<Copied>, Seal) = (bound.note, bound.seal.any());
        let text = self.note.text(tx).to_owned();
        tx.create(NewNote { text })?;
        Ok(())
    }
}

impl Apply for Echoing {
    fn apply(&self, _: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let text = self.note.text(tx).to_owned();
        tx.create(NewNote { text })?;
        Ok(())
    }
}

/// Builds a chain of wards without staff, except for the last one; the first.
fn chain(store: &mut Store<Model>, names: &[&str], staff: u64) -> Ward {
    let mut next = None;
    for (i, name) in names.iter().rev().enumerate() {
        let staff = if i == 0 { staff } else { 0 };
        let name = (*name).to_owned();
        next = Some(store.step(Built { name, staff, next }).created.ward);
    }
    next.expect("there is a ward")
}

#[test]
fn a_handler_of_an_immediate_event_runs_after_its_arcs() {
    let dir = temp_dir();
    let mut store = Store::<Model>::open(dir.path()).expect("a new store");
    let first = chain(&mut store, &["a", "b", "c"], 1);
    let call = store.step(Rang { ward: first }).created.call;
    assert!(call.is::<Waiting>(&store));
    assert_eq!(call.ward(&store).name(&store), "c");
    assert_eq!(call.hops(&store), 2);
    assert_eq!(call.notes_count(&store), 2);
    let store = reopened(dir.path(), store);
    assert_eq!(assert_sound(&store), 4);
}

#[test]
fn what_a_handler_of_an_immediate_event_does_is_undone_with_the_step() {
    let mut store = Store::<Model>::paranoid();
    let first = chain(&mut store, &["a", "b", "closed"], 1);
    let before = store.fingerprint();
    let error = store.try_step(Rang { ward: first }).expect_err("closed");
    assert_eq!(
        error.to_string(),
        "Rang \u{2192} Escalated \u{2192} Escalated \u{2192} immediate event Escalated: no one may call a closed ward"
    );
    assert_eq!(store.fingerprint(), before);
    assert_eq!(store.place::<Note, Fresh>().count(), 0);
    assert_sound(&store);
}

#[test]
fn a_handler_of_an_immediate_event_runs_in_what_ifs_and_on_snapshots() {
    let mut store = Store::<Model>::paranoid();
    let first = chain(&mut store, &["a", "b"], 0);
    let lost = store.what_if(|t| {
        let call = t.apply(Rang { ward: first })?.created.call;
        Ok::<_, StepError>(call.is::<Lost>(t))
    });
    assert_eq!(lost.ok(), Some(true));
    let with = store
        .snapshot()
        .with(Rang { ward: first })
        .expect("possible");
    assert_eq!(with.snapshot.count::<Call, Lost>(), 1);
    assert_eq!(store.count::<Call, Lost>(), 0);
    store.step(Rang { ward: first });
    assert_eq!(store.fingerprint(), with.snapshot.fingerprint());
    assert_sound(&store);
}

#[test]
fn a_handler_that_enables_its_event_again_more_than_64_times_is_stopped() {
    let mut store = Store::<Model>::paranoid();
    let names: Vec<String> = (0..40).map(|i| i.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let short = chain(&mut store, &names, 1);
    store.step(Rang { ward: short });
    let more: Vec<String> = (100..170).map(|i| i.to_string()).collect();
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let long = chain(&mut store, &more, 1);
    let error = store.try_step(Rang { ward: long });
    let Err(StepError::Loop { limit, .. }) = error else {
        panic!("it is stopped: {error:?}");
    };
    assert_eq!(limit, LoopLimit::Firings(64));
    assert_sound(&store);
}

#[test]
fn what_a_handler_of_an_immediate_event_creates_counts_in_the_creation_depth() {
    let mut store = Store::<Model>::options().creation_depth_max(5).memory();
    let mut written = |text: &str| {
        let text = text.to_owned();
        store.try_step(Written { text }).map(drop)
    };
    assert_eq!(written("one").err().map(|e| e.to_string()), None);
    for text in ["chain", "echo"] {
        let error = written(text);
        let Err(StepError::Loop { limit, .. }) = error else {
            panic!("it is stopped: {error:?}");
        };
        assert_eq!(limit, LoopLimit::CreationDepth(5), "{text}");
    }
    assert_eq!(store.count::<Note, Copied>(), 0);
    assert_eq!(store.count::<Note, Fresh>(), 1);
    assert_sound(&store);
}
