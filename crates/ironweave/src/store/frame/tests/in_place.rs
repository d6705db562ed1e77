//! A frame that is encoded in its place in a log in memory has the bytes of one that is encoded in the general way.

use std::time::Duration;

use crate::StoreReader;
use crate::base::clock::ManualClock;
use crate::base::error::StepError;
use crate::base::position::Seq;
use crate::base::time::Timestamp;
use crate::db::Db as _;
use crate::db::entity::Any;
use crate::log::Frame;
use crate::step::event::Event;
use crate::store::Store;

/// Jobs of workers at sites.
#[crate::model]
#[allow(dead_code, missing_docs)]
mod yard {
    use crate::prelude::*;

    #[entity]
    pub struct Job {
        #[default]
        pub value: u64,
        #[default]
        pub small: i32,
        #[default]
        pub flag: bool,
        #[default]
        pub at: Timestamp,
        #[default]
        pub ratio: f64,
        #[default]
        pub label: String,
        pub weight: Option<u64>,
        #[inverse(Worker::jobs)]
        #[edge(on_delete = unlink)]
        pub worker: Option<Worker>,
        #[edge(on_delete = unlink)]
        pub site: Option<Site>,
    }
    #[states(Job)]
    pub enum JobState {
        #[initial]
        #[to(Running)]
        Ready,
        #[to(Ready)]
        Running { step: u64 },
    }

    #[entity]
    pub struct Worker {
        #[edge(counted)]
        pub jobs: Many<Job>,
    }
    #[states(Worker)]
    pub enum WorkerState {
        #[initial]
        #[to(Busy)]
        Idle,
        #[to(Idle)]
        Busy,
    }

    #[entity]
    pub struct Site {
        #[inverse(Job::site)]
        #[edge(on_delete = unlink)]
        pub jobs: Many<Job>,
    }
    #[states(Site)]
    pub enum SiteState {
        #[initial]
        #[terminal]
        Open,
    }

    #[event]
    #[create(worker: Worker)]
    pub struct Hired {}

    #[event]
    #[create(site: Site)]
    pub struct Founded {}

    #[event]
    #[create(job: Job)]
    pub struct Added {}

    #[event]
    #[relink(worker.jobs += job)]
    #[set(job.value = value)]
    pub struct Assigned {
        pub job: Job,
        pub value: u64,
        pub worker: Worker,
    }

    #[event]
    #[relink(job.site += site)]
    pub struct Sited {
        pub job: Job,
        pub site: Site,
    }

    #[event]
    #[set(job.small = small)]
    #[set(job.flag = flag)]
    #[set(job.at = at)]
    pub struct Adjusted {
        pub job: Job,
        pub small: i32,
        pub flag: bool,
        pub at: Timestamp,
    }

    #[event]
    #[set(job.weight = weight)]
    pub struct Weighed {
        pub job: Job,
        pub weight: Option<u64>,
    }

    #[event]
    #[set(job.ratio = ratio)]
    pub struct Rated {
        pub job: Job,
        pub ratio: f64,
    }

    #[event]
    #[set(job.label = label)]
    pub struct Labeled {
        pub job: Job,
        pub label: String,
    }

    #[event]
    #[set(job.at = meta.time)]
    #[set(job.value = 70_000)]
    pub struct Timed {
        pub job: Job,
    }

    #[event]
    #[moves(job: Ready -> Running { step = step })]
    pub struct Started {
        pub job: Job,
        pub step: u64,
    }

    #[event]
    #[moves(job: Running -> Ready)]
    pub struct Stopped {
        pub job: Job,
    }

    #[event]
    #[moves(worker: Busy -> Idle)]
    pub struct Rested {
        pub worker: Worker,
    }

    #[event]
    #[delete(job)]
    pub struct Dropped {
        pub job: Job,
    }

    #[event]
    #[set(job.value = value)]
    #[may(set Job.value)]
    pub struct Handled {
        pub job: Job,
        pub other: Job,
        pub value: u64,
    }

    /// The handler changes another job in the way of the arc, which changes nothing if the job is at the site.
    #[event]
    #[relink(job.site += site)]
    #[may(relink Job.site)]
    pub struct Gathered {
        pub job: Job,
        pub other: Job,
        pub site: Site,
    }

    #[immediate]
    #[when(all worker.jobs in Running)]
    #[moves(worker: Idle -> Busy)]
    pub struct AllRun {
        pub worker: Worker,
    }
}

use yard::*;

impl crate::Apply for Handled {
    fn apply(
        &self,
        bound: crate::Bound<Self>,
        tx: &mut crate::Tx<'_, Self>,
    ) -> Result<(), crate::Reject> {
        if self.value.is_multiple_of(3) {
            return Ok(());
        }
        let job = if self.value.is_multiple_of(2) {
            bound.other
        } else {
            bound.job
        };
        job.set_value(tx, self.value + 1)
    }
}

impl crate::Apply for Gathered {
    fn apply(
        &self,
        bound: crate::Bound<Self>,
        tx: &mut crate::Tx<'_, Self>,
    ) -> Result<(), crate::Reject> {
        bound.other.relink_site(tx, &bound.site)
    }
}

