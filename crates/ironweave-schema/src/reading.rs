//! How values and events of an earlier schema are read as those of a later one.

use std::collections::HashMap;

use crate::valid::holds_key;
use crate::{ColumnDef, EdgeDef, Encoding, EntityIx, EventDef, EventFieldDef, EventIx, Schema};

/// What becomes of stored values when their type changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// They are encoded as before.
    AsStored,
    /// They can be read, and are encoded differently from then on.
    Converted,
    /// Only the values themselves can show whether they can be read, because the schema does not know the type.
    Tried,
    /// They cannot be read.
    Impossible,
}

/// How the events of an event in a log are read by a later schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventReading {
    /// As this event, by the names of their fields.
    ByName(EventIx),
    /// As this event, by a function of the program that `#[upcast(from = "..")]` names.
    Upcast(EventIx),
    /// As no event of the later schema.
    Unread,
}

/// A type as written, and its encoding if that is known.
pub(crate) type Typed<'s> = (&'s str, Option<&'s Encoding>);

/// A later schema and an earlier one, which has the names of the later one. See [`Schema::with_names_of`].
///
/// ```
/// use ironweave_schema::{ColumnDef, Reading, Readings, Schema};
///
/// let column = |ty: &str| ColumnDef { ty: ty.to_owned(), ..ColumnDef::default() };
/// let schema = Schema::default();
/// let readings = Readings::between(&schema, &schema);
/// assert_eq!(readings.column(&column("u8"), &column("Option<u32>")), Reading::AsStored);
/// assert_eq!(readings.column(&column("f32"), &column("f64")), Reading::Converted);
/// assert_eq!(readings.column(&column("u32"), &column("u8")), Reading::Impossible);
/// ```
#[derive(Debug)]
pub struct Readings<'s> {
    was: Side<'s>,
    now: Side<'s>,
    /// The events of the later schema by name, and by the names of the logged events that their upcasters read.
    events: HashMap<&'s str, EventIx>,
    upcasts: HashMap<&'s str, EventIx>,
}

/// A schema, and the columns of the key of each entity type that has one.
#[derive(Debug)]
struct Side<'s> {
    schema: &'s Schema,
    keys: HashMap<EntityIx, Vec<&'s ColumnDef>>,
}

impl<'s> Side<'s> {
    fn of(schema: &'s Schema) -> Self {
        let mut keys: HashMap<EntityIx, Vec<&ColumnDef>> = HashMap::new();
        for column in schema.columns.iter().filter(|column| column.key) {
            keys.entry(column.entity).or_default().push(column);
        }
        Self { schema, keys }
    }

    fn key(&self, entity: EntityIx) -> &[&'s ColumnDef] {
        self.keys.get(&entity).map_or(&[], Vec::as_slice)
    }
}

/// The encoding of a type as written.
fn encoding((ty, encoding): Typed<'_>) -> Option<Encoding> {
    encoding.cloned().or_else(|| Encoding::of_type(ty))
}

/// Returns whether a type as written is another one, or that one in an `Option`.
fn is_same_or_option(now: &str, was: &str) -> bool {
    let inner = || {
        let inner = now.strip_prefix("Option")?.trim_start();
        Some(inner.strip_prefix('<')?.strip_suffix('>')?.trim())
    };
    now == was || inner() == Some(was)
}

impl<'s> Readings<'s> {
    /// Returns how the values of the earlier schema are read as those of the later one.
    #[must_use]
    pub fn between(was: &'s Schema, now: &'s Schema) -> Self {
        let events = || EventIx::all(now.events.len()).zip(&now.events);
        let upcasts =
            events().flat_map(|(ix, def)| def.upcasts.iter().map(move |from| (&**from, ix)));
        Self {
            was: Side::of(was),
            now: Side::of(now),
            events: events().map(|(ix, def)| (&*def.name, ix)).collect(),
            upcasts: upcasts.collect(),
        }
    }

    /// Returns how logged events are read. `logged` is the name that the event has in the log.
    #[must_use]
    pub fn event(&self, logged: &str, was: &EventDef) -> EventReading {
        let now = self.now.schema;
        let by_name = self.events.get(&*was.name).copied();
        let is_same = |ix: EventIx| Some(ix) == by_name && self.event_is_same(was, &now[ix]);
        if let Some(ix) = self.upcasts.get(logged).copied().filter(|ix| !is_same(*ix)) {
            return EventReading::Upcast(ix);
        }
        let readable = by_name.filter(|ix| self.event_is_read(was, &now[*ix]));
        readable.map_or(EventReading::Unread, EventReading::ByName)
    }

    /// Returns how the values of a column are read as those of a column of the later schema.
    #[must_use]
    pub fn column(&self, was: &ColumnDef, now: &ColumnDef) -> Reading {
        self.typed(
            (&was.ty, was.encoding.as_ref()),
            (&now.ty, now.encoding.as_ref()),
        )
    }

    pub(crate) fn typed(&self, was: Typed<'_>, now: Typed<'_>) -> Reading {
        let reading = match (encoding(was), encoding(now)) {
            (Some(was), Some(now)) => self.encoded(&was, &now),
            _ => Reading::Tried,
        };
        // A change inside of a type that the schema does not know is invisible.
        match reading {
            Reading::Tried if is_same_or_option(now.0, was.0) => Reading::AsStored,
            reading => reading,
        }
    }

