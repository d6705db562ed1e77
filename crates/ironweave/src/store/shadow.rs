//! The shadow of a paranoid store: the graph that a replay of its log gives, kept beside the graph that steps change.
//!
//! Before a transaction is written, its frame is read back as an opening store would read it, and applied to the shadow.
//! So a frame that replay would refuse is found while the step that made it is still on the stack, and is not written.

use std::sync::Arc;

use crate::graph::column::ColumnType;
use crate::graph::storage::Flat;
use crate::graph::{Graph, Journal};
use crate::schema::EventIx;
use crate::step::event::FieldWriter;
use crate::step::plan::Plan;
use crate::step::{Core, flat};
use crate::store::frame::{self, Decoded, Tags};

/// See the module.
pub(super) struct Shadow {
    graph: Graph<Flat>,
    journal: Journal,
}

impl Shadow {
    /// The shadow of a graph in which nothing is open; O(size of the graph).
    pub(super) fn new(core: &Core, types: (&[ColumnType], &[Option<ColumnType>])) -> Box<Self> {
        let graph = flat::copy(core, types);
        Box::new(Self {
            graph,
            journal: Journal::default(),
        })
    }

    /// Applies the frame of the open transaction; O(size of the graph), since everything is checked.
    ///
    /// # Panics
    /// Where a replay would refuse it, or would make another graph of it.
    pub(super) fn follow(
        &mut self,
        core: &Core,
        plan: &Plan,
        payload: &[u8],
        tags: Option<&Arc<Tags>>,
    ) {
        // Undo a frame that the log refused.
        self.graph.rollback_all(&mut self.journal);
        self.graph.commit(&mut self.journal);
        let wrong = match tags {
            None => Some("there is no schema to read it with".to_owned()),
            Some(tags) => self.apply(core, plan, payload, tags).err(),
        };
        if let Some(wrong) = wrong {
            let events = core.open.firings.iter();
            let names: Vec<&str> = events
                .map(|f| &*plan.events[usize::from(f.event)].name)
                .collect();
            panic!(
                "the transaction of {} cannot be read back: {wrong}. It was not written",
                names.join(", ")
            );
        }
    }

    /// Keeps the frame: the log has taken it.
    pub(super) fn keep(&mut self) {
        self.graph.commit(&mut self.journal);
    }

    fn apply(
        &mut self,
        core: &Core,
        plan: &Plan,
        payload: &[u8],
        tags: &Tags,
    ) -> Result<(), String> {
        let decoded = frame::decode(payload, tags).map_err(|e| e.to_string())?;
        for (i, firing) in decoded.firings.iter().enumerate() {
            read_back(plan, &decoded, (i, firing.event))?;
        }
        for fact in &decoded.facts.list {
            (self.graph.apply(&mut self.journal, *fact, &decoded.facts))
                .map_err(|e| format!("{}: {e}", decoded.facts.render(*fact, &plan.layout)))?;
        }
        if self.graph.fingerprint != core.graph.fingerprint {
            return Err(format!(
                "it gives a graph with the fingerprint {:032x}, and the step one with {:032x}",
                self.graph.fingerprint, core.graph.fingerprint
            ));
        }
        match &*self.graph.differences() {
            [] => Ok(()),
            wrong => {
                let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
                Err(wrong.join("; "))
            }
        }
    }
}

/// An error where an event of the program does not come back as it was written.
fn read_back(plan: &Plan, decoded: &Decoded, (firing, of): (usize, EventIx)) -> Result<(), String> {
    let Some(decode) = plan.types[usize::from(of)].decode else {
        return Ok(());
    };
    let name = &plan.events[usize::from(of)].name;
    let fields = plan.layout.schema.events[usize::from(of)].fields.len();
    let event = decoded.reader(firing).and_then(|r| decode(&r));
    let event = event.map_err(|e| format!("event {name}: {e}"))?;
    let mut bytes = Vec::new();
    crate::base::cbor::head(&mut bytes, crate::base::cbor::MAP, fields as u64);
    event.encode(&mut FieldWriter::new(&mut bytes));
    if bytes == decoded.binding(firing) {
        Ok(())
    } else {
        Err(format!("event {name} is read as another one"))
    }
}
