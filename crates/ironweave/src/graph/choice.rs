//! Choosing: the first of some candidates, for `choose(..)`.
//!
//! The order of candidates is that of the values of `by`, and then that of slots, so that it depends on neither the order of
//! lists nor on how the candidates are found. The plan says how (`choice/plan.rs`), and whether an index is used
//! (`choice/search.rs`).

pub(crate) mod plan;
pub(crate) mod search;
pub(crate) mod waiting;

use std::any::Any;
use std::cmp::Ordering;
use std::collections::HashSet;

use crate::graph::Graph;
use crate::graph::choice::plan::{Candidates, ChoosePlan, TakePlan};
use crate::graph::choice::search::Search;
use crate::graph::slots::Cursor;
use crate::graph::storage::Storage;
use crate::schema::{ChooseWhere, Hop, NameIx, SortBy, StateIx};
use crate::value::calculate::{NoValue, Operand, Operands, value};

/// Why nothing is chosen.
pub(crate) enum NoChoice {
    /// So many candidates fit, and so many are needed.
    TooFew { found: usize, wanted: usize },
    /// A calculation overflows.
    Overflow,
}

/// What a choice depends on: the values that it compares, and the entities that names are bound to.
pub(crate) trait ChoiceContext: Operands {
    /// Appends the slots of the entities that a name is bound to.
    fn append_bound(&self, name: NameIx, out: &mut Vec<u32>);
}

/// A condition on candidates with its right operand.
struct Condition<'c> {
    of: &'c ChooseWhere,
    with: Operand<'c>,
}

impl<S: Storage> Graph<S> {
    /// Replaces the slots from `start` on by those that edges lead to from them, each once, in the order in which they are
    /// first reached.
    pub(crate) fn follow(&self, hops: &[Hop], out: &mut Vec<u32>, start: usize) {
        if let ([hop], [root]) = (hops, &out[start..]) {
            let root = *root;
            out.truncate(start);
            return self.links(*hop, root).append_to(out);
        }
        for hop in hops {
            let mut seen = HashSet::new();
            let roots = out.split_off(start);
            let next = roots.iter().flat_map(|slot| self.links(*hop, *slot));
            out.extend(next.filter(|slot| seen.insert(**slot)));
        }
    }

    /// Appends the slots that a `choose` chooses, in the order in which they are chosen.
    pub(crate) fn choose(
        &self,
        plan: &ChoosePlan,
        by: &impl ChoiceContext,
        out: &mut Vec<u32>,
    ) -> Result<(), NoChoice> {
        let (wanted, least) = match &plan.take {
            TakePlan::One => (1, 1),
            TakePlan::Many {
                number,
                function,
                exactly,
            } => {
                let value = match value(by, number) {
                    Ok(value) => value,
                    Err(NoValue::Overflow) => return Err(NoChoice::Overflow),
                    // An entity without the value wants no candidate.
                    Err(NoValue::Absent(..)) => {
                        return Err(NoChoice::TooFew {
                            found: 0,
                            wanted: 1,
                        });
                    }
                };
                let function = by.function(*function);
                let number = function.number(value.get());
                let wanted = usize::try_from(number.max(0)).unwrap_or(usize::MAX);
                (wanted, if *exactly { wanted } else { 0 })
            }
        };
        let start = out.len();
        let mut conditions = Vec::with_capacity(plan.conditions.len());
        for of in &plan.conditions {
            match value(by, &of.with) {
                Ok(with) => conditions.push(Condition { of, with }),
                Err(NoValue::Overflow) => return Err(NoChoice::Overflow),
                // Nothing compares with a value that does not exist.
                Err(NoValue::Absent(..)) => return enough(out, start, least),
            }
        }
        if wanted > 0 {
            self.search(plan, by, &conditions, (out, start), wanted);
        }
        enough(out, start, least)
    }

