//! What a choice means for its transaction: a calculation that overflows rejects it, a rollback leaves nothing behind that hides a
//! later candidate, and what is chosen is not among the entities that a caller expects to be unchanged.

use ironweave::prelude::*;

use super::{assert_sound, reopened, temp_dir};

#[ironweave::model]
pub mod pool {
    use ironweave::prelude::*;

    #[entity]
    pub struct Job {
        pub need: u64,
        pub more: u64,
        pub worker: Option<Worker>,
    }
    #[states(Job)]
    pub enum JobState {
        #[initial]
        #[to(Assigned)]
        Waiting,
        #[terminal]
        Assigned,
    }

    #[entity]
    pub struct Worker {
        #[index(ordered)]
        pub skill: u64,
        #[inverse(Job::worker)]
        pub job: Option<Job>,
    }
    #[states(Worker)]
    pub enum WorkerState {
        #[initial]
        #[to(Busy)]
        Idle,
        #[to(Idle)]
        Busy,
    }

    #[immediate]
    #[choose(worker: Worker in Idle where skill >= job.need + job.more by skill)]
    #[moves(job: Waiting -> Assigned)]
    #[moves(worker: Idle -> Busy)]
    #[link(job.worker += worker)]
    pub struct Assign {
        pub job: Job,
    }

    #[event]
    #[create(job: Job { need, more })]
    pub struct Submit {
        pub need: u64,
        pub more: u64,
    }
    /// The handler rejects a worker without skill.
    #[event]
    #[create(worker: Worker { skill })]
    #[may(set Worker.skill)]
    pub struct Hire {
        pub skill: u64,
    }
    #[event]
    #[set(worker.skill = skill)]
    pub struct Train {
        pub worker: Worker,
        pub skill: u64,
    }
    #[event]
    #[choose(worker: Worker in Idle where skill >= least + more by skill)]
    #[moves(worker: Idle -> Busy)]
    pub struct Pick {
        pub least: u64,
        pub more: u64,
    }
}

use pool::{state::*, *};

type Pool = Store<pool::Model>;

impl Apply for Hire {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        match self.skill {
            0 => Err(Reject::new("a worker has a skill")),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_condition_that_overflows_rejects_the_event_whether_or_not_there_are_candidates() {
    let mut store = Pool::memory();
    let pick = || Pick {
        least: u64::MAX,
        more: 1,
    };
    for workers in 0..3 {
        let error = store.try_step(pick()).expect_err("it overflows");
        assert!(matches!(error, StepError::Overflow { .. }), "{error}");
        assert!(
            error.to_string().contains("skill >= least + more"),
            "{error}"
        );
        // Of an immediate event, it rejects the step that would enable it.
        let submit = Submit {
            need: 1,
            more: u64::MAX,
        };
        let error = store.try_step(submit).expect_err("it overflows");
        assert!(matches!(error, StepError::Overflow { .. }), "{error}");
        assert_eq!(store.count::<Worker, Idle>(), workers);
        store.step(Hire { skill: 7 });
    }
    assert_eq!(store.count::<Job, Any>(), 0);
    assert_sound(&store);
}

#[test]
fn a_candidate_that_was_rolled_back_does_not_hide_the_next_one() {
    let mut store = Pool::memory();
    store.step(Submit { need: 5, more: 0 });
    // The worker was there before the handler rejected it.
    store
        .try_step(Hire { skill: 0 })
        .expect_err("it is rejected");
    store.step(Hire { skill: 6 });
    assert_eq!(store.count::<Job, Assigned>(), 1);

    store.step(Submit { need: 7, more: 0 });
    let mut tx = store.begin();
    tx.apply(Hire { skill: 1 }).expect("it is accepted");
    tx.apply(Hire { skill: 0 }).expect_err("it is rejected");
    tx.apply(Hire { skill: 8 }).expect("it is accepted");
    tx.commit().expect("the store is open");
    assert_eq!(store.count::<Job, Assigned>(), 2);

    store.step(Submit { need: 9, more: 0 });
    let mut tx = store.begin();
    tx.apply(Hire { skill: 2 }).expect("it is accepted");
    tx.rollback();
    store.step(Hire { skill: 9 });
    assert_eq!(store.count::<Job, Assigned>(), 3);
    assert_sound(&store);
}

#[test]
fn a_candidate_that_was_replayed_does_not_hide_the_next_one() {
    let dir = temp_dir();
    let mut store = Pool::open(dir.path()).expect("a store");
    store.step(Submit { need: 5, more: 0 });
    store.step(Hire { skill: 1 });
    let mut store = reopened(dir.path(), store);
    store.step(Hire { skill: 5 });
    assert_eq!(store.count::<Job, Assigned>(), 1);
    let mut copy = store.snapshot().into_store();
    for store in [&mut store, &mut copy] {
        store.step(Submit { need: 6, more: 0 });
        store.step(Hire { skill: 6 });
        assert_eq!(store.count::<Job, Assigned>(), 2);
    }
}

#[test]
fn an_expectation_covers_what_fields_name_and_not_what_is_chosen() {
    let mut store = Pool::memory();
    let hired = store.step(Hire { skill: 3 });
    let worker = hired.created.worker.any();
    store.step(Train { worker, skill: 4 });
    let read = || Meta::new().expect(hired.seq);
    let again = Train { worker, skill: 5 };
    let error = store
        .try_step_with(read(), again)
        .expect_err("it has changed");
    assert!(matches!(error, StepError::Changed { .. }), "{error}");
    let pick = Pick { least: 4, more: 0 };
    let picked = store
        .try_step_with(read(), pick)
        .expect("the store chooses");
    assert_eq!(picked.bound.worker.any(), worker);
}
