// says: results can be in order of a field that has an ordered index

include!("support/build.rs");

use build::*;
use ironweave::prelude::*;

fn look(store: &Store<build::Model>) -> Option<JobRun> {
    let all = JobRun::in_place::<ironweave::Any>();
    all.order_by(JobRun::LABEL).first(store)
}

fn main() {}
