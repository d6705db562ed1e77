//! The fields of events of random models, as the schema says: how they are bound, encoded and decoded.

use std::any::Any;
use std::fmt::DebugStruct;

use ironweave::plumbing::{self, Binder, CompiledNames, DecodeError, FieldReader, FieldWriter};
use ironweave::plumbing::{GraphRef, Ref as _};
use ironweave::schema::{BindBy, Cardinality, Encoding};
use ironweave::{Id, Reject};
use serde::de::MapAccess;
use serde::ser::SerializeStruct;

use crate::entities::key_kind;
use crate::model::{Bound, Ev, Field, Who, current};
use crate::values::{Ty, Typed as _, Val, ty, with_type};

/// The fields of an event, as the schema says.
pub struct Dynamic<const N: usize>;

impl<const N: usize> plumbing::Fields for Dynamic<N> {
    type Refs<'a> = &'a Ev<N>;
    type Owned = Ev<N>;
    type Partial = ();

    fn bind(event: Self::Refs<'_>, binder: &mut Binder<'_>) -> Result<(), Reject> {
        let current = current();
        let mut names = current.schema.events[N].names.iter();
        for field in &event.fields {
            if let Field::Value(_) = field {
                continue;
            }
            let name = names.next().expect("a name for each field");
            let bound = |who| Bound {
                entity: name.entity,
                by: name.by,
                who,
            };
            match field {
                Field::Value(_) => {}
                Field::One(who) => binder.one(&bound(who))?,
                Field::Option(who) => binder.option(&who.as_ref().map(bound))?,
                Field::Many(all) => binder.many(&all.iter().map(bound).collect::<Vec<_>>())?,
            }
        }
        Ok(())
    }

    fn resolve(
        event: Self::Refs<'_>,
        graph: GraphRef<'_>,
        _: usize,
        bound: &mut CompiledNames,
    ) -> bool {
        let current = current();
        let mut names = current.schema.events[N].names.iter().enumerate();
        for field in &event.fields {
            let who = match field {
                Field::Value(_) => continue,
                Field::One(who) => who,
                Field::Option(_) | Field::Many(_) => return false,
            };
            let (at, name) = names.next().expect("a name for each field");
            let (entity, by) = (name.entity, name.by);
            let Some(id) = (Bound { entity, by, who }).resolve(graph) else {
                return false;
            };
            bound.bind(at, id);
        }
        true
    }

    fn value(event: Self::Refs<'_>, index: u16) -> Option<&dyn Any> {
        let value = event.values.get(usize::from(index))?;
        Some(&**value.as_ref().expect("a value"))
    }

    fn encode(event: Self::Refs<'_>, _: u16, writer: &mut FieldWriter<'_>) {
        let current = current();
        let mut names = current.schema.events[N].names.iter();
        for (i, field) in event.fields.iter().enumerate() {
            let i = i as u16;
            let name = match field {
                Field::Value(_) => None,
                _ => names.next(),
            };
            let bound = |who| {
                let name = name.expect("a name for each field");
                Bound {
                    entity: name.entity,
                    by: name.by,
                    who,
                }
            };
            match field {
                Field::Value(x) => with_type!(x.ty(), T => writer.field(i, &T::read(x))),
                Field::One(who) => writer.one(i, &bound(who)),
                Field::Option(who) => writer.option(i, who.as_ref().map(bound).as_ref()),
                Field::Many(all) => {
                    writer.many(i, &all.iter().map(bound).collect::<Vec<_>>());
                }
            }
        }
    }

    fn is_faithful() -> bool {
        true
    }

