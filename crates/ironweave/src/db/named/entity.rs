//! Single entities by name: their states, values and links.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::base::cbor::NULL;
use crate::base::error::{EntityRef, NameError};
use crate::base::id::Id;
use crate::db::named::EntityType;
use crate::graph::layout::ends;
use crate::schema::{ColumnIx, Encoding, Hop, Schema, StateIx};
use crate::value::decode;
use crate::value::typed::TypedValue;

/// An entity of a graph that is read by name. It exists in that graph.
///
/// `Display` renders its type and its key, as in `Ward "icu"`, or its handle, as in `Partition/3.1`. Serde serializes it as
/// `{"entity": "Ward/0.1", "state": "Open", "fields": {"name": "icu"}, "data": {}}`.
#[derive(Clone, Copy)]
pub struct EntityView<'g> {
    of: EntityType<'g>,
    id: Id,
}

impl<'g> EntityView<'g> {
    pub(super) fn new(of: EntityType<'g>, id: Id) -> Self {
        Self { of, id }
    }

    /// Returns the entity type.
    #[must_use]
    pub fn entity_type(self) -> EntityType<'g> {
        self.of
    }

    /// Returns the id.
    #[must_use]
    pub fn id(self) -> Id {
        self.id
    }

    /// Returns a reference to the entity that is independent of the graph, with its key if it has one.
    #[must_use]
    pub fn entity_ref(self) -> EntityRef {
        self.of.graph.who(self.of.index, self.id)
    }

    /// Returns the handle as it is displayed: `Order/3.1`.
    #[must_use]
    pub fn handle(self) -> String {
        format!("{}/{}", self.of.name(), self.id)
    }

    /// Returns the key as [`EntityType::find`] takes it, or the handle of an entity without a key.
    #[must_use]
    pub fn label(self) -> String {
        let parts = self.of.layout().key.iter();
        let parts: Option<Vec<ValueView<'g>>> = parts.map(|column| self.value(*column)).collect();
        match parts.as_deref() {
            None | Some([]) => self.handle(),
            Some([key]) => key.text().unwrap_or_else(|| key.to_string()),
            Some(parts) => {
                let parts: Vec<String> = parts.iter().map(ValueView::to_string).collect();
                parts.join(", ")
            }
        }
    }

    fn state_ix(self) -> StateIx {
        let state = self.of.graph.state(self.of.index, self.id);
        // The graph cannot change while it is borrowed, and the entity existed when this value was made.
        state.unwrap_or_default()
    }

    /// Returns the name of the state that the entity is in.
    #[must_use]
    pub fn state(self) -> &'g str {
        let states = &self.of.def().states;
        let state = states.get(usize::from(self.state_ix()));
        state.map_or("", |state| &state.name)
    }

    /// Returns the value of a field, or of a piece of the data of the state that the entity is in. Returns `None` for data of
    /// another state. If a field and data have the same name, this is the field; [`data`](Self::data) has the other.
    ///
    /// # Errors
    /// `UnknownField`.
    pub fn field(self, name: &str) -> Result<Option<ValueView<'g>>, NameError> {
        let mut columns = self.of.columns(name)?;
        Ok(columns.find_map(|column| self.value(column)))
    }

    /// Returns the value that [`field`](Self::field) returns as a `V`, which is its type or another type that serde reads from
    /// the same data. If there is no value, it is read as `null`, so that an `Option` is `None`.
    ///
    /// # Errors
    /// `UnknownField`; `OtherType` if it cannot be read as a `V`.
    pub fn get<V: DeserializeOwned>(self, name: &str) -> Result<V, NameError> {
        let value = self.field(name)?;
        let bytes = value.as_ref().map_or(&[NULL][..], ValueView::encoded);
        decode(bytes).map_err(|_| NameError::OtherType {
            what: format!("`{name}` of {self}").into(),
            found: value.map_or_else(|| "no value".to_owned(), |value| value.to_string()),
            expected: std::any::type_name::<V>(),
        })
    }

    /// Returns the fields with their values, in order of declaration.
    pub fn fields(self) -> impl Iterator<Item = (&'g str, ValueView<'g>)> {
        self.named(&self.of.layout().fields)
    }

    /// Returns the data of the state that the entity is in, in order of declaration.
    pub fn data(self) -> impl Iterator<Item = (&'g str, ValueView<'g>)> {
        let states = &self.of.layout().states;
        let state = states.get(usize::from(self.state_ix()));
        self.named(state.map_or(&[], |state| &state.data))
    }

    fn named(self, columns: &'g [ColumnIx]) -> impl Iterator<Item = (&'g str, ValueView<'g>)> {
        columns.iter().filter_map(move |column| {
            let name = &*self.of.schema()[*column].name;
            Some((name, self.value(*column)?))
        })
    }

    /// Returns the value in a column. The column of data of another state has none.
    fn value(self, column: ColumnIx) -> Option<ValueView<'g>> {
        let schema = self.of.schema();
        Some(ValueView {
            bytes: self.of.graph.column(column).encoded(self.id.slot)?,
            encoding: schema[column].encoding.as_ref(),
            schema,
        })
    }

    /// Returns the links at an end of an edge, which may be the declaring or the inverse end, in the order of the list.
    ///
    /// # Errors
    /// `UnknownEdge`.
    pub fn links(
        self,
        edge: &str,
    ) -> Result<impl ExactSizeIterator<Item = LinkView<'g>>, NameError> {
        self.links_from(edge, 0)
    }

    /// Returns the links from a position in the order of the list on; none if there are not so many. The links before it are not
    /// visited, so that they are read in pages. A link that is removed gives its position to the last one of the list.
    ///
    /// # Errors
    /// `UnknownEdge`.
    pub fn links_from(
        self,
        edge: &str,
        first: usize,
    ) -> Result<impl ExactSizeIterator<Item = LinkView<'g>>, NameError> {
        let hop = self.of.hop(edge)?;
        let graph = self.of.graph;
        let far = graph.layout().edges[usize::from(hop.edge)].far(hop.forward);
        let of = EntityType {
            graph,
            index: far.entity,
        };
        let slot = self.id.slot;
        let all = graph.degree(hop, slot);
        Ok((first.min(all)..all).map(move |at| LinkView {
            from: self,
            hop,
            to: of.at_slot(graph.member(hop, slot, at)),
        }))
    }

    /// Returns the number of links at an end of an edge. O(1).
    ///
    /// # Errors
    /// `UnknownEdge`.
    pub fn degree(self, edge: &str) -> Result<usize, NameError> {
        Ok(self.of.graph.degree(self.of.hop(edge)?, self.id.slot))
    }
}

