//! Replay: the facts of a logged transaction are applied. Nothing fires: no guard, handler or invariant runs.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::graph::fact::{Fact, Facts};
use crate::graph::storage::Storage;
use crate::graph::{Graph, Journal};
use crate::step::Core;
use crate::step::undo::undo;

impl<S: Storage> Core<S> {
    /// Applies the facts of a logged transaction, after which the graph must have this fingerprint. On an error or a panic
    /// the graph is as before, or it is marked as broken.
    pub(crate) fn replay(&mut self, facts: &Facts, fingerprint: u128) -> Result<(), String> {
        self.replay_if(facts, Graph::apply, |core| {
            core.graph.must_be_complete(facts)?;
            core.must_be(fingerprint)
        })
    }

    /// As [`Core::replay`], for facts of a migration, after which entities may lack what later facts of the migration set. The
    /// graph may have any fingerprint if none is given.
    pub(crate) fn replay_part(
        &mut self,
        facts: &Facts,
        fingerprint: Option<u128>,
    ) -> Result<(), String> {
        let must_be = |core: &mut Self| fingerprint.map_or(Ok(()), |logged| core.must_be(logged));
        self.replay_if(facts, Graph::apply_migrated, must_be)
    }

    #[inline(always)]
    fn replay_if(
        &mut self,
        facts: &Facts,
        apply: impl Fn(&mut Graph<S>, &mut Journal, Fact, &Facts) -> Result<(), String>,
        is_right: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let apply_all = || {
            self.apply_all(facts, apply)?;
            is_right(self)
        };
        let replayed = match catch_unwind(AssertUnwindSafe(apply_all)) {
            Ok(replayed) => replayed,
            Err(panic) => {
                self.undo_replay();
                resume_unwind(panic);
            }
        };
        if replayed.is_err() {
            self.graph.rollback_all(&mut self.open.journal);
        }
        self.graph.commit(&mut self.open.journal);
        replayed
    }

    /// After user code has panicked (a `Deserialize`, `Hash` or `Ord` of a value): readers of the store are not to see part
    /// of a transaction.
    #[cold]
    fn undo_replay(&mut self) {
        undo(&mut self.graph, &mut self.open, |graph, open| {
            graph.rollback_all(&mut open.journal);
            graph.commit(&mut open.journal);
        });
        if self.graph.is_broken() {
            self.open.set_broken(true);
        }
    }

    fn apply_all(
        &mut self,
        facts: &Facts,
        apply: impl Fn(&mut Graph<S>, &mut Journal, Fact, &Facts) -> Result<(), String>,
    ) -> Result<(), String> {
        for (i, fact) in facts.list.iter().enumerate() {
            let (graph, journal) = (&mut self.graph, &mut self.open.journal);
            let applied = graph.check_generations(facts, i);
            if let Err(e) = applied.and_then(|()| apply(graph, journal, *fact, facts)) {
                return Err(format!("{}: {e}", facts.render(*fact, &self.graph.layout)));
            }
        }
        Ok(())
    }

    /// An error if the graph has another fingerprint than the log says.
    pub(crate) fn must_be(&mut self, logged: u128) -> Result<(), String> {
        let found = self.fingerprint();
        if found == logged {
            return Ok(());
        }
        Err(format!(
            "replayed, the graph has the fingerprint {found:032x}, and the log says {logged:032x}"
        ))
    }
}
