//! Changes: facts with the values that they speak of, for programs and for people.

use std::fmt;
use std::sync::Arc;

use crate::db::entity::Entity;
use crate::graph::fact::{Fact, Facts};
use crate::graph::layout::Layout;

/// What changed: facts, in the order in which they apply. Prints one a line, with the names of the model.
#[derive(Clone)]
pub struct Changes {
    facts: Facts,
    layout: Arc<Layout>,
}

impl Changes {
    pub(crate) fn new(facts: Facts, layout: Arc<Layout>) -> Self {
        Self { facts, layout }
    }

    /// The facts with their bytes.
    pub(crate) fn raw(&self) -> &Facts {
        &self.facts
    }

    /// How many facts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.facts.list.len()
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.list.is_empty()
    }

    /// The facts. Their numbers are indexes of the schema.
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        &self.facts.list
    }

    /// The value of one of the facts in CBOR, if it has one.
    #[must_use]
    pub fn value(&self, fact: Fact) -> Option<&[u8]> {
        match fact {
            Fact::Set { at, len, .. } | Fact::SetLink { at, len, .. } => self
                .facts
                .bytes
                .get(at as usize..at as usize + len as usize),
            _ => None,
        }
    }

    /// One of the facts in words.
    #[must_use]
    pub fn words(&self, fact: Fact) -> String {
        self.facts.render(fact, &self.layout)
    }

    /// Whether one of the facts is about whoever is at the slot of an entity.
    #[must_use]
    pub fn touch<T: Entity>(&self, entity: T) -> bool {
        let who = (T::INDEX, entity.id().slot);
        let touched = |fact: &Fact| fact.touches(&self.layout).contains(&Some(who));
        self.facts.list.iter().any(touched)
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fact) in self.facts.list.iter().enumerate() {
            let line = if i == 0 { "" } else { "\n" };
            write!(f, "{line}{}", self.words(*fact))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.facts.list.iter().map(|fact| self.words(*fact));
        f.debug_list().entries(words).finish()
    }
}