impl PartialEq for EntityView<'_> {
    /// Compares the types and the ids.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.of.name() == other.of.name()
    }
}

impl Eq for EntityView<'_> {}

impl fmt::Display for EntityView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.entity_ref(), f)
    }
}

impl fmt::Debug for EntityView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.handle())
    }
}

impl Serialize for EntityView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Values<'g>(Vec<(&'g str, ValueView<'g>)>);
        impl Serialize for Values<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
            }
        }
        let mut entity = serializer.serialize_map(Some(4))?;
        entity.serialize_entry("entity", &self.handle())?;
        entity.serialize_entry("state", self.state())?;
        entity.serialize_entry("fields", &Values(self.fields().collect()))?;
        entity.serialize_entry("data", &Values(self.data().collect()))?;
        entity.end()
    }
}

/// A link of an entity that is read by name.
#[derive(Clone, Copy)]
pub struct LinkView<'g> {
    from: EntityView<'g>,
    hop: Hop,
    to: EntityView<'g>,
}

impl<'g> LinkView<'g> {
    /// Returns the entity that the link leads to.
    #[must_use]
    pub fn entity(self) -> EntityView<'g> {
        self.to
    }

    /// Returns the data of the link, or `None` if the links of the edge have none. O(1).
    #[must_use]
    pub fn data(self) -> Option<ValueView<'g>> {
        let Self { from, hop, to } = self;
        let (a, b) = ends(hop, from.id.slot, to.id.slot);
        let (column, row) = from.of.graph.link_row(hop.edge, a, b)?;
        let schema = from.of.schema();
        Some(ValueView {
            bytes: column.encoded(row)?,
            encoding: schema[hop.edge].encoding.as_ref(),
            schema,
        })
    }
}

impl fmt::Debug for LinkView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} -> {:?}", self.from, self.to)
    }
}

/// A value that is read by name: of a field, of state data or of a link.
///
/// `Display` renders it by the encoding that the schema has for it: a time as RFC 3339, a handle as `Order/3.1`, and a value
/// of a type of the program in the diagnostic notation of CBOR. Serde serializes it as its type does. Two values are equal if
/// their encodings are.
#[derive(Clone)]
pub struct ValueView<'g> {
    bytes: Vec<u8>,
    encoding: Option<&'g Encoding>,
    schema: &'g Schema,
}

impl<'g> ValueView<'g> {
    fn typed(&self) -> TypedValue<'_> {
        TypedValue {
            bytes: &self.bytes,
            encoding: self.encoding,
            schema: self.schema,
        }
    }

    /// Returns the encoding in the schema, or `None` if it is not known.
    #[must_use]
    pub fn encoding(&self) -> Option<&'g Encoding> {
        self.encoding
    }

    /// Returns the value in CBOR.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the value if it can be read as a `V`, which is its type or another type that serde reads from the same data.
    #[must_use]
    pub fn value<V: DeserializeOwned>(&self) -> Option<V> {
        decode(&self.bytes).ok()
    }

    /// Returns the value without quotes, if it is a text and its encoding is text or not known.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let may_be_text = matches!(self.encoding, None | Some(Encoding::Text));
        may_be_text.then(|| self.value()).flatten()
    }
}

impl PartialEq for ValueView<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for ValueView<'_> {}

impl fmt::Display for ValueView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.typed(), f)
    }
}

impl fmt::Debug for ValueView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ValueView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.typed().serialize(serializer)
    }
}
