//! The archive: the log, with what finds the frames that are about somebody.
//!
//! 1. Each sealed segment has an index in a file beside it. It is made when history is first asked for and it is not
//!    there, or cannot be believed: not when the segment is sealed, since a store that nobody asks for its past shall
//!    do nothing for it, and a step that happens to seal one shall not wait for that.
//! 2. Where nothing may be written (a store that is open for reading), or it cannot, that index is held in memory.
//! 3. Of the segment that is not sealed, and of a log in memory, the index is in memory, and goes on where it was.
//! 4. A history goes through the segments from the first to the last ([`super::walk`]): O(log of its frames) for each,
//!    and a read for each frame that is about whom it is of.

use std::sync::Arc;

use crate::base::hash::FastMap;
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::graph::Graph;
use crate::graph::fact::Facts;
use crate::graph::paged::Paged;
use crate::history::index::{Filing, Growing, Names, Sorted};
use crate::log::{Frame, FrameKind, ReadLog, ReadPoint, Sealed, Segment, SegmentIndex, Segments};
use crate::step::plan::Plan;
use crate::store::view::LogView;
use crate::store::{Epochs, bad_frame, frame};

/// What a store keeps for its archive.
#[derive(Default)]
pub(super) struct Index {
    names: Named,
    /// How many schemas of the log are in that.
    schemas: usize,
    last: Last,
    /// Of sealed segments beside which there is none.
    held: FastMap<Seq, Sorted>,
    /// The one that was read last.
    open: Option<SegmentIndex>,
}

impl Index {
    /// The first frame that is in no index.
    pub(super) fn next(&self) -> Seq {
        self.last.mark.seq
    }
}

/// What types are called in the log, from which frame on.
type Named = Vec<(Seq, Names)>;

/// The index of the segment that is not sealed; of a log in memory, of all of it.
struct Last {
    /// How far it is.
    mark: ReadPoint,
    filing: Filing,
    filed: Growing,
}

impl Last {
    fn of(first: Seq) -> Self {
        Self {
            mark: ReadPoint::start(first),
            filing: Filing::default(),
            filed: Growing::default(),
        }
    }
}

impl Default for Last {
    fn default() -> Self {
        Self::of(Seq::ZERO)
    }
}

/// What it takes to read a frame of a log.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub epochs: &'a Epochs,
    pub plan: &'a Arc<Plan>,
    /// What the log begins at, if not at nothing.
    pub base: Option<&'a Graph<Paged>>,
    /// The first frame that the store has not seen.
    pub next: Seq,
}

impl Context<'_> {
    /// Shows the facts of a frame, if it is a transaction, and what types are called in it.
    fn facts(
        &self,
        (seq, kind): (Seq, FrameKind),
        payload: &[u8],
        named: &Named,
        room: &mut Facts,
        see: impl FnOnce(&Facts, &Names),
    ) -> Result<(), StorageError> {
        if kind != FrameKind::Transaction {
            return Ok(());
        }
        let no_schema = || bad_frame(seq, "it has no schema");
        let tags = self.epochs.at(seq).ok_or_else(no_schema)?;
        let names = named.iter().rev().find(|(from, _)| *from <= seq);
        let (_, names) = names.ok_or_else(no_schema)?;
        let decoded = frame::decode_facts(payload, tags, std::mem::take(room))
            .map_err(|e| bad_frame(seq, e))?;
        see(&decoded.facts, names);
        *room = decoded.facts;
        Ok(())
    }
}

/// The log of a store, with its index.
pub(super) struct Archive<'a> {
    log: &'a dyn ReadLog,
    segments: Option<Segments<'a>>,
    sealed: &'a [Sealed],
    pub(super) context: Context<'a>,
    index: &'a mut Index,
}

impl<'a> Archive<'a> {
    /// The archive of what a store has applied of its log.
    pub(super) fn open(view: &'a LogView<'a>, index: &'a mut Index) -> Result<Self, StorageError> {
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
        // A log that is only read may have been read further than it was understood.
        let seen = sealed.partition_point(|segment| segment.next <= context.next);
        let mut archive = Self {
            log,
            segments,
            sealed: &sealed[..seen],
            context,
            index,
        };
        archive.learn_names();
        archive.catch_up()?;
        Ok(archive)
    }

    fn learn_names(&mut self) {
        let types = self.context.plan.layout.entities.len();
        let schemas = self.context.epochs.names(types);
        let known = std::mem::replace(&mut self.index.schemas, schemas.len());
        for (from, names) in schemas.skip(known) {
            let names = Names::new(names.into_iter());
            if self.index.names.last().is_none_or(|(_, n)| *n != names) {
                self.index.names.push((from, names));
            }
        }
    }

    /// Files what was written since.
    fn catch_up(&mut self) -> Result<(), StorageError> {
        if self.segments.is_some() {
            let first = self.sealed.last().map_or(Seq::ZERO, |segment| segment.next);
            let before = self.index.last.mark.first;
            if first != before {
                // Where nothing of it was read, it can wait until it is asked for.
                let begun = self.index.last.mark.seq > before;
                let sealed = self.sealed.iter().find(|sealed| sealed.first == before);
                if let Some(sealed) = sealed.filter(|_| begun) {
                    self.go_on(sealed.next)?;
                    let last = std::mem::take(&mut self.index.last);
                    self.keep(sealed, last.filed.sealed());
                }
                self.index.last = Last::of(first);
            }
        }
        self.go_on(self.context.next)
    }

