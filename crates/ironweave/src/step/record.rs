//! Firings are recorded: for the log with the fields of the event, for errors with the firing that led to them.

use std::sync::Arc;

use crate::base::error::{Chain, Name, StepError};
use crate::graph::storage::Storage;
use crate::schema::EventIx;
use crate::step::Core;
use crate::step::bindings::Bindings;
use crate::step::event::DynEvent;
use crate::step::field_codec::{self, BindingForm, FieldWriter};
use crate::step::open::{Firing, OpenTransaction};
use crate::step::plan::{EventPlan, Plan};

impl<S: Storage> Core<S> {
    /// Records that an event of the program fired. Without a log nothing is kept encoded, but an event with a field that
    /// could not be written is rejected as well.
    #[inline(always)]
    pub(super) fn record<E: DynEvent + ?Sized>(
        &mut self,
        plan: &Plan,
        event: &E,
    ) -> Result<(), StepError> {
        if self.open.recording {
            self.record_event(plan, event)?;
        } else {
            if !event.is_faithful() {
                check_fields(plan, event)?;
            }
            if plan.traced {
                self.record_firing(event.index(), Firing::NOTHING)?;
            }
        }
        Ok(())
    }

    /// As [`Core::record`], for an event that no error names.
    #[inline(always)]
    pub(super) fn record_unnamed<E: DynEvent + ?Sized>(
        &mut self,
        plan: &Plan,
        event: &E,
    ) -> Result<(), StepError> {
        if self.open.recording {
            self.record_event(plan, event)
        } else if !event.is_faithful() {
            check_fields(plan, event)
        } else {
            Ok(())
        }
    }

    /// Encodes an event of the program that fired.
    #[inline(never)]
    fn record_event<E: DynEvent + ?Sized>(
        &mut self,
        plan: &Plan,
        event: &E,
    ) -> Result<(), StepError> {
        let def = &plan.events[usize::from(event.index())];
        let (form, fields) = (self.open.binding_form, usize::from(def.fields));
        write_fields(plan, event, (form, fields), &mut self.open.event_bytes)?;
        self.record_firing(event.index(), Firing::NOTHING)
    }

    /// As [`Core::record`], for an event that chooses entities, which are added to its binding.
    #[cold]
    pub(super) fn record_with_chosen(
        &mut self,
        plan: &Plan,
        event: &dyn DynEvent,
    ) -> Result<(), StepError> {
        if !self.open.recording {
            return self.record(plan, event);
        }
        let def = &plan.events[usize::from(event.index())];
        let (form, fields) = (self.open.binding_form, usize::from(def.fields));
        write_fields(plan, event, (form, fields), &mut self.open.event_bytes)?;
        write_chosen(&mut self.open, def, &self.bindings);
        self.record_firing(event.index(), Firing::NOTHING)?;
        self.mark_chosen();
        Ok(())
    }

    /// Records of the last firing that its binding has the entities that it chose.
    pub(super) fn mark_chosen(&mut self) {
        if let Some(firing) = self.open.firings.last_mut() {
            firing.chose = true;
        }
    }

    #[inline]
    pub(super) fn record_firing(&mut self, event: EventIx, cause: u32) -> Result<(), StepError> {
        let journal = &self.open.journal;
        let (binding_end, facts_end) = (self.open.event_bytes.len(), journal.facts_len());
        let most = (binding_end.max(facts_end))
            .max(journal.value_bytes_max())
            .max(self.open.firings.len());
        if most >= u32::MAX as usize {
            return Err(StepError::Full {
                what: "the events of one transaction".into(),
                chain: Chain::default(),
            });
        }
        self.open.firings.push(Firing {
            event,
            chose: false,
            binding_end: binding_end as u32,
            facts_end: facts_end as u32,
            cause,
        });
        Ok(())
    }

    /// The events that led to a firing, with that firing, and then an immediate event that it enabled.
    #[cold]
    pub(super) fn chain(&self, plan: &Plan, cause: u32, then: Option<EventIx>) -> Vec<Name> {
        let mut chain: Vec<EventIx> = then.into_iter().collect();
        let mut next = Some(cause);
        while let Some(at) = next {
            let Some(firing) = self.open.firings.get(at as usize) else {
                break;
            };
            chain.push(firing.event);
            // A firing was recorded before the ones that it enabled.
            next = firing.cause().filter(|cause| *cause < at);
        }
        let name = |event: &EventIx| Arc::clone(&plan.events[usize::from(*event)].name);
        chain.iter().rev().map(name).collect()
    }
}

/// Appends the entities that an event chose to its binding.
pub(super) fn write_chosen(open: &mut OpenTransaction, def: &EventPlan, bindings: &Bindings) {
    let chosen = def.chooses.iter().map(|choose| bindings.ids(choose.name));
    field_codec::write_chosen(&mut open.event_bytes, open.binding_form, chosen);
}

/// Encodes the fields of an event.
#[inline(always)]
fn write_fields<E: DynEvent + ?Sized>(
    plan: &Plan,
    event: &E,
    (form, fields): (BindingForm, usize),
    bytes: &mut Vec<u8>,
) -> Result<(), StepError> {
    let mut writer = FieldWriter::new(bytes, form, fields);
    event.encode(&mut writer);
    let Some((field, e)) = writer.failed else {
        return Ok(());
    };
    let def = &plan.layout.schema[event.index()];
    let what = format!("{}.{}", def.name, def.fields[usize::from(field)].name);
    Err(StepError::Unwritable {
        what: what.into(),
        reason: e.to_string(),
        chain: Chain::default(),
    })
}

/// An error if the event could not be written to a log.
#[inline(never)]
fn check_fields<E: DynEvent + ?Sized>(plan: &Plan, event: &E) -> Result<(), StepError> {
    write_fields(plan, event, (BindingForm::Items, 0), &mut Vec::new())
}
