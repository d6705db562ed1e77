//! The filters of `log show` and `log tail`.

use std::sync::Arc;

use ironweave::dynamic::Dynamic;
use ironweave::raw_log::RawLog;
use ironweave::schema::Schema;
use ironweave::{Fact, Firing, Id, Record, Seq};

use crate::failure::{Failure, Result};
use crate::labels::Labels;
use crate::names;
use crate::when::When;

/// Which transactions and events are shown.
#[derive(clap::Args)]
pub struct Filter {
    /// Only events that concern entities of this type
    #[arg(long = "type", value_name = "TYPE")]
    entity_type: Option<String>,
    /// Only events that concern the entity of the type with this key; the parts of a key have commas between them
    #[arg(long, value_name = "KEY", requires = "entity_type")]
    key: Option<String>,
    /// Only events that concern this entity, such as `JobRun/3.1`
    #[arg(long, value_name = "ID", conflicts_with_all = ["entity_type", "key"])]
    entity: Option<String>,
    /// Only these events; may be given several times
    #[arg(long = "event", value_name = "NAME")]
    events: Vec<String>,
    /// Only transactions of this actor
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Only transactions from a sequence number or time on
    #[arg(long, allow_negative_numbers = true, value_name = "SEQ|TIME")]
    from: Option<When>,
    /// Only transactions up to a sequence number or time
    #[arg(long, allow_negative_numbers = true, value_name = "SEQ|TIME")]
    to: Option<When>,
}

impl Filter {
    /// Whether the filter admits everything.
    pub fn is_empty(&self) -> bool {
        let Self {
            entity_type,
            key: _,
            entity,
            events,
            actor,
            from,
            to,
        } = self;
        entity_type.is_none()
            && entity.is_none()
            && events.is_empty()
            && actor.is_none()
            && from.is_none()
            && to.is_none()
    }

    /// Checks that the names in the filter are in a schema of the log, and that the range is one.
    pub fn check(&self, log: &RawLog) -> Result {
        let is_reversed = match (self.from, self.to) {
            (Some(When::Seq(from)), Some(When::Seq(to))) => from > to,
            (Some(When::Time(from)), Some(When::Time(to))) => from > to,
            _ => false,
        };
        if is_reversed {
            return Err(Failure::Usage(
                "--from is after --to; exchange the two".into(),
            ));
        }
        if self.entity_type.is_none() && self.entity.is_none() && self.events.is_empty() {
            return Ok(());
        }
        let schemas: Vec<(Seq, Arc<Schema>)> = log.schemas()?;
        let types = || {
            let all = schemas.iter().flat_map(|(_, schema)| &schema.entities);
            all.map(|entity| &*entity.name)
        };
        if let Some(name) = &self.entity_type {
            names::check("there is no type", name, types())?;
        }
        if let Some(entity) = &self.entity {
            let wrong = || {
                Failure::Usage(format!(
                    "`{entity}` is not an entity: name its type and its id, such as `JobRun/3.1`, or use --type and --key"
                ))
            };
            let (name, id) = entity.split_once('/').ok_or_else(wrong)?;
            names::check("there is no type", name, types())?;
            id.parse::<Id>().map_err(|_| wrong())?;
        }
        for name in &self.events {
            let all = schemas.iter().flat_map(|(_, schema)| &schema.events);
            names::check("there is no event", name, all.map(|event| &*event.name))?;
        }
        Ok(())
    }

    /// Checks that a log has the frame from which on transactions are shown.
    pub fn check_beginning(&self, log: &RawLog) -> Result {
        match self.from {
            Some(from) => from.check(log),
            None => Ok(()),
        }
    }

    /// Whether no transaction from this one on is shown.
    pub fn is_past(&self, record: &Record<Dynamic>) -> bool {
        self.to
            .is_some_and(|to| to.passed(record.seq(), record.time()))
    }

    /// Whether events of a transaction may be shown.
    pub fn admits(&self, record: &Record<Dynamic>) -> bool {
        let from = self
            .from
            .is_none_or(|from| from.reached(record.seq(), record.time()));
        let actor =
            (self.actor.as_deref()).is_none_or(|actor| record.meta().actor() == Some(actor));
        from && actor && !self.is_past(record)
    }

    /// Whether an event of such a transaction is shown. Its facts have been applied to the labels.
    pub fn admits_firing(&self, firing: &Firing<'_, Dynamic>, labels: &Labels) -> bool {
        if !self.events.is_empty() && !self.events.iter().any(|name| name == firing.name()) {
            return false;
        }
        if self.entity_type.is_none() && self.entity.is_none() {
            return true;
        }
        firing
            .facts()
            .iter()
            .any(|fact| self.admits_fact(&fact, labels))
    }

    fn admits_fact(&self, fact: &Fact<'_>, labels: &Labels) -> bool {
        let (name, given) = match (&self.entity_type, &self.entity) {
            (Some(name), _) => (&**name, self.key.as_deref()),
            (None, Some(entity)) => match entity.split_once('/') {
                Some((name, id)) => (name, Some(id)),
                None => return false,
            },
            (None, None) => return true,
        };
        [Some(fact.entity()), fact.other()]
            .into_iter()
            .flatten()
            .any(|entity| {
                entity.type_name() == name && given.is_none_or(|given| labels.is(&entity, given))
            })
    }
}
