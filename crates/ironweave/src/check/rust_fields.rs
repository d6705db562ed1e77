//! The fields of an event as Rust source.

use std::any::type_name;

use minicbor::Decoder;
use serde::Serialize;
use serde::ser::SerializeStruct;

use crate::base::id::Id;
use crate::check::rust_source::{NoSource, source};
use crate::check::rust_test::{Test, in_test};
use crate::schema::{BindBy, Encoding, EntityIx, EventDef, Schema};
use crate::step::any_event::EventVisitor;
use crate::step::event::Event;
use crate::step::fields::Fields;
use crate::step::model::Model;
use crate::value::encode;

/// Gives the fields of an event as source.
pub(super) struct FieldSources<'t, M: Model> {
    pub test: &'t mut Test<M>,
    pub schema: &'t Schema,
    pub def: &'t EventDef,
}

impl<'e, M: Model> EventVisitor<'e> for FieldSources<'_, M> {
    type Output = Vec<String>;

    fn visit<E: Event>(self, event: &'e E) -> Vec<String> {
        let names = E::NAMES.get(1..).unwrap_or_default();
        let mut to = FieldSource {
            of: self,
            index: 0,
            bound: 0,
            fields: Vec::new(),
        };
        match E::Fields::write(event.fields(), names, &mut to) {
            Ok(()) => to.fields,
            Err(e) => vec![format!("/* {e} */")],
        }
    }
}

struct FieldSource<'t, M: Model> {
    of: FieldSources<'t, M>,
    /// The index of the next field.
    index: usize,
    /// How many fields before it name entities.
    bound: usize,
    fields: Vec<String>,
}

impl<M: Model> SerializeStruct for FieldSource<'_, M> {
    type Ok = ();
    type Error = NoSource;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), NoSource> {
        let def = self.of.def.fields.get(self.index);
        let encoding = def.and_then(|def| def.encoding.clone()).unwrap_or_default();
        self.index += 1;
        let of_entity = encoding.entity();
        let by = (self
            .of
            .def
            .names
            .get(self.bound)
            .filter(|_| of_entity.is_some()))
        .map(|n| n.by);
        self.bound += usize::from(of_entity.is_some());
        let text = match (of_entity, by) {
            (Some(entity), Some(BindBy::Handle | BindBy::Token(_))) => {
                self.ids(&encoding, (entity, by), value)
            }
            (Some(entity), by) => {
                let ty = match by {
                    Some(BindBy::Ensure) => "Ensure",
                    _ => "Key",
                };
                by_key(ty, &encoding, &self.typed_keys(entity, source(value)))
            }
            (None, _) => {
                let ty = def.map(|def| def.ty.as_str()).unwrap_or_default();
                with_paths(plain(&encoding, value), ty, type_name::<M>())
            }
        };
        self.fields.push(if text == name {
            text
        } else {
            format!("{name}: {text}")
        });
        Ok(())
    }

    fn end(self) -> Result<(), NoSource> {
        Ok(())
    }
}

