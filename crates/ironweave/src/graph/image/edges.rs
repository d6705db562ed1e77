//! Reading the edges of an image. Building their lists takes most of the time for a large graph, and more than reading their numbers. So a second
//! thread builds the lists of some edges while this one reads on.

use std::panic::resume_unwind;
use std::sync::mpsc::{TrySendError, sync_channel};
use std::thread::{self, ScopedJoinHandle};

use crate::base::hash::link_data_term;
use crate::base::id::{FREE, Id};
use crate::base::image::{ImageError, ImageSource};
use crate::graph::edge::{Edge, ReadLinks};
use crate::graph::layout::{EdgeLayout, Layout};
use crate::graph::storage::{Storage, Table};
use crate::graph::{Entities, Graph};
use crate::schema::EdgeIx;

/// A thread is started if the rest of the image has at least so many bytes.
const SPLIT_BYTES: u64 = 64 << 10;

/// What has to be known of the tables before to read an edge.
struct Ends<'a, S: Storage> {
    layout: &'a EdgeLayout,
    /// The entities of the declaring end and the other one.
    entities: [&'a Entities<S>; 2],
}

impl<'a, S: Storage> Ends<'a, S> {
    fn of(edge: EdgeIx, layout: &'a Layout, entities: &'a [S::Part<Entities<S>>]) -> Self {
        let layout = &layout.edges[usize::from(edge)];
        let ends = [layout.from.entity, layout.to.entity];
        Self {
            layout,
            entities: ends.map(|entity| &*entities[usize::from(entity)]),
        }
    }

    fn slots(&self) -> [u32; 2] {
        self.entities.map(|end| end.words.len() as u32)
    }

    /// The id of the entity at a slot of the declaring end or the other one.
    fn id(&self, declaring: bool, slot: u32) -> Option<Id> {
        let words = &self.entities[usize::from(!declaring)].words;
        let word = ((slot as usize) < words.len()).then(|| *words.at(slot as usize));
        word.filter(|word| *word as u8 != FREE).map(|word| Id {
            slot,
            generation: word >> 8,
        })
    }

    /// Puts links into an edge without data, and returns their terms in the fingerprint.
    fn build(&self, edge: &mut Edge<S>, read: ReadLinks) -> Result<u128, ImageError> {
        let id = |declaring, slot| self.id(declaring, slot);
        let sum = edge.put_links(self.slots(), id, self.layout.salt, read);
        edge.forget_order(self.slots()[0] as usize);
        sum.map_err(|e| e.of(&self.layout.from.path))
    }

    /// The same for an edge with data, which follow its links.
    fn build_with_data(
        &self,
        edge: &mut Edge<S>,
        read: ReadLinks,
        from: &mut dyn ImageSource,
    ) -> Result<u128, ImageError> {
        let mut sum = self.build(edge, read)?;
        let mut links = Vec::new();
        for near in 0..self.slots()[0] {
            links.extend(edge.held(true, near).iter().map(|far| (near, *far)));
        }
        if let Some(data) = &mut edge.data {
            let mut read = links.iter();
            let of_links = data.read_cells(&links, from, &mut |_, hash| {
                if let Some(&(near, far)) = read.next()
                    && let Some((a, b)) = self.id(true, near).zip(self.id(false, far))
                {
                    sum = sum.wrapping_add(link_data_term(self.layout.salt, a, b, hash));
                }
            });
            of_links.map_err(|e| e.of(&self.layout.from.path))?;
        }
        Ok(sum)
    }
}

/// The result of an edge: its place in the order of the image, and its terms in the fingerprint.
type Done = (usize, Result<u128, ImageError>);

impl<S: Storage> Graph<S> {
    /// Reads the edges in the order of the image, and adds their terms to the fingerprint.
    pub(super) fn read_edges(
        &mut self,
        order: &[EdgeIx],
        from: &mut dyn ImageSource,
        fingerprint: &mut u128,
    ) -> Result<(), ImageError> {
        let (layout, entities) = (&*self.layout, &self.entities[..]);
        let mut edges: Vec<_> = self
            .edges
            .iter_mut()
            .map(|edge| Some(&mut **edge))
            .collect();
        let mut done = thread::scope(|scope| {
            let (tasks, others) = sync_channel::<(usize, Ends<'_, S>, &mut Edge<S>, ReadLinks)>(1);
            let build = move || -> Vec<Done> {
                let all = others.into_iter();
                all.map(|(at, ends, edge, read)| (at, ends.build(edge, read)))
                    .collect()
            };
            let is_split = from.left() >= SPLIT_BYTES;
            let spawn = || thread::Builder::new().spawn_scoped(scope, build).ok();
            // Without the thread, the channel is closed.
            let other = is_split.then(spawn).flatten();
            let mut done: Vec<Done> = Vec::new();
            for (at, &ix) in order.iter().enumerate() {
                // The order has each edge once.
                let Some(edge) = edges[usize::from(ix)].take() else {
                    continue;
                };
                let ends = Ends::of(ix, layout, entities);
                let read = edge.read_links(ends.slots(), from);
                let read = match read.map_err(|e| e.of(&ends.layout.from.path)) {
                    Ok(read) => read,
                    Err(e) => {
                        done.push((at, Err(e)));
                        break;
                    }
                };
                let built = if edge.data.is_some() {
                    ends.build_with_data(edge, read, from)
                } else {
                    match tasks.try_send((at, ends, edge, read)) {
                        Ok(()) => continue,
                        Err(TrySendError::Full(task) | TrySendError::Disconnected(task)) => {
                            task.1.build(task.2, task.3)
                        }
                    }
                };
                let failed = built.is_err();
                done.push((at, built));
                if failed {
                    break;
                }
            }
            drop(tasks);
            match other.map(ScopedJoinHandle::join) {
                Some(Ok(others)) => done.extend(others),
                Some(Err(panic)) => resume_unwind(panic),
                None => {}
            }
            done
        });
        // The first error is that of reading one after the other.
        done.sort_by_key(|(at, _)| *at);
        for (_, terms) in done {
            *fingerprint = fingerprint.wrapping_add(terms?);
        }
        Ok(())
    }
}
