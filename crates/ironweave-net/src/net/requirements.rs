//! The requirements of an event that are not of tokens in places alone: choices, counts, comparisons and due times.

use ironweave_schema::{
    Arc as ArcDef, Assign, BindBy, ChooseFrom, NameIx, Path, Source, StateIx, Take as TakeDef,
};

use super::derive::Derive;
use super::{Amount, Choice, Due, Inscription, Number, PlaceIx, Read, Take, Tokens};

impl Derive<'_> {
    /// Adds a choice or a condition on numbers or values.
    pub(super) fn requirement(&mut self, arc: &ArcDef) {
        match arc {
            ArcDef::Count {
                path,
                states,
                comparison,
                with,
                ..
            } => {
                let places = match states.as_slice() {
                    [] => self.net[self.entity(path)].states.clone(),
                    states => self.places(path, states),
                };
                self.add_read(Read {
                    places,
                    inscription: Inscription::Counted,
                    tokens: Tokens::Entities(path.clone()),
                    amount: Some(Amount {
                        comparison: *comparison,
                        number: self.number(with),
                    }),
                });
                self.requires(with);
            }
            ArcDef::Compare {
                left,
                comparison,
                right,
                ..
            } => {
                let [left_text, right_text] =
                    [left, right].map(|source| self.schema.source_text(self.event, source));
                self.conditions
                    .push(format!("{left_text} {comparison} {right_text}"));
                self.requires(left);
                self.requires(right);
            }
            ArcDef::Choose { .. } => self.choose(arc),
            _ => {}
        }
    }

    fn choose(&mut self, arc: &ArcDef) {
        let ArcDef::Choose {
            name,
            from,
            conditions,
            order,
            take,
            ..
        } = arc
        else {
            return;
        };
        let root = Path {
            root: *name,
            hops: Vec::new(),
        };
        let from = match from {
            ChooseFrom::Place => None,
            ChooseFrom::Path(path) => Some(path.clone()),
        };
        if let Some(path) = &from {
            self.follow(path);
        }
        let places = self.places(&root, &self.candidate_states(arc));
        let texts = conditions
            .iter()
            .map(|condition| self.schema.condition_text(self.event, condition));
        let choice = Choice {
            variable: *name,
            from,
            places: places.clone(),
            take: match take {
                TakeDef::One => Take::One,
                TakeDef::Exactly { number, .. } => Take::Exactly(self.number(number)),
                TakeDef::UpTo { number, .. } => Take::UpTo(self.number(number)),
            },
            conditions: texts.collect(),
            order: (!order.is_empty()).then(|| self.schema.orders_text(order)),
        };
        // Without the value, no number of candidates is enough.
        if let TakeDef::Exactly { number, .. } | TakeDef::UpTo { number, .. } = take {
            self.requires(number);
        }
        if choice.requires_one() {
            for condition in conditions {
                self.requires(&condition.with);
            }
        }
        self.choices.push(choice);
        self.read(places, Some(Inscription::Chosen), root);
    }

    /// Returns the states in which a candidate of a `choose` arc can be. One whose condition is on data of a state is in that state.
    fn candidate_states(&self, arc: &ArcDef) -> Vec<StateIx> {
        let ArcDef::Choose {
            states, conditions, ..
        } = arc
        else {
            return Vec::new();
        };
        let of = |state: &StateIx| {
            let mut required = conditions.iter();
            required.all(|condition| match self.schema[condition.column].state {
                Some(required) => required == *state,
                None => true,
            })
        };
        states.iter().copied().filter(of).collect()
    }

    /// Keeps only the states in which a chosen name can be.
    pub(super) fn retain_chosen(&self, name: NameIx, states: &mut Vec<StateIx>) {
        let mut arcs = self.event.arcs.iter();
        let arc =
            arcs.find(|arc| matches!(arc, ArcDef::Choose { name: chosen, .. } if *chosen == name));
        if let Some(arc) = arc {
            let candidates = self.candidate_states(arc);
            states.retain(|state| candidates.contains(state));
        }
    }

    fn number(&self, source: &Source) -> Number {
        let text = self.schema.source_text(self.event, source);
        Number::new(text, matches!(source, Source::Literal { .. }))
    }

    /// Adds the states that a condition on a value requires: those of the entities whose data the value is.
    fn requires(&mut self, source: &Source) {
        match source {
            Source::Entity { name, column } => {
                let def = &self.schema[*column];
                let is_created = self.event[*name].by == BindBy::Created;
                if let (Some(state), false) = (def.state, is_created) {
                    let root = Path {
                        root: *name,
                        hops: Vec::new(),
                    };
                    self.read(vec![self.net.place_of(def.entity, state)], None, root);
                }
            }
            Source::Calculated { left, right, .. } => {
                self.requires(left);
                self.requires(right);
            }
            Source::Field(_) | Source::Time | Source::Meta(_) | Source::Literal { .. } => {}
        }
    }

    /// Returns the sums and differences that the event calculates, each once.
    pub(super) fn calculations(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for source in self.event.arcs.iter().flat_map(sources) {
            if matches!(source, Source::Calculated { .. }) {
                let text = self.schema.source_text(self.event, source);
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
        }
        texts
    }

    pub(super) fn due(&self) -> Option<Due> {
        let due = self.event.due.as_ref()?;
        let def = &self.schema[due.column];
        let place: Option<PlaceIx> = def.state.map(|state| self.net.place_of(def.entity, state));
        Some(Due {
            variable: due.name,
            place,
            time: self.schema.due_text(self.event, due),
        })
    }
}

/// Returns the values that an arc reads.
fn sources(arc: &ArcDef) -> Vec<&Source> {
    fn of(values: &[Assign]) -> Vec<&Source> {
        values.iter().map(|value| &value.source).collect()
    }
    match arc {
        ArcDef::Create { values, .. } => of(values),
        ArcDef::Move { data, .. } => of(data),
        ArcDef::Link { data, .. } | ArcDef::Relink { data, .. } => data.iter().collect(),
        ArcDef::Set { value, .. } => vec![&value.source],
        ArcDef::SetLink { data, .. } => vec![data],
        ArcDef::Count { with, .. } => vec![with],
        ArcDef::Compare { left, right, .. } => vec![left, right],
        ArcDef::Choose {
            conditions, take, ..
        } => {
            let with = conditions.iter().map(|condition| &condition.with);
            let number = match take {
                TakeDef::One => None,
                TakeDef::Exactly { number, .. } | TakeDef::UpTo { number, .. } => Some(number),
            };
            with.chain(number).collect()
        }
        ArcDef::Unlink { .. }
        | ArcDef::Delete { .. }
        | ArcDef::When { .. }
        | ArcDef::Unknown(_) => Vec::new(),
    }
}
