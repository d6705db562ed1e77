use build::{state::*, *};
use ironweave::prelude::*;

include!("support/build.rs");

impl Apply for JobFailed {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let failed: JobRun<Failed> = bound.run;
        failed.fail(tx, 1)?;
        Ok(())
    }
}

fn main() {}
