//! Counts and choices of the naive program. It has no values, so numbers are literals and the smallest slots are chosen.

use ironweave_schema::{Arc, BindBy, ChooseFrom, Comparison, EventDef, Source, Take};

use super::{Graph, Program, Slots};

impl Program<'_> {
    /// Whether a count holds. Other arcs hold.
    pub(super) fn counts(
        &self,
        event: &EventDef,
        graph: &Graph,
        binding: &[Slots],
        arc: &Arc,
    ) -> bool {
        let Arc::Count {
            path,
            states,
            comparison,
            with,
            ..
        } = arc
        else {
            return true;
        };
        let entity = self.entity(event, path);
        let is =
            |slot: &u8| states.is_empty() || states.contains(&graph.state(entity, *slot).unwrap());
        let reached = graph.reach(path, binding);
        let count = reached.iter().filter(|slot| is(slot)).count() as i64;
        let with = number(with);
        match comparison {
            Comparison::Equal => count == with,
            Comparison::NotEqual => count != with,
            Comparison::Less => count < with,
            Comparison::LessOrEqual => count <= with,
            Comparison::Greater => count > with,
            Comparison::GreaterOrEqual => count >= with,
        }
    }

    /// Adds what the names of an event choose to its binding, which lacks only these. `None` if there are too few candidates.
    pub(super) fn choose(
        &self,
        event: &EventDef,
        graph: &Graph,
        mut binding: Vec<Slots>,
    ) -> Option<Vec<Slots>> {
        for arc in &event.arcs {
            let Arc::Choose {
                name,
                from,
                states,
                take,
                ..
            } = arc
            else {
                continue;
            };
            let entity = event[*name].entity;
            let mut candidates = match from {
                ChooseFrom::Place => graph.alive(entity),
                ChooseFrom::Path(path) => graph.reach(path, &binding),
            };
            candidates.sort_unstable();
            candidates.retain(|slot| states.contains(&graph.state(entity, *slot).unwrap()));
            let (min, max) = match take {
                Take::One => (1, 1),
                Take::Exactly { number: n, .. } => (number(n), number(n)),
                Take::UpTo { number: n, .. } => (0, number(n)),
            };
            if (candidates.len() as i64) < min {
                return None;
            }
            candidates.truncate(max as usize);
            binding.push(candidates);
        }
        Some(binding)
    }

    /// The binding of an immediate event on an entity before it creates others, or `None` if it is not enabled.
    pub(super) fn bound(&self, event: &EventDef, graph: &Graph, slot: u8) -> Option<Vec<Slots>> {
        let is_created = event.names.iter().filter(|n| n.by == BindBy::Created);
        let mut binding = vec![vec![slot]];
        binding.extend(is_created.map(|_| Vec::new()));
        let binding = self.choose(event, graph, binding)?;
        let mut arcs = event.arcs.iter();
        let holds = arcs.all(|arc| {
            self.holds(event, graph, &binding, arc) && self.counts(event, graph, &binding, arc)
        });
        holds.then_some(binding)
    }
}

fn number(source: &Source) -> i64 {
    match source {
        Source::Literal { text, .. } => text.parse().unwrap(),
        source => panic!("{source:?} is not a literal"),
    }
}
