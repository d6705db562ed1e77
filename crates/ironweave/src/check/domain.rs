//! Domains: what is tried for each field of each event. They follow from the schema and from what the user of the checker gave.
//! What is missing is collected, so that one error lists all of it.

use std::fmt;

use crate::check::given::Domains;
use crate::check::structure::{can_progress, key_len, key_of, may_delete, source_states};
use crate::check::values::{decodes, default_keys, defaults_of, variants};
use crate::schema::{
    Arc, BindBy, Cardinality, Encoding, EntityIx, EventDef, EventIx, NameDef, NameIx, Schema,
};
use crate::step::any_event::AnyEvent;
use crate::step::model::Model;

/// The error of a [`Checker`](super::Checker) that does not know what to try. It lists everything that is missing or not valid,
/// with the line to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingDomains {
    /// What does not know what to try.
    of: &'static str,
    missing: Vec<String>,
}

impl MissingDomains {
    /// What is missing, each with the line to write.
    #[cfg(feature = "simulate")]
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.missing
    }
}

impl fmt::Display for MissingDomains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not know what to try:", self.of)?;
        self.missing
            .iter()
            .try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for MissingDomains {}

impl MissingDomains {
    /// The error of what lacks some lines.
    pub(super) fn new(of: &'static str, missing: Vec<String>) -> Self {
        Self { of, missing }
    }
}

/// Who tries the events, and how.
#[derive(Clone, Copy)]
pub(super) struct Purpose<'p> {
    /// Its name, for the error.
    pub of: &'static str,
    /// Whether each entity type needs a bound. If not, those without one have none.
    pub is_bounded: bool,
    /// Whether time passes, so that a field of type `Timestamp` has the time at which its event fires.
    pub has_time: bool,
    /// The names of the events that are not tried.
    pub without: &'p [&'static str],
}

/// What is tried for all events, and the bounds.
#[derive(Clone)]
pub(crate) struct Resolved {
    pub events: Vec<EventChoices>,
    /// By entity type, how many may exist.
    pub entities: Vec<usize>,
    /// By entity type, the keys that may be given; empty if no event gives one.
    pub keys: Vec<Keys>,
    /// By entity type, whether only the next key is tried.
    pub default_keys: Vec<bool>,
    /// Whether an event can delete entities.
    pub may_delete: bool,
}

/// The keys of an entity type.
#[derive(Clone, Default)]
pub(crate) struct Keys {
    /// In CBOR.
    pub all: Vec<Vec<u8>>,
    /// Whether of the keys that no entity has only the next ones are tried, as many as an event can give.
    pub only_next: bool,
    /// How many fields of an event can give a new entity a key, at most.
    pub given_max: usize,
    /// Whether an event names entities of this type by a key, or gives one to a new entity.
    pub is_used: bool,
}

/// What is tried for an event.
#[derive(Clone)]
pub(crate) struct EventChoices {
    pub event: EventIx,
    pub name: String,
    /// The number of the event among those that a program can fire.
    pub number: usize,
    pub fields: Vec<FieldChoices>,
    /// By field, how many fields can give a key to a new entity of its type, if it is one of these; otherwise 0.
    pub key_fields: Vec<usize>,
    /// The index of a function among [`Domains::bindings`] that gives the bindings instead.
    pub binder: Option<usize>,
    /// The event as an index of the layout's events with a due time: it is tried only for entities that have the time.
    pub due: Option<u16>,
    /// The types of which there is one entity more whenever the event fires.
    pub creates: Vec<EntityIx>,
    /// Whether the event can do more than to create entities and to link them.
    pub can_progress: bool,
}

impl EventChoices {
    /// Whether a field names a set of entities.
    pub(super) fn has_sets(&self) -> bool {
        let is_set = |field: &FieldChoices| {
            matches!(
                field,
                FieldChoices::Entities {
                    count: Cardinality::Many,
                    ..
                }
            )
        };
        self.fields.iter().any(is_set)
    }
}

/// What is tried for a field.
#[derive(Clone, Debug)]
pub(crate) enum FieldChoices {
    /// These values, in CBOR.
    Values(Vec<Vec<u8>>),
    /// The time.
    Now,
    /// A key that no entity of the type has.
    NewKey(EntityIx),
    /// Entities of a type in one of these states.
    Entities {
        entity: EntityIx,
        /// By state.
        states: Vec<bool>,
        count: Cardinality,
        by: By,
    },
}

impl FieldChoices {
    /// The type of the entity to which the field can give a key.
    pub(super) fn new_entity(&self) -> Option<EntityIx> {
        match self {
            Self::NewKey(entity)
            | Self::Entities {
                entity,
                by: By::Ensure,
                ..
            } => Some(*entity),
            _ => None,
        }
    }