    pub(crate) fn encoded(&self, was: &Encoding, now: &Encoding) -> Reading {
        let equal = |is: bool| {
            if is {
                Reading::AsStored
            } else {
                Reading::Impossible
            }
        };
        let name = |side: &Side<'s>, entity: &EntityIx| side.schema.entity_name(*entity);
        match (was, now) {
            (Encoding::Serde, _) | (_, Encoding::Serde) => Reading::Tried,
            (Encoding::Option(was), Encoding::Option(now))
            | (Encoding::List(was), Encoding::List(now)) => self.encoded(was, now),
            (was, Encoding::Option(now)) => self.encoded(was, now),
            (Encoding::Id(a), Encoding::Id(b)) => equal(name(&self.was, a) == name(&self.now, b)),
            (Encoding::Key(a), Encoding::Key(b)) => {
                match name(&self.was, a) == name(&self.now, b) {
                    true => self.key(*a, *b),
                    false => Reading::Impossible,
                }
            }
            (Encoding::F32, Encoding::F64) => Reading::Converted,
            (was, now) => equal(now.reads(was)),
        }
    }

    /// Returns how the keys of an entity type are read, if the key has the same parts in both schemas.
    fn key(&self, was: EntityIx, now: EntityIx) -> Reading {
        let (was, now) = (self.was.key(was), self.now.key(now));
        let part = |(was, now): (&&ColumnDef, &&ColumnDef)| {
            // That of a valid schema does not. Without this check, the comparison of an invalid one might not end.
            let holds_key = |def: &ColumnDef| def.encoding.as_ref().is_some_and(holds_key);
            match was.name != now.name || holds_key(was) || holds_key(now) {
                true => Reading::Impossible,
                false => self.column(was, now),
            }
        };
        match was.len() == now.len() {
            true => (was.iter().zip(now).map(part).max()).unwrap_or(Reading::AsStored),
            false => Reading::Impossible,
        }
    }

    /// Returns the columns of the key that values of an encoding hold, in both schemas, if those of the earlier one cannot be read.
    pub(crate) fn other_key(&self, was: &Encoding, now: &Encoding) -> Option<(String, String)> {
        let key = |side: &Side<'s>, encoding: &Encoding| {
            let columns = side.key(encoding.entity()?).iter();
            let columns = columns.map(|column| format!("{}: {}", column.name, column.ty));
            Some(columns.collect::<Vec<_>>().join(", "))
        };
        let is_other = holds_key(was) && self.encoded(was, now) == Reading::Impossible;
        is_other.then(|| Some((key(&self.was, was)?, key(&self.now, now)?)))?
    }

    pub(crate) fn event_field(&self, was: &EventFieldDef, now: &EventFieldDef) -> Reading {
        self.typed(
            (&was.ty, was.encoding.as_ref()),
            (&now.ty, now.encoding.as_ref()),
        )
    }

    /// Returns whether logged events are read as events of the later schema by the names of their fields: each field of the
    /// later event has a counterpart that is known to be readable, an `Option`, or a default.
    fn event_is_read(&self, was: &EventDef, now: &EventDef) -> bool {
        let fields: HashMap<&str, &EventFieldDef> =
            was.fields.iter().map(|f| (&*f.name, f)).collect();
        let is_read = |now: &EventFieldDef| match fields.get(&*now.name) {
            Some(was) => self.event_field(was, now) <= Reading::Converted,
            None => may_be_missing(now),
        };
        was.immediate == now.immediate && now.fields.iter().all(is_read)
    }

    /// Returns whether an event has the same fields in both schemas, with values that are encoded as before.
    fn event_is_same(&self, was: &EventDef, now: &EventDef) -> bool {
        let fields: HashMap<&str, &EventFieldDef> =
            was.fields.iter().map(|f| (&*f.name, f)).collect();
        let is_same = |now: &EventFieldDef| {
            let was = fields.get(&*now.name);
            was.is_some_and(|was| self.event_field(was, now) == Reading::AsStored)
        };
        was.immediate == now.immediate
            && was.fields.len() == now.fields.len()
            && now.fields.iter().all(is_same)
    }
}

/// Returns whether values of a type may be missing. The type as written decides if the encoding does not: an `Option` around a type
/// of the program has the encoding [`Encoding::Serde`].
pub(crate) fn is_optional(ty: &str, encoding: Option<&Encoding>) -> bool {
    match encoding {
        Some(Encoding::Option(_)) => true,
        Some(Encoding::Serde) | None => {
            matches!(ty.split_once('<'), Some((outer, _)) if outer.trim() == "Option")
        }
        Some(_) => false,
    }
}

impl ColumnDef {
    /// Returns whether values of the column may be missing: its type is an `Option`.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        is_optional(&self.ty, self.encoding.as_ref())
    }
}

impl EdgeDef {
    /// Returns whether the data of links may be missing: its type is an `Option`.
    #[must_use]
    pub fn has_optional_data(&self) -> bool {
        let (ty, encoding) = (self.data.as_deref(), self.encoding.as_ref());
        ty.is_some_and(|ty| is_optional(ty, encoding))
    }
}

/// Returns whether logged events may lack a field.
pub(crate) fn may_be_missing(field: &EventFieldDef) -> bool {
    field.default.is_some() || is_optional(&field.ty, field.encoding.as_ref())
}
