//! A persistent ordered map: a B-tree of reference-counted nodes.
//!
//! A node that only one tree holds is changed in place. A node that several hold is copied first. Nodes are not merged when
//! they get small; only an empty one is removed. So removing never makes a tree deeper, but nodes may be far from full.

mod range;

use std::ops::Bound;
use std::sync::Arc;

use crate::graph::storage::own;
pub use crate::graph::tree::range::Range;

/// How many entries a node has at most.
const NODE: usize = 32;

/// An ordered map. Get, insert and remove are O(log n), and copy at most one node per level; a clone is O(1).
pub struct Tree<K, V> {
    root: Option<Arc<Node<K, V>>>,
    len: usize,
}

#[derive(Clone)]
enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    /// Each child with a lower bound of its keys, which is greater than all keys of the child before it. The bound of the
    /// first child is unused.
    Branch(Vec<(K, Arc<Node<K, V>>)>),
}

impl<K, V> Default for Tree<K, V> {
    fn default() -> Self {
        Self { root: None, len: 0 }
    }
}

impl<K, V> Clone for Tree<K, V> {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
            len: self.len,
        }
    }
}

/// The index of the last child of a branch whose lower bound is `at_most` something.
fn last<K, T>(children: &[(K, T)], at_most: impl Fn(&K) -> bool) -> usize {
    children[1..].partition_point(|(k, _)| at_most(k))
}

/// The index of the child of a branch that would have a key.
fn child<K: Ord, T>(children: &[(K, T)], key: &K) -> usize {
    last(children, |k| k <= key)
}

fn find<K: Ord, T>(entries: &[(K, T)], key: &K) -> Result<usize, usize> {
    entries.binary_search_by(|(k, _)| k.cmp(key))
}

/// Splits off the upper half of what is too much for one node.
fn split<K: Clone, T>(entries: &mut Vec<(K, T)>) -> Option<(K, Vec<(K, T)>)> {
    if entries.len() <= NODE {
        return None;
    }
    let upper = entries.split_off(entries.len() / 2);
    Some((upper[0].0.clone(), upper))
}

impl<K: Ord + Clone, V: Clone> Node<K, V> {
    /// Inserts an entry. Returns the value that it replaced, and the upper half of the node if it was split.
    fn insert(&mut self, key: K, value: V) -> (Option<V>, Option<(K, Arc<Self>)>) {
        match self {
            Self::Leaf(entries) => match find(entries, &key) {
                Ok(i) => (Some(std::mem::replace(&mut entries[i].1, value)), None),
                Err(i) => {
                    entries.insert(i, (key, value));
                    let upper = split(entries).map(|(k, upper)| (k, Arc::new(Self::Leaf(upper))));
                    (None, upper)
                }
            },
            Self::Branch(children) => {
                let i = child(children, &key);
                let (old, upper) = own(&mut children[i].1).insert(key, value);
                if let Some(upper) = upper {
                    children.insert(i + 1, upper);
                }
                let upper = split(children).map(|(k, upper)| (k, Arc::new(Self::Branch(upper))));
                (old, upper)
            }
        }
    }

