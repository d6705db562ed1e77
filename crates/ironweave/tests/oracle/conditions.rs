//! Whether conditions of events hold, by the oracle: on states, on numbers of entities and on values.

use ironweave::schema::{Arc, Path, Quantifier, StateIx};

use crate::operations::holds;
use crate::rules::Firing;
use crate::values::Val;
use crate::world::World;

impl Firing<'_> {
    /// Whether a condition holds.
    pub fn when(
        &self,
        world: &World,
        quantifier: Quantifier,
        path: &Path,
        states: &[StateIx],
    ) -> bool {
        let entity = self.reached(path);
        let reached = self.walk(world, path);
        let mut reached = reached
            .iter()
            .map(|s| states.contains(&world.state(entity, *s)));
        match quantifier {
            Quantifier::All => reached.all(|is| is),
            Quantifier::Any => reached.any(|is| is),
            Quantifier::None => reached.all(|is| !is),
        }
    }

    /// Whether a condition on values or numbers holds. One on a value that does not exist does not.
    pub fn compares(&self, world: &World, arc: &Arc) -> Result<bool, &'static str> {
        let value = |source| match self.value(world, source) {
            Ok(value) => Ok(Some(value)),
            Err("Unwritable") => Ok(None),
            Err(kind) => Err(kind),
        };
        match arc {
            Arc::Compare {
                left,
                comparison,
                right,
                ..
            } => {
                let Some(left) = value(left)? else {
                    return Ok(false);
                };
                let right = value(right)?;
                Ok(right.is_some_and(|right| holds(*comparison, left.cmp(&right))))
            }
            Arc::Count {
                path,
                states,
                comparison,
                with,
                ..
            } => {
                let Some(with) = value(with)? else {
                    return Ok(false);
                };
                let entity = self.reached(path);
                let mut counted = self.walk(world, path);
                counted.retain(|s| states.is_empty() || states.contains(&world.state(entity, *s)));
                let counted = Val::U(counted.len() as u64);
                Ok(holds(*comparison, counted.cmp(&with)))
            }
            _ => Ok(true),
        }
    }
}