    fn encodings(out: &mut Vec<Encoding>) {
        let current = current();
        // The macro makes a list for the events of the program only, and this schema may have fewer of them.
        let Some(def) = current.schema.events.get(N) else {
            return;
        };
        out.extend(def.fields.iter().map(|field| {
            let Some(name) = def.names.iter().find(|n| n.name == field.name) else {
                return match ty(&field.ty) {
                    Ty::U => Encoding::U64,
                    Ty::S => Encoding::Text,
                    Ty::O => Encoding::Option(Box::new(Encoding::I64)),
                    Ty::T => Encoding::Timestamp,
                    Ty::M => Encoding::Option(Box::new(Encoding::Timestamp)),
                    Ty::D => Encoding::Duration,
                };
            };
            let one = match name.by {
                BindBy::Key | BindBy::Ensure => Encoding::Key(name.entity),
                _ => Encoding::Id(name.entity),
            };
            match name.count {
                Cardinality::One => one,
                Cardinality::Option => Encoding::Option(Box::new(one)),
                Cardinality::Many => Encoding::List(Box::new(one)),
            }
        }));
    }

    fn decode(
        reader: &FieldReader<'_>,
        _: (fn(u16) -> Option<Box<dyn Any>>, u16),
    ) -> Result<Ev<N>, DecodeError> {
        let current = current();
        let def = &current.schema.events[N];
        let mut fields = Vec::new();
        for (i, field) in def.fields.iter().enumerate() {
            let i = i as u16;
            let name = def.names.iter().find(|n| n.name == field.name);
            fields.push(match name {
                None => Field::Value(with_type!(ty(&field.ty), T => {
                    reader.field::<T>(i, |_| None)?.val()
                })),
                Some(name) => {
                    let kind = match name.by {
                        BindBy::Key | BindBy::Ensure => key_kind(&current.schema, name.entity),
                        _ => None,
                    };
                    match kind {
                        None => named(reader, i, name.count, |bits: u64| {
                            let id = Id::from_bits(bits).expect("an id");
                            Who::Id(id.slot(), id.generation())
                        }),
                        Some(0) => named(reader, i, name.count, |x| Who::Key(vec![Val::U(x)])),
                        Some(1) => named(reader, i, name.count, |x| Who::Key(vec![Val::S(x)])),
                        Some(_) => named(reader, i, name.count, |(a, b)| {
                            Who::Key(vec![Val::U(a), Val::S(b)])
                        }),
                    }?
                }
            });
        }
        Ok(Ev::new(fields))
    }

    fn copy(event: Self::Refs<'_>) -> Ev<N> {
        Ev::new(event.fields.clone())
    }

    fn show(event: Self::Refs<'_>, _: &[&'static str], to: &mut DebugStruct<'_, '_>) {
        to.field("fields", &event.fields);
    }

    fn write<S: SerializeStruct>(
        _: Self::Refs<'_>,
        _: &[&'static str],
        _: &mut S,
    ) -> Result<(), S::Error> {
        Err(serde::ser::Error::custom(NO_JSON))
    }

    fn read<'de, A: MapAccess<'de>>(
        _: &mut (),
        _: usize,
        _: &'static str,
        _: &mut A,
    ) -> Result<(), A::Error> {
        Err(serde::de::Error::custom(NO_JSON))
    }

    fn whole<E: serde::de::Error>(
        (): (),
        _: &[&'static str],
        _: (plumbing::Missing, u16),
    ) -> Result<Ev<N>, E> {
        Err(E::custom(NO_JSON))
    }
}

pub const NO_JSON: &str = "events of random models are not written but to a log";

/// Reads a field that names entities.
fn named<T: serde::de::DeserializeOwned + 'static>(
    reader: &FieldReader<'_>,
    index: u16,
    count: Cardinality,
    who: impl Fn(T) -> Who,
) -> Result<Field, DecodeError> {
    Ok(match count {
        Cardinality::One => Field::One(who(reader.field(index, |_| None)?)),
        Cardinality::Option => Field::Option(reader.field::<Option<T>>(index, |_| None)?.map(who)),
        Cardinality::Many => Field::Many(
            reader
                .field::<Vec<T>>(index, |_| None)?
                .into_iter()
                .map(who)
                .collect(),
        ),
    })
}
