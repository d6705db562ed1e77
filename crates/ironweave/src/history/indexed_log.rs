//! The log of a store, with the indexes that find the frames about an entity.
//!
//! 1. Each sealed segment has an index in a file beside it. A thread of the store that has sealed it makes it
//!    ([`entity_index`](crate::store::entity_index)), and a query of a history makes those that are missing or damaged.
//! 2. If the file cannot be written, as in a store that is open for reading, the index is held in memory.
//! 3. The index of the segment that is not sealed, and of a log in memory, is in memory. Each query adds the frames that
//!    were written since the last one.
//! 4. A history goes through the segments from the first to the last ([`super::walk`]). Each costs O(log of its frames),
//!    and a read of each frame about the entity, unless its transaction was read recently ([`super::recent`]).

use std::sync::Arc;

use crate::base::hash::FastMap;
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::graph::Graph;
use crate::graph::paged::Paged;
use crate::history::recent::Recent;
use crate::log::{Frame, ReadLog, ReadPoint, Sealed, Segment, SegmentIndex, Segments};
use crate::schema::EntityIx;
use crate::step::plan::Plan;
use crate::store::checkpoint::read::Loader;
use crate::store::entity_index::{
    FrameIndexer, GrowingIndex, Schemas, SortedIndex, TypeNameEpochs, TypeNames, index_segment,
    learn_names,
};
use crate::store::record::DecodedTransaction;
use crate::store::view::LogView;
use crate::store::{Epochs, bad_frame, lost_frame};

/// The indexes that a store holds in memory, with the state of indexing.
#[derive(Default)]
pub(super) struct HistoryIndex {
    /// By index in facts.
    names: TypeNameEpochs,
    /// By index in the schema of the store, which is that of facts unless the model is read from the log.
    asked: TypeNameEpochs,
    /// The number of schemas of the log that are in `names`.
    schemas: usize,
    last: LastSegmentIndex,
    /// The indexes of sealed segments that could not be written to files, by first frame.
    held: FastMap<Seq, SortedIndex>,
    /// The index file that was read last.
    open: Option<SegmentIndex>,
    /// The transactions that were read last.
    recent: Recent<DecodedTransaction>,
    /// The oldest checkpoint of a log whose first frames were dropped, once it was needed, or `None` if it cannot be read.
    oldest: Option<Option<Arc<OldestGraph>>>,
}

/// The graph of the oldest checkpoint, and the frame that it follows.
pub(super) type OldestGraph = (Graph<Paged>, Seq);

impl HistoryIndex {
    /// Returns the first frame that is in no index.
    pub(super) fn next(&self) -> Seq {
        self.last.mark.seq
    }
}

/// The index of the segment that is not sealed, or of a whole log in memory.
struct LastSegmentIndex {
    /// The end of the frames that are indexed.
    mark: ReadPoint,
    frames: FrameIndexer,
    index: GrowingIndex,
}

impl LastSegmentIndex {
    fn of(first: Seq) -> Self {
        Self {
            mark: ReadPoint::start(first),
            frames: FrameIndexer::default(),
            index: GrowingIndex::default(),
        }
    }
}

impl Default for LastSegmentIndex {
    fn default() -> Self {
        Self::of(Seq::ZERO)
    }
}

/// The data by which frames of the log are decoded.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub epochs: &'a Epochs,
    pub plan: &'a Arc<Plan>,
    /// The graph that the log begins at, or `None` if that is empty.
    pub base: Option<&'a Graph<Paged>>,
    /// The first frame that the store has not applied.
    pub next: Seq,
}

impl Context<'_> {
    /// Returns the index that an entity type of the store has in the facts of a frame.
    pub(super) fn entity(&self, seq: Seq, entity: EntityIx) -> Option<EntityIx> {
        self.epochs.entity(seq, entity)
    }

    /// Returns what the frames of an index are decoded by.
    fn schemas<'n>(&'n self, names: &'n TypeNameEpochs) -> Schemas<'n> {
        Schemas {
            epochs: self.epochs,
            plan: self.plan,
            names,
        }
    }
}

/// The log of a store, with its indexes.
pub(super) struct IndexedLog<'a> {
    log: &'a dyn ReadLog,
    segments: Option<Segments<'a>>,
    sealed: &'a [Sealed],
    view: &'a LogView<'a>,
    /// The first frame of the log.
    first: Seq,
    pub(super) context: Context<'a>,
    index: &'a mut HistoryIndex,
}

