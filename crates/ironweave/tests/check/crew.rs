//! A model whose guards and handlers tell entities apart by their ids or keys.

use ironweave::prelude::*;

#[ironweave::model]
pub mod crew {
    use ironweave::prelude::*;

    #[entity]
    pub struct Worker {
        #[key]
        pub name: String,
        pub skilled: bool,
    }
    #[states(Worker)]
    pub enum WorkerState {
        #[initial]
        #[to(Busy)]
        Idle,
        #[to(Idle)]
        Busy,
    }

    #[event]
    #[create(worker: Worker { name, skilled })]
    pub struct Hired {
        pub name: String,
        pub skilled: bool,
    }

    #[event]
    #[moves(worker: Idle -> Busy)]
    pub struct Started {
        pub worker: Worker,
    }

    #[event]
    #[moves(worker: Busy -> Idle)]
    pub struct Stopped {
        pub worker: Worker,
    }

    #[event]
    #[guard(crate::crew::earlier_are_busy)]
    #[moves(worker: Idle -> Busy)]
    pub struct StartedById {
        pub worker: Worker,
    }

    #[event]
    #[guard(crate::crew::lesser_are_busy)]
    #[moves(worker: Idle -> Busy)]
    pub struct StartedByName {
        pub worker: Worker,
    }

    #[event]
    #[guard(crate::crew::is_alone_and_not_the_first)]
    #[moves(worker: Idle -> Busy)]
    pub struct StartedAlone {
        pub worker: Worker,
    }

    #[event]
    #[may(Worker: Idle -> Busy)]
    pub struct StartedFirst {}
}

/// A model with a value that names an entity, and a key of two fields.
#[ironweave::model]
pub mod shift {
    use ironweave::prelude::*;

    #[entity]
    pub struct Person {}
    #[states(Person)]
    pub enum PersonState {
        #[initial]
        #[to(Ready)]
        Away,
        #[to(Away)]
        Ready,
    }

    #[entity]
    pub struct Shift {
        #[key]
        pub day: u32,
        #[key]
        pub number: u32,
        pub led_by: crate::crew::Leader,
    }
    #[states(Shift)]
    pub enum ShiftState {
        #[initial]
        #[to(Begun)]
        Planned,
        #[terminal]
        Begun,
    }

    #[event]
    #[create(person: Person)]
    pub struct Employed {}

    #[event]
    #[moves(person: Away -> Ready)]
    pub struct Came {
        pub person: Person,
    }

    #[event]
    #[create(shift: Shift { day = 1, number = 1, led_by })]
    pub struct Added {
        pub led_by: crate::crew::Leader,
    }

    #[event]
    #[guard(crate::crew::leader_is_ready)]
    #[moves(shift: Planned -> Begun)]
    pub struct Began {
        pub shift: Shift,
    }
}

/// The one who leads the shift is ready.
pub fn leader_is_ready(event: &shift::Began, db: &impl Db) -> Result<(), Reject> {
    let leader = event.shift.led_by(db);
    match leader.is_some_and(|person| person.is::<shift::state::Ready>(db)) {
        true => Ok(()),
        false => Err(Reject::new("the leader is not ready")),
    }
}

/// The model does not know that this names an entity.
pub type Leader = Option<shift::Person>;

/// All workers with a smaller slot are busy.
pub fn earlier_are_busy(event: &crew::StartedById, db: &impl Db) -> Result<(), Reject> {
    let mut idle = db.place::<crew::Worker, crew::state::Idle>();
    match idle.all(|worker| worker.id().slot() >= event.worker.id().slot()) {
        true => Ok(()),
        false => Err(Reject::new("another one is first")),
    }
}

/// The worker is the only one, and its slot is not the first. No worker is deleted, so this is never true.
pub fn is_alone_and_not_the_first(event: &crew::StartedAlone, db: &impl Db) -> Result<(), Reject> {
    match db.count::<crew::Worker, Any>() == 1 && event.worker.id().slot() > 0 {
        true => Ok(()),
        false => Err(Reject::new("it is the first, or there are others")),
    }
}

/// All workers with a lesser name are busy.
pub fn lesser_are_busy(event: &crew::StartedByName, db: &impl Db) -> Result<(), Reject> {
    let mut idle = db.place::<crew::Worker, crew::state::Idle>();
    match idle.all(|worker| worker.name(db) >= event.worker.name(db)) {
        true => Ok(()),
        false => Err(Reject::new("another one is first")),
    }
}

impl Apply for crew::StartedFirst {
    fn apply(&self, _: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let first = tx.place::<crew::Worker, crew::state::Idle>().next();
        let first = first.ok_or_else(|| Reject::new("none is idle"))?;
        first.to_busy(tx)?;
        Ok(())
    }
}
