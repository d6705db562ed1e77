//! The entities that the arcs of a firing event act on.

use crate::base::id::Id;
use crate::graph::Graph;
use crate::graph::storage::Storage;
use crate::schema::{FunctionIx, NameIx, Path};
use crate::step::bindings::Bindings;
use crate::step::plan::Reach;
use crate::value::calculate::CalculatedValue;

/// The entities that the paths of a firing event lead to. The paths are walked before any arc acts.
#[derive(Default)]
pub(in crate::step) struct Targets {
    pub(super) slots: Vec<u32>,
    /// By [`EventPlan::walks`](crate::step::plan::EventPlan::walks), where the entities begin and end in `slots`.
    pub(super) spans: Vec<(u32, u32)>,
    /// The values of [`EventPlan::copied`](crate::step::plan::EventPlan::copied), in CBOR.
    pub(super) copied: Vec<Vec<u8>>,
    /// The values that arcs calculate before any of them acts.
    pub(super) calculated: Vec<(FunctionIx, CalculatedValue)>,
}

impl Targets {
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.spans.clear();
        self.copied.clear();
        self.calculated.clear();
    }
}

/// Entities that an arc acts on.
#[derive(Clone, Copy)]
pub(super) enum Slots<'t> {
    Ids(&'t [Id]),
    Walked(&'t [u32]),
}

impl<'t> Slots<'t> {
    #[inline]
    pub(super) fn of(reach: Reach, bindings: &'t Bindings, targets: &'t Targets) -> Self {
        match reach {
            Reach::At(at) => Self::Ids(std::slice::from_ref(bindings.at(at))),
            Reach::Named(name) => Self::Ids(bindings.ids(NameIx::new(name))),
            Reach::Walked(walk) => {
                let (start, end) = targets.spans[usize::from(walk)];
                Self::Walked(&targets.slots[start as usize..end as usize])
            }
        }
    }
}

impl Slots<'_> {
    pub(super) fn get(&self, i: usize) -> Option<u32> {
        match self {
            Self::Ids(ids) => ids.get(i).map(|id| id.slot),
            Self::Walked(slots) => slots.get(i).copied(),
        }
    }
}

impl Iterator for Slots<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        match self {
            Self::Ids(ids) => {
                let (id, rest) = ids.split_first()?;
                *ids = rest;
                Some(id.slot)
            }
            Self::Walked(slots) => {
                let (slot, rest) = slots.split_first()?;
                *slots = rest;
                Some(*slot)
            }
        }
    }
}

/// Appends the slots that a path reaches, each once, in the order in which they are first reached.
pub(super) fn reach<S: Storage>(
    graph: &Graph<S>,
    bindings: &Bindings,
    path: &Path,
    out: &mut Vec<u32>,
) {
    let start = out.len();
    out.extend(bindings.ids(path.root).iter().map(|id| id.slot));
    graph.follow(&path.hops, out, start);
}
