//! `paranoid`: each event is fired by the interpreter, undone, and fired again by its compiled arcs, if it has them. The undo
//! must restore the graph, and both firings must have the same result; otherwise a guard or a handler is not deterministic,
//! or compiled arcs do what the schema does not say.

use crate::base::error::StepError;
use crate::graph::fact::Facts;
use crate::graph::storage::Storage;
use crate::step::Core;
use crate::step::event::DynEvent;
use crate::step::fire::By;
use crate::step::plan::Plan;

impl<S: Storage> Core<S> {
    /// Fires an event, undoes it and fires it again.
    ///
    /// # Panics
    /// If the undo did not restore the graph, or if the results differ.
    pub(super) fn fire_twice(
        &mut self,
        plan: &Plan,
        event: &dyn DynEvent,
    ) -> Result<(), StepError> {
        let name = &plan.events[usize::from(event.index())].name;
        let (mark, print) = (self.mark(), self.fingerprint());
        let start = self.open.journal.facts_len();
        let first = match self.fire_unguarded(plan, event, By::Interpreter) {
            Err(e) => Err(e.to_string()),
            Ok(()) => Ok((self.open.journal.to_facts(), self.fingerprint())),
        };
        self.rollback(mark);
        assert_eq!(
            self.fingerprint(),
            print,
            "{name}: the graph is not what it was after the event was undone"
        );
        let second = self.fire_unguarded(plan, event, By::Compiled);
        match (&first, &second) {
            (Err(first), Err(second)) => {
                let second = second.to_string();
                assert_eq!(*first, second, "{name} is not deterministic");
            }
            (Ok((facts, print)), Ok(_)) => {
                let print_again = self.fingerprint();
                let again = self.open.journal.facts();
                let same = facts.list.len() == again.list.len()
                    && (start..facts.list.len())
                        .all(|i| facts.same(facts.list[i], again, again.list[i]));
                let render = |facts: &Facts| -> Vec<String> {
                    let list = facts.list[start..].iter();
                    list.map(|f| facts.render(*f, &self.graph.layout)).collect()
                };
                if !same || *print != print_again {
                    panic!(
                        "{name} is not deterministic: first {:?}, then {:?}",
                        render(facts),
                        render(again)
                    );
                }
            }
            (first, second) => panic!(
                "{name} is not deterministic: it {} and then {}",
                if first.is_ok() {
                    "fired"
                } else {
                    "was rejected"
                },
                if second.is_ok() {
                    "fired"
                } else {
                    "was rejected"
                },
            ),
        }
        second
    }
}
