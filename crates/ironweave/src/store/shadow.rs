//! The shadow of a paranoid store: a second graph, which is the one that a replay of the log would produce.
//!
//! Before a transaction is written, its frame is decoded as in a replay and applied to the shadow. A frame that a replay would
//! reject is therefore detected during the step that encoded it, and is not written.

use crate::graph::storage::Flat;
use crate::graph::{Graph, Journal};
use crate::log::FrameKind;
use crate::schema::EventIx;
use crate::step::field_codec::{BindingForm, FieldWriter};
use crate::step::plan::Plan;
use crate::step::{Core, flat};
use crate::store::frame::{self, Decoded, Tags};

/// The graph that a replay of the log would produce.
pub(super) struct Shadow {
    graph: Graph<Flat>,
    journal: Journal,
}

impl Shadow {
    /// Returns the shadow of a graph without an open transaction. O(size of the graph).
    pub(super) fn new(core: &Core, plan: &Plan) -> Box<Self> {
        let graph = flat::copy(core, plan);
        Box::new(Self {
            graph,
            journal: Journal::default(),
        })
    }

    /// Applies the frame of the open transaction and checks the whole shadow. O(size of the graph).
    ///
    /// # Panics
    /// If a replay would reject the frame, or would produce a different graph.
    pub(super) fn apply_frame(&mut self, core: &Core, plan: &Plan, payload: &[u8], tags: &Tags) {
        // Roll back the previous frame, if the log rejected it.
        self.graph.rollback_all(&mut self.journal);
        self.graph.commit(&mut self.journal);
        if let Err(wrong) = self.apply(core, plan, payload, tags) {
            let events = core.open.firings.iter();
            let names: Vec<&str> = events
                .map(|f| &*plan.events[usize::from(f.event)].name)
                .collect();
            panic!(
                "the transaction with the events {} cannot be replayed: {wrong}; it was not written",
                names.join(", ")
            );
        }
    }

    /// Commits the frame, after the log has appended it.
    pub(super) fn commit(&mut self) {
        self.graph.commit(&mut self.journal);
    }

    fn apply(
        &mut self,
        core: &Core,
        plan: &Plan,
        payload: &[u8],
        tags: &Tags,
    ) -> Result<(), String> {
        let decoded = frame::decode(FrameKind::Transaction, payload, tags);
        let decoded = decoded.map_err(|e| e.to_string())?;
        for (i, firing) in decoded.firings.iter().enumerate() {
            read_back(plan, &decoded, (i, firing.event))?;
        }
        for (i, fact) in decoded.facts.list.iter().enumerate() {
            (self.graph.check_generations(&decoded.facts, i))
                .and_then(|()| self.graph.apply(&mut self.journal, *fact, &decoded.facts))
                .map_err(|e| format!("{}: {e}", decoded.facts.render(*fact, &plan.layout)))?;
        }
        self.graph.update_fingerprint(&mut self.journal);
        if self.graph.fingerprint != core.graph.fingerprint {
            return Err(format!(
                "it leads to a graph with the fingerprint {:032x}, and the step to one with {:032x}",
                self.graph.fingerprint, core.graph.fingerprint
            ));
        }
        match &*self.graph.differences(&self.journal) {
            [] => Ok(()),
            wrong => {
                let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
                Err(wrong.join("; "))
            }
        }
    }
}

/// Returns an error if an event of the program is not decoded as the event that was written.
fn read_back(plan: &Plan, decoded: &Decoded, (firing, of): (usize, EventIx)) -> Result<(), String> {
    let Some(decode) = plan.types[usize::from(of)].decode else {
        return Ok(());
    };
    let name = &plan.events[usize::from(of)].name;
    let fields = plan.layout.schema.events[usize::from(of)].fields.len();
    let event = decoded.reader(firing).and_then(|r| decode(&r));
    let event = event.map_err(|e| format!("event {name}: {e}"))?;
    let mut bytes = Vec::new();
    event.encode(&mut FieldWriter::new(
        &mut bytes,
        BindingForm::Items,
        fields,
    ));
    if bytes == decoded.fields_of(firing) {
        Ok(())
    } else {
        Err(format!("event {name} is decoded as a different event"))
    }
}