    fn remove(&mut self, key: &K) -> Option<V> {
        match self {
            Self::Leaf(entries) => find(entries, key).ok().map(|i| entries.remove(i).1),
            Self::Branch(children) => {
                let i = child(children, key);
                let below = own(&mut children[i].1);
                let old = below.remove(key);
                if below.is_empty() {
                    children.remove(i);
                }
                old
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(entries) => entries.is_empty(),
            Self::Branch(children) => children.is_empty(),
        }
    }
}

impl<K: Ord + Clone, V: Clone> Tree<K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Leaf(entries) => return find(entries, key).ok().map(|i| &entries[i].1),
                Node::Branch(children) => node = &*children[child(children, key)].1,
            }
        }
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let mut node = self.root.as_mut()?;
        loop {
            match own(node) {
                Node::Leaf(entries) => {
                    return find(entries, key).ok().map(|i| &mut entries[i].1);
                }
                Node::Branch(children) => {
                    let i = child(children, key);
                    node = &mut children[i].1;
                }
            }
        }
    }

    /// Sets the value of a key and returns the old one.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Some(root) = &mut self.root else {
            self.root = Some(Arc::new(Node::Leaf(vec![(key, value)])));
            self.len = 1;
            return None;
        };
        let (old, upper) = own(root).insert(key, value);
        if let Some(upper) = upper {
            // The bound of the first child is unused.
            let lower = (upper.0.clone(), Arc::clone(root));
            *root = Arc::new(Node::Branch(vec![lower, upper]));
        }
        self.len += usize::from(old.is_none());
        old
    }

    /// Removes a key and returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let root = self.root.as_mut()?;
        let old = own(root).remove(key);
        self.len -= usize::from(old.is_some());
        while let Some(root) = &mut self.root {
            let below = match &**root {
                Node::Branch(children) => match &children[..] {
                    [(_, only)] => Some(Arc::clone(only)),
                    [] => None,
                    _ => break,
                },
                Node::Leaf(entries) if entries.is_empty() => None,
                Node::Leaf(_) => break,
            };
            self.root = below;
        }
        old
    }

    /// The entries between two bounds, in order; none if the second is before the first. O(log n), and amortized O(1) for
    /// each entry that is taken.
    pub fn range(&self, (from, to): (Bound<K>, Bound<K>)) -> Range<'_, K, V> {
        Range::new(self.root.as_deref(), from, to)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn trees_and_their_clones_are_as_ordered_maps_and_theirs() {
        let mut seed = 5u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 8
        };
        let mut versions: Vec<(BTreeMap<u32, u32>, Tree<u32, u32>)> = vec![Default::default()];
        for round in 0..60 {
            let from = random() as usize % versions.len();
            let (mut map, mut tree) = versions[from].clone();
            // Rounds that mostly add and rounds that mostly remove, over few keys and over many.
            let (keys, remove) = ([50, 3_000][round % 2], [2, 7][round / 2 % 2]);
            for _ in 0..1_500 {
                let (key, value) = (random() % keys, random());
                if random() % 10 < remove {
                    assert_eq!(tree.remove(&key), map.remove(&key));
                } else {
                    assert_eq!(tree.insert(key, value), map.insert(key, value));
                }
                assert_eq!(tree.get(&key), map.get(&key));
            }
            if let (Some(a), Some(b)) = (map.get_mut(&7), tree.get_mut(&7)) {
                (*a, *b) = (1, 1);
            }
            versions.push((map, tree));
        }
        for (map, tree) in &versions {
            assert_eq!(tree.len(), map.len());
            for (a, b) in [(0, 9_999), (20, 40), (40, 20), (7, 7), (1_000, 1_700)] {
                let bounds = [
                    (Bound::Included(&a), Bound::Included(&b)),
                    (Bound::Excluded(&a), Bound::Excluded(&b)),
                    (Bound::Unbounded, Bound::Excluded(&b)),
                ];
                for (from, to) in bounds {
                    let mut found = Vec::new();
                    let mut range = tree.range((from.cloned(), to.cloned()));
                    let mut back = Vec::new();
                    // From both sides in turns, or from one of them.
                    loop {
                        let turn = random() % 4;
                        let next = if turn < a % 4 + 1 {
                            range.next()
                        } else {
                            range.next_back()
                        };
                        let Some((k, v)) = next else { break };
                        if turn < a % 4 + 1 {
                            &mut found
                        } else {
                            &mut back
                        }
                        .push((*k, *v));
                    }
                    assert_eq!((range.next(), range.next_back()), (None, None));
                    found.extend(back.into_iter().rev());
                    let within = |k: &u32| {
                        (match from {
                            Bound::Included(a) => k >= a,
                            Bound::Excluded(a) => k > a,
                            Bound::Unbounded => true,
                        }) && (match to {
                            Bound::Included(b) => k <= b,
                            Bound::Excluded(b) => k < b,
                            Bound::Unbounded => true,
                        })
                    };
                    let expected: Vec<(u32, u32)> = (map.iter())
                        .filter(|(k, _)| within(k))
                        .map(|(k, v)| (*k, *v))
                        .collect();
                    assert_eq!(found, expected);
                }
            }
        }
        assert!(versions.iter().any(|(map, _)| map.len() > 1_000));
    }
}