    /// Files the last segment, or the log in memory, up to a frame.
    fn go_on(&mut self, until: Seq) -> Result<(), StorageError> {
        let Index { names, last, .. } = &mut *self.index;
        let Last {
            mark,
            filing,
            filed,
        } = last;
        let (context, room) = (self.context, &mut Facts::default());
        let mut file = |place, (seq, kind), payload: &[u8]| {
            context.facts((seq, kind), payload, names, room, |facts, names| {
                let put = |hash| filed.put(hash, place);
                filing.file(facts, &context.plan.layout, names, put);
            })
        };
        match self.segments {
            Some(segments) => segments.scan(mark, until, |place, header, payload| {
                file(place, (header.seq, header.kind), payload)
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
                    // In memory, its sequence finds a frame.
                    file(header.seq.get(), (header.seq, header.kind), &payload)?;
                    mark.seq = header.seq + 1;
                }
                Ok(())
            }
        }
    }

    /// Files a whole segment.
    fn file(&self, sealed: &Sealed) -> Result<Sorted, StorageError> {
        let (mut filing, mut entries) = (Filing::default(), Vec::new());
        let (context, mut room) = (self.context, Facts::default());
        if let Some(segments) = self.segments {
            let mut mark = ReadPoint::start(sealed.first);
            segments.scan(&mut mark, sealed.next, |place, header, payload| {
                let frame = (header.seq, header.kind);
                context.facts(
                    frame,
                    payload,
                    &self.index.names,
                    &mut room,
                    |facts, names| {
                        let put = |hash| entries.push((hash, place));
                        filing.file(facts, &context.plan.layout, names, put);
                    },
                )
            })?;
        }
        Ok(Sorted::new(entries))
    }

    /// Makes the indexes of all sealed segments from these, whatever is beside them.
    pub(super) fn make_indexes_anew(&mut self) -> Result<(), StorageError> {
        self.index.open = None;
        self.index.held.clear();
        for sealed in self.sealed {
            let index = self.file(sealed)?;
            self.keep(sealed, index);
        }
        Ok(())
    }

    /// Puts the index of a segment beside it, or in memory.
    fn keep(&mut self, sealed: &Sealed, index: Sorted) {
        let written =
            (self.segments).is_some_and(|segments| segments.write_index(sealed, index.entries()));
        if !written {
            self.index.held.insert(sealed.first, index);
        }
    }

    /// The first places in a segment, or in the last, that are filed under a hash.
    fn filed(
        &mut self,
        sealed: Option<Sealed>,
        hash: u64,
        most: usize,
    ) -> Result<Vec<u64>, StorageError> {
        let Some(sealed) = sealed else {
            return Ok(self.index.last.filed.places(hash, most));
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
        let index = self.file(&sealed)?;
        let places = index.places(hash, most);
        self.keep(&sealed, index);
        Ok(places)
    }

    /// The segments, from the first to the last.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> + use<'a> {
        let sealed: &'a [Sealed] = self.sealed;
        let last = std::iter::once(None);
        let all = sealed.iter().copied().map(Some).chain(last);
        all.map(|sealed| Part { sealed, file: None })
    }

    /// The first places in a part that are filed under what a hash is made of, so many at most for each name that
    /// it may have.
    pub(super) fn places(
        &mut self,
        part: &Part,
        most: usize,
        hash: impl Fn(&Names) -> Option<u64>,
    ) -> Result<Vec<u64>, StorageError> {
        let from = part.sealed.map_or(self.index.last.mark.first, |s| s.first);
        let until = part.sealed.map_or(self.context.next, |s| s.next);
        // Nearly always there is one set of names.
        let named = &self.index.names;
        let before = named.partition_point(|(at, _)| *at <= from);
        let begun = named.partition_point(|(at, _)| *at < until);
        let named = &named[before.saturating_sub(1)..begun];
        let mut hashes: Vec<u64> = named.iter().filter_map(|(_, names)| hash(names)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let mut places = Vec::new();
        for hash in &hashes {
            places.extend(self.filed(part.sealed, *hash, most)?);
        }
        if hashes.len() > 1 {
            places.sort_unstable();
            places.dedup();
        }
        Ok(places)
    }

    pub(super) fn frame(&self, part: &mut Part, place: u64) -> Result<Frame, StorageError> {
        match self.segments {
            Some(segments) => {
                let first = part.sealed.map_or(self.index.last.mark.first, |s| s.first);
                let file = match part.file.take() {
                    Some(file) => file,
                    None => segments.open(first)?,
                };
                part.file.insert(file).frame(place)
            }
            None => {
                let seq = Seq::new(place);
                let frame = self.log.read(seq)?.next();
                frame.ok_or_else(|| bad_frame(seq, "it is not there"))?
            }
        }
    }

    /// Shows the facts of a frame.
    pub(super) fn facts<R>(
        &self,
        part: &mut Part,
        place: u64,
        see: impl FnOnce(&Facts) -> R,
    ) -> Result<Option<R>, StorageError> {
        let Frame {
            header, payload, ..
        } = self.frame(part, place)?;
        let (context, mut seen) = (self.context, None);
        let frame = (header.seq, header.kind);
        let named = &self.index.names;
        context.facts(frame, &payload, named, &mut Facts::default(), |facts, _| {
            seen = Some(see(facts));
        })?;
        Ok(seen)
    }
}

/// A segment that is read.
pub(super) struct Part {
    /// None is the last.
    sealed: Option<Sealed>,
    /// Once a frame of it was wanted.
    file: Option<Segment>,
}
