//! Random values of an event that is being made: what arcs write, compare and calculate with.

use ironweave::schema::{
    Arithmetic, BindBy, Cardinality, ColumnIx, EventFieldDef, FieldIx, FunctionIx, NameIx, Source,
    StateIx,
};

use crate::events::Draft;
use crate::rng::Rng;
use crate::values::{Ty, column_ty};
use crate::world::columns;

/// What a value is for.
#[derive(Clone, Copy, PartialEq)]
pub enum For {
    /// An arc writes it.
    Writing,
    /// A condition compares it. A condition on a value that does not exist does not hold.
    Comparing,
    /// A condition of an immediate event compares it: a value of its own entity, or a literal.
    Watching,
    /// A choice of an immediate event depends on it: a value of its own entity or of one that was chosen before, or a literal.
    Choosing,
}

impl For {
    /// Whether it is for what decides whether an immediate event is enabled.
    fn is_watched(self) -> bool {
        matches!(self, Self::Watching | Self::Choosing)
    }
}

impl Draft<'_> {
    /// A value of a type that an arc writes.
    pub fn source(&mut self, rng: &mut Rng, of: Ty) -> Source {
        self.value(rng, of, For::Writing, 2)
    }

    /// Two values that are compared, of which one may be a literal.
    pub fn compared(&mut self, rng: &mut Rng, of: Ty) -> Option<(Source, Source)> {
        let what_for = self.comparing();
        let left = self.value(rng, of, what_for, 1);
        let mut right = self.value(rng, of, what_for, 1);
        if is_literal(&left) && is_literal(&right) {
            right = self.field(of)?;
        }
        Some((left, right))
    }

    /// What a value is for that a condition of this event compares.
    pub fn comparing(&self) -> For {
        if self.immediate {
            For::Watching
        } else {
            For::Comparing
        }
    }

    /// What a value is for that a choice of this event depends on.
    pub fn choosing(&self) -> For {
        if self.immediate {
            For::Choosing
        } else {
            For::Comparing
        }
    }

    /// A value of a type. It is calculated from others at most `depth` times over.
    pub fn value(&mut self, rng: &mut Rng, of: Ty, what_for: For, depth: usize) -> Source {
        if depth > 0
            && rng.chance(15)
            && let Some(calculated) = self.calculated(rng, of, what_for, depth - 1)
        {
            return calculated;
        }
        let from = self.columns_of_names(rng, of, what_for);
        let often = if what_for.is_watched() { 6 } else { 2 };
        match rng.below(10) {
            at if at <= often && !from.is_empty() => {
                let (name, column) = from[rng.below(from.len())];
                Source::Entity { name, column }
            }
            _ if what_for.is_watched() => literal(rng, of),
            0..=4 if of == Ty::T => Source::Time,
            3..=4 => match self.known_field(of) {
                Some(field) => field,
                None => literal(rng, of),
            },
            5..=8 if !self.closed => self.new_field(of),
            _ if of == Ty::T => Source::Time,
            _ => literal(rng, of),
        }
    }

    /// A sum or a difference, of which one operand may be a literal if both are of one type.
    fn calculated(&mut self, rng: &mut Rng, of: Ty, what_for: For, depth: usize) -> Option<Source> {
        use Arithmetic::{Add, Subtract};
        let operator = if rng.chance(60) { Add } else { Subtract };
        let (operator, a, b) = match (of, operator) {
            (Ty::D, Subtract) if rng.chance(70) => (Subtract, Ty::T, Ty::T),
            (Ty::U | Ty::D, operator) => (operator, of, of),
            (Ty::T, operator) => (operator, Ty::T, Ty::D),
            _ => return None,
        };
        let left = self.value(rng, a, what_for, depth);
        // A literal beside a value of another type would be of that type.
        if is_literal(&left) && a != b {
            return None;
        }
        let mut right = self.value(rng, b, what_for, depth);
        if is_literal(&right) && (is_literal(&left) || a != b) {
            let there = self.known_field(b);
            right = match there {
                Some(field) => field,
                None if self.closed => return None,
                None => self.new_field(b),
            };
        }
        Some(Source::Calculated {
            operator,
            left: Box::new(left),
            right: Box::new(right),
            function: FunctionIx::default(),
        })
    }

    /// Fields, and data of states, of names that are bound to one entity.
    fn columns_of_names(&self, rng: &mut Rng, of: Ty, what_for: For) -> Vec<(NameIx, ColumnIx)> {
        // Data of a state that the entity may not be in.
        let any_state = rng.chance(if what_for == For::Writing { 8 } else { 60 });
        let mut from = Vec::new();
        let mut roots = self.roots();
        match what_for {
            For::Watching => roots.truncate(1),
            For::Choosing => roots.retain(|root| self.name_of(*root).by != BindBy::Created),
            For::Writing | For::Comparing => {}
        }
        for root in roots {
            let def = self.name_of(root);
            if def.count != Cardinality::One {
                continue;
            }
            let mut fields = columns(self.schema, def.entity, None);
            let states = self.schema.entities[usize::from(def.entity)].states.len();
            for state in StateIx::all(states) {
                if any_state || def.by == BindBy::Token(state) {
                    fields.extend(columns(self.schema, def.entity, Some(state)));
                }
            }
            fields.retain(|c| column_ty(self.schema, *c) == of);
            from.extend(fields.into_iter().map(|c| (root, c)));
        }
        from
    }

    /// A field of the event that has a value of a type; an immediate event has none.
    fn field(&mut self, of: Ty) -> Option<Source> {
        let known = self.known_field(of);
        known.or_else(|| (!self.closed).then(|| self.new_field(of)))
    }

    fn known_field(&self, of: Ty) -> Option<Source> {
        let is = |f: &EventFieldDef| f.name.starts_with('v') && f.ty == of.name();
        let at = self.fields.iter().position(is)?;
        Some(Source::Field(FieldIx::new(at as u16)))
    }

    fn new_field(&mut self, of: Ty) -> Source {
        self.fields.push(EventFieldDef {
            name: format!("v{}", self.fields.len()),
            ty: of.name().into(),
            ..EventFieldDef::default()
        });
        Source::Field(FieldIx::new(self.fields.len() as u16 - 1))
    }
}

/// A literal, which gets its index when the event is complete. Small ones are frequent.
pub fn literal(rng: &mut Rng, of: Ty) -> Source {
    let all = of.pool().len();
    let below = if rng.chance(50) { all.min(4) } else { all };
    let text = rng.below(below);
    Source::Literal {
        index: FieldIx::default(),
        text: text.to_string(),
    }
}

fn is_literal(source: &Source) -> bool {
    matches!(source, Source::Literal { .. })
}
