//! Upcasters: functions of the program that read logged events which today's event of the model cannot read by the names of its fields.
//!
//! They act when a transaction of the log is decoded, so that each reader gets the same event, and they change nothing in the log.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::schema::{EventDef, Schema};
use crate::step::event::{DynEvent, Event};
use crate::step::field_codec::FieldReader;
use crate::value::typed::TypedValue;
use crate::value::{DecodeError, decode};

/// An event as it is in the log, for the function that `#[upcast(from = "..", with = function)]` names. It has the name and the fields that
/// the schema of its time gives it.
///
/// ```
/// # use ironweave::prelude::*;
/// #[ironweave::model]
/// pub mod hotel {
///     use ironweave::prelude::*;
///
///     #[entity]
///     pub struct Room {
///         #[key]
///         pub number: u32,
///         #[default]
///         pub nights: u32,
///     }
///
///     /// Earlier versions had `until` and `from`, in days, instead of `nights`.
///     #[event]
///     #[upcast(from = "Booked", with = super::nights)]
///     #[set(room.nights = nights)]
///     pub struct Booked {
///         pub room: Key<Room>,
///         pub nights: u32,
///     }
/// }
///
/// fn nights(logged: &LoggedEvent<'_>) -> Result<hotel::Booked, UpcastError> {
///     let (from, until): (u32, u32) = (logged.get("from")?, logged.get("until")?);
///     Ok(hotel::Booked { room: logged.get("room")?, nights: until.saturating_sub(from) })
/// }
/// # fn main() {}
/// ```
pub struct LoggedEvent<'l> {
    def: &'l EventDef,
    schema: &'l Schema,
    fields: FieldReader<'l>,
}

impl<'l> LoggedEvent<'l> {
    pub(crate) fn new(def: &'l EventDef, schema: &'l Schema, fields: FieldReader<'l>) -> Self {
        Self {
            def,
            schema,
            fields,
        }
    }

    /// Returns the name that the event has in the log.
    #[must_use]
    pub fn name(&self) -> &'l str {
        &self.def.name
    }

    /// Returns whether the event has a field of this name in the log.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.raw(field).is_some()
    }

    /// Returns the value of a field, by the name that it has in the log.
    ///
    /// # Errors
    /// If the event has no such field, or if its value is of another type.
    pub fn get<T: DeserializeOwned>(&self, field: &str) -> Result<T, UpcastError> {
        let Some(bytes) = self.raw(field) else {
            let fields: Vec<String> = (self.def.fields.iter())
                .map(|def| format!("`{}: {}`", def.name, def.ty))
                .collect();
            let fields = fields.join(", ");
            return Err(UpcastError::new(format!(
                "it has no field `{field}`; its fields are {fields}"
            )));
        };
        decode(bytes)
            .map_err(|e| UpcastError::new(format!("its field `{field}` is of another type: {e}")))
    }

    fn raw(&self, field: &str) -> Option<&'l [u8]> {
        let index = self.def.fields.iter().position(|def| def.name == field)?;
        self.fields.raw(index)
    }
}

/// Renders the event with its fields, as `Booked { room: 7, from: 3, until: 5 }`.
impl fmt::Debug for LoggedEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct(&self.def.name);
        for (index, def) in self.def.fields.iter().enumerate() {
            if let Some(bytes) = self.fields.raw(index) {
                let value = TypedValue {
                    bytes,
                    encoding: def.encoding.as_ref(),
                    schema: self.schema,
                };
                shown.field(&def.name, &format_args!("{value}"));
            }
        }
        shown.finish()
    }
}

/// Why a logged event cannot be read as an event of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpcastError(String);

impl UpcastError {
    /// Returns an error with a message, which is shown after the name of the event.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for UpcastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UpcastError {}

/// A function that reads logged events as an event of the program, without the type of the event.
pub(crate) type Upcaster =
    Arc<dyn Fn(&LoggedEvent<'_>) -> Result<Box<dyn DynEvent>, UpcastError> + Send + Sync>;

/// Returns a function that reads logged events, without the type of the event.
pub(crate) fn upcaster<E: Event>(with: fn(&LoggedEvent<'_>) -> Result<E, UpcastError>) -> Upcaster {
    Arc::new(move |logged| Ok(Box::new(with(logged)?)))
}

/// Reads a logged event. The error names it.
pub(crate) fn read(
    upcaster: &Upcaster,
    logged: &LoggedEvent<'_>,
) -> Result<Box<dyn DynEvent>, DecodeError> {
    upcaster(logged).map_err(|e| {
        DecodeError::new(format_args!(
            "the event `{}` cannot be read by its `#[upcast]`: {e}",
            logged.name()
        ))
    })
}
