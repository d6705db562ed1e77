//! Replay: the facts of a logged transaction are applied. Nothing fires: no guard, handler or invariant runs.

use crate::graph::fact::Facts;
use crate::graph::storage::Storage;
use crate::step::Core;

impl<S: Storage> Core<S> {
    /// Applies the facts of a logged transaction, after which the graph must have this fingerprint. On an error the graph
    /// is as before.
    pub(crate) fn replay(&mut self, facts: &Facts, fingerprint: u128) -> Result<(), String> {
        let replayed = self
            .apply_all(facts)
            .and_then(|()| self.must_be(fingerprint));
        if replayed.is_err() {
            self.graph.rollback_all(&mut self.open.journal);
        }
        self.graph.commit(&mut self.open.journal);
        replayed
    }

    fn apply_all(&mut self, facts: &Facts) -> Result<(), String> {
        for fact in &facts.list {
            if let Err(e) = self.graph.apply(&mut self.open.journal, *fact, facts) {
                return Err(format!("{}: {e}", facts.render(*fact, &self.graph.layout)));
            }
        }
        self.graph.must_be_complete(facts)
    }

    /// An error if the graph has another fingerprint than the log says.
    pub(crate) fn must_be(&self, logged: u128) -> Result<(), String> {
        let found = self.graph.fingerprint;
        if found == logged {
            return Ok(());
        }
        Err(format!(
            "replayed, the graph has the fingerprint {found:032x}, and the log says {logged:032x}"
        ))
    }
}