impl<'a> IndexedLog<'a> {
    /// Returns the log up to the last frame that a store has applied, with its indexes up to date.
    pub(super) fn open(
        view: &'a LogView<'a>,
        index: &'a mut HistoryIndex,
    ) -> Result<Self, StorageError> {
        let log = view.log();
        log.check()?;
        let context = Context {
            epochs: &view.epochs,
            plan: &view.plan,
            base: view.base.as_ref().map(|base| &base.graph),
            next: view.next(),
        };
        let segments = log.segments();
        let sealed = segments.map_or(&[][..], |segments| segments.sealed());
        let first = segments.map_or(Seq::ZERO, |segments| segments.kept());
        // Segments may have been dropped since the log was opened.
        let dropped = sealed.partition_point(|segment| segment.first < first);
        // The reader of a log that is open for reading may be ahead of the frames that were applied.
        let seen = sealed.partition_point(|segment| segment.next <= context.next);
        let mut indexed = Self {
            log,
            segments,
            sealed: sealed.get(dropped..seen).unwrap_or_default(),
            view,
            first,
            context,
            index,
        };
        indexed.learn_names();
        indexed.catch_up()?;
        Ok(indexed)
    }

    /// Returns the oldest graph that a checkpoint has, if the first frames of the log were dropped. The entities that were created in
    /// these frames are in it, unless they were deleted.
    pub(super) fn oldest_graph(&mut self) -> Option<Arc<OldestGraph>> {
        if self.first == Seq::ZERO {
            return None;
        }
        let load = || {
            let (loaded, _) = Loader::of_view(self.view).oldest()?;
            Some(Arc::new((loaded.graph, loaded.seq)))
        };
        self.index.oldest.get_or_insert_with(load).clone()
    }

    fn learn_names(&mut self) {
        let epochs = self.context.epochs;
        let schemas = epochs.names();
        let known = std::mem::replace(&mut self.index.schemas, schemas.len());
        if known == schemas.len() {
            return;
        }
        (schemas.skip(known)).for_each(|epoch| learn_names(&mut self.index.names, epoch));
        // If the model is read from the log, its last schema is another one now.
        self.index.asked.clear();
        (epochs.names_of_program()).for_each(|epoch| learn_names(&mut self.index.asked, epoch));
    }

    /// Indexes the frames that were written since the last call.
    fn catch_up(&mut self) -> Result<(), StorageError> {
        if self.segments.is_some() {
            let first = (self.sealed.last()).map_or(self.first, |segment| segment.next);
            let before = self.index.last.mark.first;
            if first != before {
                // A segment of which no frame was indexed is indexed when a query needs it, and the thread of the writer may have made
                // its index.
                let begun = self.index.last.mark.seq > before;
                let sealed = self.sealed.iter().find(|sealed| sealed.first == before);
                let is_missing = |sealed: &&Sealed| {
                    let index = self.segments.and_then(|segments| segments.index(sealed));
                    begun && index.is_none()
                };
                if let Some(sealed) = sealed.filter(is_missing) {
                    self.index_until(sealed.next)?;
                    let last = std::mem::take(&mut self.index.last);
                    self.store_index(sealed, last.index.into_sorted());
                }
                self.index.last = LastSegmentIndex::of(first);
            }
        }
        self.index_until(self.context.next)
    }

    /// Indexes the last segment, or the log in memory, up to a frame.
    fn index_until(&mut self, until: Seq) -> Result<(), StorageError> {
        let HistoryIndex { names, last, .. } = &mut *self.index;
        let LastSegmentIndex {
            mark,
            frames,
            index: growing,
        } = last;
        let schemas = self.context.schemas(names);
        let mut index = |place, frame, payload: &[u8]| {
            frames.index(schemas, frame, payload, |hash| growing.put(hash, place))
        };
        match self.segments {
            Some(segments) => segments.scan(mark, until, |place, header, payload| {
                index(place, (header.seq, header.kind), payload)
            }),
            None => {
                for frame in self.log.read(mark.seq)? {
                    let Frame {
                        header, payload, ..
                    } = frame?;
                    // A reader in memory may have been read further than its view.
                    if header.seq >= until {
                        break;
                    }
                    // In a log in memory, the place of a frame is its sequence.
                    index(header.seq.get(), (header.seq, header.kind), &payload)?;
                    mark.seq = header.seq + 1;
                }
                Ok(())
            }
        }
    }

    /// Returns the index of a whole segment. O(bytes of the segment).
    fn index_segment(&self, sealed: &Sealed) -> Result<SortedIndex, StorageError> {
        match self.segments {
            Some(segments) => {
                index_segment(segments, sealed, self.context.schemas(&self.index.names))
            }
            // A log in memory has no sealed segments.
            None => Ok(SortedIndex::default()),
        }
    }

    /// Rebuilds the indexes of all sealed segments, and replaces existing ones.
    pub(super) fn rebuild_indexes(&mut self) -> Result<(), StorageError> {
        self.index.open = None;
        self.index.held.clear();
        self.index.recent = Recent::default();
        for sealed in self.sealed {
            let index = self.index_segment(sealed)?;
            self.store_index(sealed, index);
        }
        Ok(())
    }

