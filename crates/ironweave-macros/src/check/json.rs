//! The names that fields of events have in JSON, by `#[serde(..)]`.

use std::collections::BTreeSet;

use ironweave_schema::FieldIx;

use super::model::EventField;
use super::names::plain;
use super::table::Table;
use crate::errors::Errors;

/// Reports two fields with the same name in JSON.
pub fn names(fields: &Table<FieldIx, EventField>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for field in fields {
        let own = plain(&field.name);
        let name = field.json.rename.as_ref().map_or(own, |name| name.value());
        let aliases = field.json.aliases.iter().map(|alias| alias.value());
        for name in std::iter::once(name).chain(aliases) {
            if !seen.insert(name.clone()) {
                let message =
                    format!("two fields have the name `{name}` in JSON: rename one of them");
                errors.at(&field.name, message);
            }
        }
    }
}