    /// How many words of a choice are before its keys.
    pub(super) fn words_before_keys(&self) -> usize {
        match self {
            Self::Entities { count, .. } => usize::from(*count != Cardinality::One),
            _ => 0,
        }
    }
}

/// How a field names an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Id,
    Key,
    /// By a key, and the entity is created if there is none.
    Ensure,
}

/// Finds out what is tried at one time within bounds. `of` is the name of what tries it, for the error.
pub(super) fn resolve<M: Model>(
    domains: &Domains<M>,
    of: &'static str,
) -> Result<Resolved, MissingDomains> {
    let purpose = Purpose {
        of,
        is_bounded: true,
        has_time: false,
        without: &[],
    };
    resolve_for(domains, purpose)
}

/// Finds out what is tried.
pub(super) fn resolve_for<M: Model>(
    domains: &Domains<M>,
    purpose: Purpose<'_>,
) -> Result<Resolved, MissingDomains> {
    let mut binding = M::binding();
    binding.add_encodings();
    let mut resolver = Resolver {
        schema: binding.schema,
        domains,
        purpose,
        missing: Vec::new(),
        keys: Vec::new(),
    };
    resolver
        .keys
        .resize_with(resolver.schema.entities.len(), Keys::default);
    let entities = resolver.bounds();
    let events = resolver.events();
    resolver.check_given();
    resolver.fill_keys(&entities);
    if resolver.missing.is_empty() {
        Ok(Resolved {
            events,
            entities,
            may_delete: resolver.schema.events.iter().any(may_delete),
            default_keys: resolver.keys.iter().map(|keys| keys.only_next).collect(),
            keys: resolver.keys,
        })
    } else {
        Err(MissingDomains::new(purpose.of, resolver.missing))
    }
}

struct Resolver<'d, M: Model> {
    schema: Schema,
    domains: &'d Domains<M>,
    purpose: Purpose<'d>,
    missing: Vec<String>,
    keys: Vec<Keys>,
}