    /// Writes the index of a segment to its file, or holds it in memory if that fails.
    fn store_index(&mut self, sealed: &Sealed, index: SortedIndex) {
        // If it cannot be written, it is held in memory.
        let write = |segments: Segments<'_>| segments.write_index(sealed, index.entries());
        let written = self.segments.map(write);
        if !written.is_some_and(|written| written.is_ok_and(|written| written)) {
            self.index.held.insert(sealed.first, index);
        }
    }

    /// Returns the first places of a hash in a sealed segment, or in the last segment if that is `None`.
    fn indexed_places(
        &mut self,
        sealed: Option<Sealed>,
        hash: u64,
        most: usize,
    ) -> Result<Vec<u64>, StorageError> {
        let Some(sealed) = sealed else {
            return Ok(self.index.last.index.places(hash, most));
        };
        if let Some(held) = self.index.held.get(&sealed.first) {
            return Ok(held.places(hash, most));
        }
        let open = self.index.open.take().filter(|index| *index.of() == sealed);
        let open = open.or_else(|| self.segments?.index(&sealed));
        if let Some((index, places)) = open.and_then(|index| {
            let places = index.offsets(hash, most)?;
            Some((index, places))
        }) {
            self.index.open = Some(index);
            return Ok(places);
        }
        let index = self.index_segment(&sealed)?;
        let places = index.places(hash, most);
        self.store_index(&sealed, index);
        Ok(places)
    }

    /// Returns a reader of each segment, from the first to the last.
    pub(super) fn segment_readers(&self) -> impl Iterator<Item = SegmentReader> + use<'a> {
        let sealed: &'a [Sealed] = self.sealed;
        let last = std::iter::once(None);
        let all = sealed.iter().copied().map(Some).chain(last);
        all.map(|sealed| SegmentReader {
            sealed,
            file: None,
            buffer: Vec::new(),
        })
    }

    /// Returns the first places of a hash in a segment, at most `most` for each set of names that types have in the
    /// segment.
    pub(super) fn places(
        &mut self,
        part: &SegmentReader,
        most: usize,
        hash: impl Fn(&TypeNames) -> Option<u64>,
    ) -> Result<Vec<u64>, StorageError> {
        let from = part.sealed.map_or(self.index.last.mark.first, |s| s.first);
        let until = part.sealed.map_or(self.context.next, |s| s.next);
        // Types are rarely renamed, so there is nearly always one set of names.
        let named = &self.index.asked;
        let before = named.partition_point(|(at, _)| *at <= from);
        let begun = named.partition_point(|(at, _)| *at < until);
        let named = &named[before.saturating_sub(1)..begun];
        let mut hashes: Vec<u64> = named.iter().filter_map(|(_, names)| hash(names)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let mut places = Vec::new();
        for hash in &hashes {
            places.extend(self.indexed_places(part.sealed, *hash, most)?);
        }
        if hashes.len() > 1 {
            places.sort_unstable();
            places.dedup();
        }
        Ok(places)
    }

    /// Returns the transaction in a frame that an index names.
    pub(super) fn transaction(
        &mut self,
        part: &mut SegmentReader,
        place: u64,
    ) -> Result<Arc<DecodedTransaction>, StorageError> {
        let first = part.sealed.map_or(self.index.last.mark.first, |s| s.first);
        let key = (first, place);
        if let Some(known) = self.index.recent.get(key) {
            return Ok(known);
        }
        let of_memory;
        let (header, payload, position) = match self.segments {
            Some(segments) => {
                let file = match part.file.take() {
                    Some(file) => file,
                    None => segments.open(first)?,
                };
                let file = part.file.insert(file);
                let location = file.location(place);
                let (header, payload, position) = file.read(place, &mut part.buffer)?;
                (header, payload, (position, Some(location)))
            }
            None => {
                let seq = Seq::new(place);
                of_memory = self.log.frame(seq)?.ok_or_else(|| lost_frame(seq))?;
                (
                    of_memory.header,
                    &*of_memory.payload,
                    (of_memory.position, None),
                )
            }
        };
        if !header.kind.has_facts() {
            return Err(bad_frame(
                header.seq,
                "an index names it, and it is not a transaction",
            ));
        }
        let Context { epochs, plan, .. } = self.context;
        let decoded = DecodedTransaction::decode(&header, payload, position, epochs, plan)?;
        let decoded = Arc::new(decoded);
        // What is decoded has a copy of each id and value, and a few allocations.
        let bytes = size_of::<DecodedTransaction>() + 2 * payload.len();
        (self.index.recent).insert(key, Arc::clone(&decoded), bytes);
        Ok(decoded)
    }
}

/// A segment of the log, with its file once a frame was read from it.
pub(super) struct SegmentReader {
    /// `None` for the last segment, which is not sealed.
    sealed: Option<Sealed>,
    /// Opened at the first read of a frame.
    file: Option<Segment>,
    /// The memory of the frame that was read last.
    buffer: Vec<u8>,
}
