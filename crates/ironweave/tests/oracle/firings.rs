//! Compares the frames of the log with what fired by the oracle.

use ironweave::Store;
use ironweave::schema::{BindBy, EntityIx, EventIx, NameDef, Schema};

use crate::compare::same;
use crate::driver::{Failed, Run, of};
use crate::model::Model;
use crate::world::Oid;

/// What fired, in order: the event, the entity if it fired by itself, and what it chose.
pub type Firings = Vec<(EventIx, Option<Oid>, Vec<Chosen>)>;

/// The entities of a name that an event chose.
pub type Chosen = (String, Vec<(EntityIx, Oid)>);

/// What an event chose.
pub fn chosen(schema: &Schema, event: EventIx, found: &[Vec<Oid>]) -> Vec<Chosen> {
    let names = &schema.events[usize::from(event)].names;
    let chosen = names
        .iter()
        .zip(found)
        .filter(|(name, _)| name.by == BindBy::Chosen);
    let of = |(name, ids): (&NameDef, &Vec<Oid>)| {
        let ids = ids.iter().map(|id| (name.entity, *id));
        (name.name.clone(), ids.collect())
    };
    chosen.map(of).collect()
}

impl Run<'_> {
    /// Compares the last frame with what should have fired, in that order.
    pub fn logged(&self, store: &Store<Model>, firings: &Firings) -> Result<(), Failed> {
        let frames = store
            .frames(store.seq().unwrap_or_default())
            .map_err(|e| ("frames", e.to_string()))?;
        let frame = frames.last().ok_or(("frames", "no frame".to_owned()))?;
        let frame = frame.map_err(|e| ("frames", e.to_string()))?;
        type Logged = (String, Option<String>, Vec<(String, Vec<String>)>);
        let found: Vec<Logged> = (frame.firings())
            .map(|f| {
                let on = f.fields().first().map(ToString::to_string);
                let chosen = f.chosen().into_iter().map(|(name, ids)| {
                    (
                        name.to_owned(),
                        ids.iter().map(ToString::to_string).collect(),
                    )
                });
                let on = on.filter(|_| f.is_immediate());
                (f.name().to_owned(), on, chosen.collect())
            })
            .collect();
        let text = |of: EntityIx, (slot, generation): Oid| {
            format!(
                "{}/{slot}.{generation}",
                self.schema.entities[usize::from(of)].name
            )
        };
        let expected: Vec<Logged> = (firings.iter())
            .map(|(event, who, chosen)| {
                let def = &self.schema.events[usize::from(*event)];
                let who = who.map(|who| text(def.names[0].entity, who));
                let chosen = chosen.iter().map(|(name, ids)| {
                    (
                        name.clone(),
                        ids.iter().map(|(of, id)| text(*of, *id)).collect(),
                    )
                });
                (def.name.clone(), who, chosen.collect())
            })
            .collect();
        same(&found, &expected, || "what fired".into()).map_err(of("firings"))
    }
}
