//! Iteration over a range of a persistent ordered map, from both ends.

use std::ops::Bound;
use std::slice::Iter;
use std::sync::Arc;

use super::{Node, last};
use crate::graph::storage::touched;

/// The entries of a [`Tree`](super::Tree) between two bounds, in order.
pub struct Range<'t, K, V> {
    /// `None` once an end has reached the other.
    root: Option<&'t Node<K, V>>,
    from: Limit<'t, K>,
    to: Limit<'t, K>,
    /// Where the next entry is, once one was taken.
    front: Option<Path<'t, K, V>>,
    /// Where the last entry is, once one was taken.
    back: Option<Path<'t, K, V>>,
}

/// Where a range ends on one side.
enum Limit<'t, K> {
    Bound(Bound<K>),
    /// Beside the entry that was taken last from that side.
    Taken(&'t K),
}

/// Children of a branch.
type Children<'t, K, V> = Iter<'t, (K, Arc<Node<K, V>>)>;

/// The entries of a leaf and the children of the branches above it that are still to be visited from one side.
struct Path<'t, K, V> {
    above: Vec<Children<'t, K, V>>,
    leaf: Iter<'t, (K, V)>,
}

impl<K: Ord> Limit<'_, K> {
    /// Whether a key is before a range that begins here.
    fn is_after(&self, key: &K) -> bool {
        match self {
            Self::Bound(Bound::Unbounded) => false,
            Self::Bound(Bound::Included(from)) => key < from,
            Self::Bound(Bound::Excluded(from)) => key <= from,
            Self::Taken(from) => key <= *from,
        }
    }

    /// Whether a key is after a range that ends here.
    fn is_before(&self, key: &K) -> bool {
        match self {
            Self::Bound(Bound::Unbounded) => false,
            Self::Bound(Bound::Included(to)) => key > to,
            Self::Bound(Bound::Excluded(to)) => key >= to,
            Self::Taken(to) => key >= *to,
        }
    }
}

impl<'t, K: Ord, V> Path<'t, K, V> {
    fn new() -> Self {
        Self {
            above: Vec::new(),
            leaf: [].iter(),
        }
    }

    /// Descends to the first entry at or below a node that is not before a limit.
    fn descend(&mut self, mut node: &'t Node<K, V>, from: &Limit<'_, K>) {
        loop {
            match node {
                Node::Leaf(entries) => {
                    let start = entries.partition_point(|(k, _)| from.is_after(k));
                    self.leaf = entries[start..].iter();
                    return;
                }
                Node::Branch(children) => {
                    let start = last(children, |k| from.is_after(k));
                    let mut rest = children[start..].iter();
                    let Some((_, below)) = rest.next() else {
                        return;
                    };
                    self.above.push(rest);
                    node = below;
                }
            }
        }
    }

    /// Descends to the last entry at or below a node that is not after a limit.
    fn descend_back(&mut self, mut node: &'t Node<K, V>, to: &Limit<'_, K>) {
        loop {
            match node {
                Node::Leaf(entries) => {
                    let end = entries.partition_point(|(k, _)| !to.is_before(k));
                    self.leaf = entries[..end].iter();
                    return;
                }
                Node::Branch(children) => {
                    let end = last(children, |k| !to.is_before(k));
                    let mut rest = children[..=end].iter();
                    let Some((_, below)) = rest.next_back() else {
                        return;
                    };
                    self.above.push(rest);
                    node = below;
                }
            }
        }
    }

    fn next(&mut self, from: &Limit<'_, K>) -> Option<&'t (K, V)> {
        loop {
            if let Some(entry) = self.leaf.next() {
                return Some(entry);
            }
            match self.above.last_mut()?.next() {
                Some((_, below)) => self.descend(below, from),
                None => drop(self.above.pop()),
            }
        }
    }

    fn next_back(&mut self, to: &Limit<'_, K>) -> Option<&'t (K, V)> {
        loop {
            if let Some(entry) = self.leaf.next_back() {
                return Some(entry);
            }
            match self.above.last_mut()?.next_back() {
                Some((_, below)) => self.descend_back(below, to),
                None => drop(self.above.pop()),
            }
        }
    }
}

impl<'t, K: Ord, V> Range<'t, K, V> {
    pub(super) fn new(root: Option<&'t Node<K, V>>, from: Bound<K>, to: Bound<K>) -> Self {
        Self {
            root,
            from: Limit::Bound(from),
            to: Limit::Bound(to),
            front: None,
            back: None,
        }
    }
}

impl<'t, K: Ord, V> Iterator for Range<'t, K, V> {
    type Item = (&'t K, &'t V);

    fn next(&mut self) -> Option<Self::Item> {
        let root = self.root?;
        let front = self.front.get_or_insert_with(|| {
            let mut path = Path::new();
            path.descend(root, &self.from);
            path
        });
        match front.next(&self.from) {
            Some((key, value)) if !self.to.is_before(key) => {
                touched(1);
                self.from = Limit::Taken(key);
                Some((key, value))
            }
            _ => {
                self.root = None;
                None
            }
        }
    }
}

impl<K: Ord, V> DoubleEndedIterator for Range<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let root = self.root?;
        let back = self.back.get_or_insert_with(|| {
            let mut path = Path::new();
            path.descend_back(root, &self.to);
            path
        });
        match back.next_back(&self.to) {
            Some((key, value)) if !self.from.is_after(key) => {
                touched(1);
                self.to = Limit::Taken(key);
                Some((key, value))
            }
            _ => {
                self.root = None;
                None
            }
        }
    }
}