    fn search(
        &self,
        plan: &ChoosePlan,
        by: &impl ChoiceContext,
        conditions: &[Condition<'_>],
        (out, start): (&mut Vec<u32>, usize),
        wanted: usize,
    ) {
        let fits = |slot: &u32| self.fits(plan, by, conditions, *slot);
        let values: Vec<&dyn Any> = conditions.iter().map(|c| c.with.get()).collect();
        match &plan.from {
            Candidates::Place(states) => {
                let found = (plan.searches.iter()).find_map(|search| {
                    Some((search, self.find(search, None, &plan.limits, &values)?))
                });
                match found {
                    Some((search, found)) => {
                        let found = found.filter(fits);
                        self.take(plan, search, by, found, (out, start), wanted);
                    }
                    None => self.search_place(plan, by, states, &fits, (out, start), wanted),
                }
            }
            Candidates::Path(path) => {
                by.append_bound(path.root, out);
                let (last, first) = match path.hops.split_last() {
                    Some((last, first)) => (std::slice::from_ref(last), first),
                    None => (&[][..], &[][..]),
                };
                self.follow(first, out, start);
                if !plan.searches.is_empty()
                    && self.search_linked(plan, by, &values, &fits, (out, start), wanted)
                {
                    return;
                }
                self.follow(last, out, start);
                let mut kept = start;
                for at in start..out.len() {
                    let slot = out[at];
                    if fits(&slot) {
                        out[kept] = slot;
                        kept += 1;
                    }
                }
                out.truncate(kept);
                self.keep_first(&plan.order, by, (out, start), wanted);
            }
        }
    }

    /// Replaces the slots from `start` on by the first candidates that are linked with them, if an index finds these. Returns whether
    /// one does.
    fn search_linked(
        &self,
        plan: &ChoosePlan,
        by: &impl ChoiceContext,
        values: &[&dyn Any],
        fits: &dyn Fn(&u32) -> bool,
        (out, start): (&mut Vec<u32>, usize),
        wanted: usize,
    ) -> bool {
        let mut nears = out.split_off(start);
        for search in &plan.searches {
            let mut is_found = true;
            for near in &nears {
                let Some(found) = self.find(search, Some(near), &plan.limits, values) else {
                    is_found = false;
                    break;
                };
                let begin = out.len();
                self.take(plan, search, by, found.filter(fits), (out, begin), wanted);
            }
            if is_found {
                if nears.len() > 1 {
                    self.keep_first(&plan.order, by, (out, start), wanted);
                }
                return true;
            }
            out.truncate(start);
        }
        out.append(&mut nears);
        false
    }

    /// Appends the first of the candidates that an index has found.
    fn take(
        &self,
        plan: &ChoosePlan,
        search: &Search,
        by: &impl ChoiceContext,
        found: impl Iterator<Item = u32>,
        (out, start): (&mut Vec<u32>, usize),
        wanted: usize,
    ) {
        if search.sorted {
            return out.extend(found.take(wanted));
        }
        // Where the slots begin that are equal to the last one in the order of the index.
        let mut group = start;
        for slot in found {
            let is_next = |last: &u32| self.compare_by(&search.groups, by, *last, slot).is_ne();
            if out[group..].last().is_some_and(is_next) {
                self.keep_first(&plan.order, by, (out, group), wanted - (group - start));
                if out.len() - start >= wanted {
                    return;
                }
                group = out.len();
            }
            out.push(slot);
        }
        self.keep_first(&plan.order, by, (out, group), wanted - (group - start));
    }

    /// Appends the first candidates among all entities in some states.
    fn search_place(
        &self,
        plan: &ChoosePlan,
        by: &impl ChoiceContext,
        states: &[StateIx],
        fits: &dyn Fn(&u32) -> bool,
        (out, start): (&mut Vec<u32>, usize),
        wanted: usize,
    ) {
        let Some(first) = states.first() else { return };
        let of = |state: StateIx| self.in_state(plan.entity, state);
        let mut cursor = Cursor::new(of(*first).groups());
        let mut sets: Vec<_> = states.iter().map(|state| of(*state)).collect();
        let next = || {
            cursor.next(
                &mut sets,
                |sets, i| sets.iter().fold(0, |word, set| word | set.group(i)),
                |sets, i| sets.iter().fold(0, |word, set| word | set.word(i)),
            )
        };
        let found = std::iter::from_fn(next).filter(fits);
        if plan.order.is_empty() {
            out.extend(found.take(wanted));
        } else {
            out.extend(found);
            self.keep_first(&plan.order, by, (out, start), wanted);
        }
    }

    /// Keeps the first of some candidates, which are in any order, and puts these in order.
    fn keep_first(
        &self,
        order: &[SortBy],
        by: &impl ChoiceContext,
        (out, start): (&mut Vec<u32>, usize),
        wanted: usize,
    ) {
        let before = |a: &u32, b: &u32| self.compare_by(order, by, *a, *b).then(a.cmp(b));
        let found = &mut out[start..];
        if wanted == 1 {
            if let Some(first) = found.iter().copied().min_by(before) {
                found[0] = first;
            }
        } else {
            found.sort_unstable_by(before);
        }
        out.truncate(start.saturating_add(wanted));
    }

    /// Compares the values by which two candidates are ordered. One without a value comes after one with a value.
    fn compare_by(&self, order: &[SortBy], by: &impl Operands, a: u32, b: u32) -> Ordering {
        let orderings = order.iter().map(|order| {
            let column = self.column(order.column);
            match (column.value(a), column.value(b)) {
                (Some(a), Some(b)) => {
                    let ordering = by.function(order.function).compare(a, b);
                    if order.descending {
                        ordering.reverse()
                    } else {
                        ordering
                    }
                }
                (a, b) => b.is_some().cmp(&a.is_some()),
            }
        });
        (orderings.into_iter())
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    /// Whether a candidate is in one of the states and meets the conditions.
    fn fits(
        &self,
        plan: &ChoosePlan,
        by: &impl Operands,
        conditions: &[Condition<'_>],
        slot: u32,
    ) -> bool {
        plan.states.contains(self.state_of(plan.entity, slot))
            && conditions.iter().all(|condition| {
                let value = self.column(condition.of.column).value(slot);
                let function = by.function(condition.of.function);
                value.is_some_and(|value| {
                    function.holds(condition.of.comparison, value, condition.with.get())
                })
            })
    }
}

/// An error if fewer slots than needed were chosen. Then none is kept.
fn enough(out: &mut Vec<u32>, start: usize, wanted: usize) -> Result<(), NoChoice> {
    let found = out.len() - start;
    if found >= wanted {
        return Ok(());
    }
    out.truncate(start);
    Err(NoChoice::TooFew { found, wanted })
}