/// A way of firing an event.
#[derive(Clone, Copy)]
enum Way {
    /// The frame may be encoded in its place.
    Step,
    /// It is encoded in the general way.
    Transaction,
}

struct Stores {
    clock: ManualClock,
    /// The last store has a reader.
    stores: Vec<(Store<Model>, Way)>,
    reader: StoreReader<Model>,
    /// How many frames were encoded in their places.
    in_place: usize,
    fired: usize,
}

impl Stores {
    fn new() -> Self {
        let clock = ManualClock::starting_at(Timestamp::from_secs(1_000));
        let options = || Store::<Model>::options().clock(clock.clone());
        let stores = vec![
            (options().memory(), Way::Step),
            (options().memory(), Way::Transaction),
            (options().interpreted().memory(), Way::Step),
            (options().memory(), Way::Step),
        ];
        Self {
            clock,
            reader: stores[3].0.reader(),
            stores,
            in_place: 0,
            fired: 0,
        }
    }

    /// Fires an event at all stores, and compares what the logs have of it.
    fn fire<E: Event<Model = Model>>(&mut self, event: impl Fn() -> E) {
        self.clock.advance(Duration::from_millis(3));
        let results: Vec<Option<String>> = (self.stores.iter_mut())
            .map(|(store, way)| {
                let result = match way {
                    Way::Step => store.try_step(event()).map(|_| ()),
                    Way::Transaction => (store.transaction(|t| t.apply(event()).map(|_| ())))
                        .map(|_| ())
                        .map_err(|e: StepError| e),
                };
                result.err().map(|e| e.to_string())
            })
            .collect();
        assert!(results.iter().all(|result| *result == results[0]));
        self.fired += usize::from(results[0].is_none());
        let first = last(&self.stores[0].0);
        for (store, _) in &self.stores[1..] {
            let other = last(store);
            assert_eq!(
                (first.header, first.payload.as_slice()),
                (other.header, &*other.payload)
            );
        }
        let snapshot = self.reader.snapshot();
        assert_eq!(snapshot.fingerprint(), first.header.fingerprint);
        assert_eq!(snapshot.position(), self.stores[3].0.position());
        // A frame that is encoded in the general way stays in the buffer of the store.
        let buffered = self.stores[0].0.payload.written() == first.payload;
        self.in_place += usize::from(results[0].is_none() && !buffered);
    }
}

fn last(store: &Store<Model>) -> Frame {
    let log = store.log.log().expect("a log");
    let from = store.seq().unwrap_or(Seq::ZERO);
    let mut frames = log.read(from).expect("it reads");
    frames.next().expect("a frame").expect("it reads")
}

#[test]
fn frames_encoded_in_their_places_have_the_bytes_of_others() {
    let mut numbers = 0x1234_5678_u64;
    let mut below = move |end: u64| {
        numbers = numbers.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (numbers >> 33) % end
    };
    let mut stores = Stores::new();
    for _ in 0..4 {
        stores.fire(|| Hired {});
        stores.fire(|| Founded {});
        stores.fire(|| Added {});
    }
    for _ in 0..3_000 {
        let store = &stores.stores[0].0;

        let jobs: Vec<Job> = store.place::<Job, Any>().collect();
        let workers: Vec<Worker> = store.place::<Worker, Any>().collect();
        let sites: Vec<Site> = store.place::<Site, Any>().collect();
        if jobs.len() < 4 {
            stores.fire(|| Added {});
            continue;
        }
        let job = jobs[below(jobs.len() as u64) as usize];
        let other = jobs[below(jobs.len() as u64) as usize];
        let worker = workers[below(4) as usize];
        let site = sites[below(4) as usize];
        let value = [below(30), below(70_000), below(1 << 40)][below(3) as usize];
        let at = Timestamp::from_micros(value as i64 - 1_000);
        match below(16) {
            0..=2 => stores.fire(|| Assigned { job, value, worker }),
            3 => stores.fire(|| Sited { job, site }),
            4 => stores.fire(|| Adjusted {
                job,
                small: value as i32 - 40_000,
                flag: value.is_multiple_of(2),
                at,
            }),
            5 => stores.fire(|| Weighed {
                job,
                weight: (!value.is_multiple_of(4)).then_some(value),
            }),
            6 => stores.fire(|| Rated {
                job,
                ratio: value as f64 / 7.0,
            }),
            7 => stores.fire(|| Labeled {
                job,
                label: format!("{value}"),
            }),
            8 => stores.fire(|| Timed { job }),
            9 => stores.fire(|| Started { job, step: value }),
            10 => stores.fire(|| Stopped { job }),
            11 => stores.fire(|| Rested { worker }),
            12 => stores.fire(|| Dropped { job }),
            13 => stores.fire(|| Added {}),
            14 => stores.fire(|| Gathered { job, other, site }),
            _ => stores.fire(|| Handled { job, other, value }),
        }
    }
    let (fired, in_place) = (stores.fired, stores.in_place);
    assert!(fired > 2_000, "{fired} events fired");
    assert!(
        in_place > fired / 8 && in_place < fired / 2,
        "{in_place} of {fired}"
    );
    assert_eq!(stores.reader.snapshot().check(), []);
    for (store, _) in &stores.stores {
        assert_eq!(store.check(), []);
        store.verify().expect("the log has what the events do");
    }
}
