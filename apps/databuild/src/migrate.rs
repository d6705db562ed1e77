//! The migration of stores from before references were apart from partitions.
//!
//! There, a partition had the name, and was built again and again. It becomes the current instance of a new reference. It keeps its
//! id, its state, and its links to runs and to other partitions; wants are linked to references.

use std::collections::HashMap;

use ironweave::dynamic::GraphView;
use ironweave::prelude::*;
use ironweave::{Id, Migration, MigrationError};

use crate::model::build::{Model, PartitionRef, Want};
use crate::rules::is_open;
use crate::text::few;

/// The code of the migration, which does nothing to a store that has references.
///
/// # Errors
/// If the old graph is not that of an earlier databuild.
pub fn migrate(old: GraphView<'_>, new: &mut Migration<'_, Model>) -> Result<(), MigrationError> {
    if old.entity_type("PartitionRef").is_ok() {
        return Ok(());
    }
    let Ok(partitions) = old.entity_type("Partition") else {
        let types = few(old.entity_types().map(|ty| ty.name()));
        let why = format!("it was written by another model, with the entity types {types}");
        return Err(MigrationError::new(why));
    };
    let mut references: HashMap<Id, PartitionRef> = HashMap::new();
    for partition in partitions.entities() {
        let name: String = partition.get("name")?;
        let reference = new.create::<PartitionRef>(&[("name", &name)])?;
        new.move_to(reference, "Known", &[])?;
        new.link(partition, "of", reference)?;
        new.link(reference, "current", partition)?;
        references.insert(partition.id(), reference);
    }
    for partition in partitions.entities() {
        for upstream in partition.links("upstreams")? {
            new.link(partition, "missed", references[&upstream.entity().id()])?;
        }
    }
    let wants: Vec<Want> = new.place::<Want, Any>().map(|want| want.any()).collect();
    for (want, before) in wants.into_iter().zip(old.entity_type("Want")?.entities()) {
        for partition in before.links("partitions")? {
            let partition = partition.entity();
            new.link(want, "partitions", references[&partition.id()])?;
            if is_open(want, new) {
                new.link(want, "awaits", partition)?;
            }
        }
    }
    Ok(())
}
