use build::*;
use ironweave::prelude::*;

include!("support/build.rs");

impl Apply for JobFailed {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        for want in bound.run.services(tx) {
            if let WantState::Idle(want) = want.state(tx) {
                want.to_building(tx)?;
            }
        }
        bound.run.set_label(tx, "failed")?;
        Ok(())
    }
}

fn main() {}