impl<M: Model> FieldSource<'_, M> {
    /// Adds the type to keys that are integers: `Key::new` converts its argument, so that a literal alone would be an `i32`.
    fn typed_keys(&self, entity: EntityIx, keys: String) -> String {
        let graph = &self.of.test.store.core.graph;
        let encoding = match &*graph.layout.entities[usize::from(entity)].key {
            [column] => self.of.schema[*column].encoding.as_ref(),
            _ => None,
        };
        let Some(suffix) = encoding.and_then(suffix) else {
            return keys;
        };
        let mut typed = String::new();
        let mut chars = keys.chars().peekable();
        while let Some(c) = chars.next() {
            typed.push(c);
            if c.is_ascii_digit() && !chars.peek().is_some_and(char::is_ascii_digit) {
                typed.push_str(suffix);
            }
        }
        typed
    }

    /// The source of a field of handles or tokens.
    fn ids(
        &mut self,
        encoding: &Encoding,
        (entity, by): (EntityIx, Option<BindBy>),
        value: &(impl Serialize + ?Sized),
    ) -> String {
        let mut bytes = Vec::new();
        let _ = encode(value, &mut bytes);
        let mut d = Decoder::new(&bytes);
        let mut ids = Vec::new();
        if matches!(encoding, Encoding::List(_)) {
            let _ = d.array();
        }
        while let Ok(bits) = d.u64() {
            ids.extend(Id::from_bits(bits));
        }
        let (schema, test) = (self.of.schema, &mut *self.of.test);
        let mut sources = ids.into_iter().map(|id| {
            let variable = test.entity(schema, entity, id);
            match by {
                // An event that is rejected may have the token of a state in which the entity was before, or never is.
                Some(BindBy::Token(state)) if !test.is_in(entity, id, state) => {
                    format!("ironweave::Handle::from_id({variable}.id())")
                }
                Some(BindBy::Token(state)) => {
                    let state = &schema[entity][state].name;
                    format!("{variable}.in_state::<{state}>(&store).expect(\"{state}\")")
                }
                _ => variable,
            }
        });
        match encoding {
            Encoding::List(_) => format!("vec![{}]", sources.collect::<Vec<_>>().join(", ")),
            Encoding::Option(_) => match sources.next() {
                Some(one) => format!("Some({one})"),
                None => "None".to_owned(),
            },
            _ => sources.next().unwrap_or_default(),
        }
    }
}

/// The suffix of an integer literal of a type, by its encoding.
fn suffix(encoding: &Encoding) -> Option<&'static str> {
    Some(match encoding {
        Encoding::U8 => "u8",
        Encoding::U16 => "u16",
        Encoding::U32 => "u32",
        Encoding::U64 => "u64",
        Encoding::I8 => "i8",
        Encoding::I16 => "i16",
        Encoding::I32 => "i32",
        Encoding::I64 => "i64",
        _ => return None,
    })
}

/// The source of a field of keys, from that of the keys.
fn by_key(ty: &str, encoding: &Encoding, keys: &str) -> String {
    // A text converts itself.
    if keys == "None" || keys.contains(".into()") {
        return keys.to_owned();
    }
    match encoding {
        Encoding::List(_) => format!("{keys}.into_iter().map({ty}::new).collect()"),
        Encoding::Option(_) => match keys.strip_prefix("Some(").and_then(|k| k.strip_suffix(')')) {
            Some(key) => format!("Some({ty}::new({key}))"),
            None => keys.to_owned(),
        },
        _ => format!("{ty}::new({keys})"),
    }
}

/// Replaces the names of types by the paths that the type of the field has for them. `model` is a path in the crate of the model.
fn with_paths(mut source: String, ty: &str, model: &str) -> String {
    let krate = in_test(model);
    let krate = krate.split("::").next().unwrap_or_default();
    for path in ty.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
        if let Some((_, name)) = path.rsplit_once("::") {
            let path = match path.strip_prefix("crate::") {
                Some(rest) => format!("{krate}::{rest}"),
                None => path.to_owned(),
            };
            source = with_path(&source, name, &path);
        }
    }
    source
}

/// Replaces a name, where it is a whole word.
fn with_path(source: &str, name: &str, path: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(at) = rest.find(name) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '"';
        let is_whole = !before.ends_with(is_word) && !after.starts_with(is_word);
        out.push_str(before);
        out.push_str(if is_whole { path } else { name });
        rest = after;
    }
    out + rest
}

/// The source of a value.
fn plain(encoding: &Encoding, value: &(impl Serialize + ?Sized)) -> String {
    let text = source(value);
    // In this form a time is its number of microseconds.
    match encoding {
        Encoding::Timestamp => format!("Timestamp::from_micros({text})"),
        Encoding::Option(of) if **of == Encoding::Timestamp => text
            .replace("Some(", "Some(Timestamp::from_micros(")
            .replace(')', "))"),
        _ => text,
    }
}
