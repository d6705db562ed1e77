// says: `job` begins in `Queued`, which has data: add `in Queued { at }`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Job {}
    #[states(Job)]
    pub enum JobState {
        #[initial]
        #[to(Done)]
        Queued { at: Timestamp },
        #[terminal]
        Done,
    }

    #[event]
    #[create(job: Job)]
    pub struct Added {
        pub at: Timestamp,
    }
}

fn main() {}
