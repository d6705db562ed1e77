use build::*;
use ironweave::prelude::*;

include!("support/build.rs");

impl Apply for JobFailed {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

impl Apply for WantCanceled {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

fn main() {}