impl<M: Model> Resolver<'_, M> {
    /// The bound of each entity type.
    fn bounds(&mut self) -> Vec<usize> {
        let all = EntityIx::all(self.schema.entities.len());
        let bounds = all.zip(&self.schema.entities).map(|(ix, def)| {
            self.domains.entities.get(&ix).copied().unwrap_or_else(|| {
                if !self.purpose.is_bounded {
                    return usize::MAX;
                }
                let name = &def.name;
                self.missing.push(format!(
                    "how many `{name}` may exist: .entities::<{name}>(2)"
                ));
                0
            })
        });
        bounds.collect()
    }

    fn events(&mut self) -> Vec<EventChoices> {
        let schema = std::mem::take(&mut self.schema);
        let mut immediates = schema.events.iter().filter(|def| def.immediate);
        let may_delete_later = immediates.any(may_delete);
        let mut events = Vec::new();
        let mut dues = 0..;
        for (ix, def) in EventIx::all(schema.events.len()).zip(&schema.events) {
            let number = <M::Event as AnyEvent>::NAMES
                .iter()
                .position(|name| *name == def.name);
            let Some(number) = number else {
                // It is immediate.
                continue;
            };
            // The layout has also those that are left out.
            let due = def.due.as_ref().and_then(|_| dues.next());
            if self.purpose.without.contains(&&*def.name) {
                continue;
            }
            let binder = self
                .domains
                .bindings
                .iter()
                .rposition(|(name, _)| *name == def.name);
            let fields = match binder {
                Some(_) => Vec::new(),
                None => self.fields(&schema, def, number),
            };
            let key_fields = self.key_fields(&fields);
            // An event that may also delete entities, or lead to an immediate one that does, can have room for those that it creates.
            let makes_room = may_delete(def) || may_delete_later;
            let creates = def.arcs.iter().filter_map(|arc| match arc {
                Arc::Create { name, .. } if !makes_room => Some(def[*name].entity),
                _ => None,
            });
            events.push(EventChoices {
                event: ix,
                name: def.name.clone(),
                number,
                fields,
                key_fields,
                binder,
                due,
                creates: creates.collect(),
                can_progress: can_progress(&schema, def),
            });
        }
        self.schema = schema;
        events
    }

    /// By field, how many fields can give a key to a new entity of its type, if it is one of these.
    fn key_fields(&mut self, fields: &[FieldChoices]) -> Vec<usize> {
        let count = |field: &FieldChoices| {
            let Some(entity) = field.new_entity() else {
                return 0;
            };
            let same = fields.iter().filter(|of| of.new_entity() == Some(entity));
            let count = same.count();
            let keys = &mut self.keys[entity.index()];
            keys.given_max = keys.given_max.max(count);
            count
        };
        fields.iter().map(count).collect()
    }

    fn fields(&mut self, schema: &Schema, def: &EventDef, number: usize) -> Vec<FieldChoices> {
        let mut names = NameIx::all(def.names.len()).zip(&def.names);
        let mut fields = Vec::new();
        for (index, field) in def.fields.iter().enumerate() {
            let encoding = field.encoding.clone().unwrap_or_default();
            if encoding.entity().is_some() {
                if let Some((ix, name)) = names.next() {
                    fields.push(self.entities(schema, def, (ix, name)));
                }
                continue;
            }
            let given = self
                .domains
                .values
                .iter()
                .rfind(|(event, name, _)| *event == def.name && *name == field.name);
            fields.push(match given {
                Some((.., Ok(values))) => {
                    for value in values {
                        if let Err(e) = decodes::<M::Event>(number, index, value) {
                            self.missing.push(format!(
                                "a value of `{}.{}` is not of type `{}`: {e}",
                                def.name, field.name, field.ty
                            ));
                            break;
                        }
                    }
                    FieldChoices::Values(values.clone())
                }
                Some((.., Err(e))) => {
                    self.missing
                        .push(format!("a value of `{}.{}`: {e}", def.name, field.name));
                    FieldChoices::Values(Vec::new())
                }
                None => match key_of(schema, def, index) {
                    Some(entity) if key_len(schema, entity) == 1 => {
                        self.keys[entity.index()].is_used = true;
                        FieldChoices::NewKey(entity)
                    }
                    _ if self.purpose.has_time && encoding == Encoding::Timestamp => {
                        FieldChoices::Now
                    }
                    _ => FieldChoices::Values(self.defaults(def, number, index, &encoding)),
                },
            });
        }
        fields
    }

    /// The values that are tried for a field if none are given.
    fn defaults(
        &mut self,
        def: &EventDef,
        number: usize,
        index: usize,
        encoding: &Encoding,
    ) -> Vec<Vec<u8>> {
        let found = defaults_of(encoding, self.domains.first_time())
            .or_else(|| variants::<M::Event>(number, index));
        found.unwrap_or_else(|| {
            let field = &def.fields[index];
            self.missing.push(format!(
                "the values of `{}.{}`, which is a `{}`: .values::<{}, _>(\"{}\", [..])",
                def.name, field.name, field.ty, def.name, field.name
            ));
            Vec::new()
        })
    }

    fn entities(
        &mut self,
        schema: &Schema,
        def: &EventDef,
        (ix, name): (NameIx, &NameDef),
    ) -> FieldChoices {
        let by = match name.by {
            BindBy::Key => By::Key,
            BindBy::Ensure => By::Ensure,
            BindBy::Handle | BindBy::Token(_) | BindBy::Created | BindBy::Chosen => By::Id,
        };
        if by != By::Id {
            self.keys[name.entity.index()].is_used = true;
        }
        FieldChoices::Entities {
            entity: name.entity,
            states: source_states(schema, def, (ix, name)),
            count: name.count,
            by,
        }
    }

    /// Reports what was given for an event or field that does not exist.
    fn check_given(&mut self) {
        for (event, field, _) in &self.domains.values {
            let Some(def) = self.schema.events.iter().find(|def| def.name == *event) else {
                continue;
            };
            let found = def.fields.iter().find(|def| def.name == *field);
            let names_entity = |encoding: &Encoding| encoding.entity().is_some();
            match found {
                None => {
                    let names: Vec<&str> = def.fields.iter().map(|f| &*f.name).collect();
                    self.missing.push(format!(
                        "`{event}` has no field `{field}`; it has {}",
                        names.join(", ")
                    ));
                }
                Some(def) if def.encoding.as_ref().is_some_and(names_entity) => {
                    self.missing.push(format!(
                        "`{event}.{field}` names entities, which {} tries by itself; for other bindings, write \
                         .bindings::<{event}>(|store| ..)",
                        self.purpose.of
                    ));
                }
                Some(_) => {}
            }
        }
    }

    /// The keys of the entity types that need some.
    fn fill_keys(&mut self, bounds: &[usize]) {
        for (ix, bound) in EntityIx::all(bounds.len()).zip(bounds) {
            let keys = &mut self.keys[ix.index()];
            if !keys.is_used {
                continue;
            }
            let name = &self.schema[ix].name;
            match self.domains.keys.get(&ix) {
                Some(Ok(all)) => keys.all.clone_from(all),
                Some(Err(e)) => self.missing.push(format!("a key of `{name}`: {e}")),
                None if *bound == usize::MAX => self.missing.push(format!(
                    "how many `{name}` may exist, since each has a key: .entities::<{name}>(100)"
                )),
                None => {
                    keys.only_next = true;
                    // More than there may be entities, so that an event which creates more fires, and is cut.
                    match default_keys(&self.schema, ix, bound + keys.given_max.max(1)) {
                        Some(all) => keys.all = all,
                        None => self
                            .missing
                            .push(format!("the keys of `{name}`: .keys::<{name}, _>([..])")),
                    }
                }
            }
        }
    }
}
