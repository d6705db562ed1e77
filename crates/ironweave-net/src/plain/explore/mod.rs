//! Visiting all reachable markings of a net.

mod asleep;
mod enabling;
mod kernel;
mod layout;
mod search;
mod table;
mod trace;
mod tree;

use std::fmt;
use std::time::{Duration, Instant};

use kernel::Kernel;
use layout::{Home, Layout, Structure};
use search::{Search, Searched, Stopped};

use crate::plain::property::{Compiled, Property};
use crate::plain::{Net, PlaceIx, TransitionIx};

/// Visits all reachable markings of a net, breadth first.
///
/// Markings are packed: of places that an invariant keeps from being marked together only the marked one is recorded, and other
/// places take as many bits as their tokens need. Markings of more than 63 bits share parts that occur in several.
///
/// Not all firings are carried out, because several orders of the same transitions lead to one marking. O(reachable markings ×
/// transitions / 64), if most transitions are independent of each other, and O(reachable markings × enabled transitions) otherwise. A
/// marking takes 12 to 24 bytes of memory, unless there are only a few hundred.
pub struct Explorer<'n> {
    net: &'n Net,
    threads: usize,
    limit: Option<u64>,
    properties: Vec<Compiled>,
    progress: Box<dyn Fn(u64, u64, u64) + Sync + 'n>,
}

impl fmt::Debug for Explorer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explorer")
            .field("threads", &self.threads)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// What an [`Explorer`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The number of reachable markings.
    pub states: u64,
    /// The number of pairs of a reachable marking and a transition that is enabled in it.
    pub edges: u64,
    /// The number of reachable markings in which no transition is enabled.
    pub deadlocks: u64,
    /// The most tokens in one place.
    pub place_max: u64,
    /// The most tokens in a marking.
    pub marking_max: u64,
    /// How many firings the markings are away from the initial one at most.
    pub depth: u64,
    /// Whether all reachable markings were visited. If not, all markings that are at most `depth` firings away were.
    pub complete: bool,
    /// For each property, in the order in which they were given, what was found.
    pub verdicts: Vec<Verdict>,
    /// The memory that markings took at most, in bytes.
    pub bytes: usize,
    /// How long the search took.
    pub elapsed: Duration,
}

/// What was found for a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The property of [`Explorer::always`] holds in all markings that were visited, or that of [`Explorer::ever`] in none.
    NotFound,
    /// The shortest firings that lead to a marking in which the property of [`Explorer::always`] does not hold, or that of
    /// [`Explorer::ever`] does.
    Reached(Vec<Step>),
}

/// A firing on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The transition that fires.
    pub transition: TransitionIx,
    /// The tokens of each place after it.
    pub marking: Vec<u64>,
}

/// The error of an exploration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExploreError {
    /// A place gets more tokens than can be counted.
    TooManyTokens {
        /// The place.
        place: String,
    },
    /// A marking takes more words than are supported.
    TooWide {
        /// The words that it takes.
        words: usize,
        /// The words that are supported.
        max: usize,
    },
    /// There are too many different words at one position of markings, which are numbered.
    TooDiverse,
}

impl fmt::Display for ExploreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyTokens { place } => write!(
                f,
                "the place `{place}` gets more than {} tokens, so the net is probably unbounded",
                u64::MAX >> (64 - TOKEN_BITS_MAX)
            ),
            Self::TooWide { words, max } => write!(
                f,
                "a marking takes {words} words of 64 bits, and at most {max} are supported; explore a smaller instance of the net"
            ),
            Self::TooDiverse => f.write_str(
                "the markings have more than 2^31 different parts, and no more can be numbered; explore a smaller instance of the net",
            ),
        }
    }
}

impl std::error::Error for ExploreError {}

/// The most words of a packed marking.
const WORDS_MAX: usize = 64;
/// The most bits for the tokens of a place.
const TOKEN_BITS_MAX: u32 = 40;

impl<'n> Explorer<'n> {
    /// Returns an explorer with one thread and without a limit.
    #[must_use]
    pub fn new(net: &'n Net) -> Self {
        Self {
            net,
            threads: 1,
            limit: None,
            properties: Vec::new(),
            progress: Box::new(|_, _, _| ()),
        }
    }

    /// Sets the number of threads, from 1 to 1,024. Numbers outside are taken as the nearest of these.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.clamp(1, 1_024);
        self
    }

    /// Ends the search after the level in which this number of markings is reached. A level is all markings at the same distance from
    /// the initial one, and may be much larger than the limit.
    #[must_use]
    pub fn limit(mut self, states: u64) -> Self {
        self.limit = Some(states);
        self
    }

    /// Checks that a property holds in each reachable marking. If it does not, the path is found by a second search, which keeps the
    /// markings up to the depth of the violation in some 50 to 100 bytes each.
    #[must_use]
    pub fn always(mut self, property: Property) -> Self {
        self.properties.push(Compiled {
            property,
            deciding: false,
        });
        self
    }

    /// Looks for a reachable marking in which a property holds. If there is one, the path to it is found as for [`Explorer::always`].
    #[must_use]
    pub fn ever(mut self, property: Property) -> Self {
        self.properties.push(Compiled {
            property,
            deciding: true,
        });
        self
    }

    /// Calls a function after each level, with the number of markings, how many of them are new, and the depth.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(u64, u64, u64) + Sync + 'n) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Visits the markings.
    ///
    /// Before, the place invariants are computed, which takes some seconds at most for nets with thousands of places. The search begins
    /// again with more bits when a place that no invariant bounds gets more tokens than were provided for.
    ///
    /// ```
    /// use ironweave_net::plain::{Explorer, Net, Property, Verdict};
    ///
    /// let mut net = Net::default();
    /// let (free, held) = (net.place("free", 1), net.place("held", 0));
    /// let take = net.transition("take", [(free, 1)], [(held, 1)]);
    /// let always_free = Property::parse("free == 1", &net)?;
    /// let found = Explorer::new(&net).threads(2).always(always_free).run()?;
    /// let Verdict::Reached(path) = &found.verdicts[0] else { panic!() };
    /// assert_eq!((path[0].transition, &path[0].marking[..]), (take, &[0, 1][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a place gets too many tokens, or a marking is too wide.
    ///
    /// # Panics
    /// If an arc of the net refers to a place that the net does not have.
    pub fn run(&self) -> Result<Found, ExploreError> {
        let structure = Structure::of(self.net);
        let mut guessed = self.first_guess()?;
        loop {
            let layout = Layout::new(self.net, &structure, &guessed)?;
            let tried = match layout.words {
                1 => self.search::<1>(&layout, &mut guessed),
                2 => self.search::<2>(&layout, &mut guessed),
                3 => self.search::<3>(&layout, &mut guessed),
                4 => self.search::<4>(&layout, &mut guessed),
                5..=6 => self.search::<6>(&layout, &mut guessed),
                7..=8 => self.search::<8>(&layout, &mut guessed),
                9..=12 => self.search::<12>(&layout, &mut guessed),
                13..=16 => self.search::<16>(&layout, &mut guessed),
                17..=32 => self.search::<32>(&layout, &mut guessed),
                33..=WORDS_MAX => self.search::<WORDS_MAX>(&layout, &mut guessed),
                words => {
                    let max = WORDS_MAX;
                    return Err(ExploreError::TooWide { words, max });
                }
            };
            if let Some(found) = tried? {
                return Ok(found);
            }
        }
    }

    /// Returns the bits for the tokens of each place that no invariant bounds: as many as the place has tokens at the beginning, or
    /// gets at once. They are doubled until all markings fit.
    fn first_guess(&self) -> Result<Vec<u32>, ExploreError> {
        let places = &self.net.places;
        let mut most: Vec<u64> = places.iter().map(|place| place.tokens).collect();
        for transition in &self.net.transitions {
            for &(place, n) in &transition.outputs {
                let most = &mut most[place.0 as usize];
                *most = n.max(*most);
            }
        }
        let bits = |(most, place): (&u64, &crate::plain::Place)| {
            let bits = (64 - most.leading_zeros()).max(1);
            match bits <= TOKEN_BITS_MAX {
                true => Ok(bits),
                false => Err(ExploreError::TooManyTokens {
                    place: place.name.clone(),
                }),
            }
        };
        most.iter().zip(places).map(bits).collect()
    }

    /// Visits the markings, or makes the guesses larger and returns `None`.
    fn search<const W: usize>(
        &self,
        layout: &Layout,
        guessed: &mut [u32],
    ) -> Result<Option<Found>, ExploreError> {
        let begun = Instant::now();
        let kernel = Kernel::<W>::new(self.net, layout);
        let search = Search {
            net: self.net,
            layout,
            kernel: &kernel,
            properties: &self.properties,
            threads: self.threads,
            limit: self.limit,
            progress: &*self.progress,
        };
        let mut initial = [0; W];
        let packed = layout.pack(|place| self.net.places[place.0 as usize].tokens);
        initial[..packed.len()].copy_from_slice(&packed);
        match search.run(initial) {
            Ok(searched) => {
                let elapsed = begun.elapsed();
                Ok(Some(
                    self.found(searched, &kernel, layout, initial, elapsed),
                ))
            }
            Err(Stopped::Overflow(marking, transition)) => {
                self.widen(
                    layout,
                    &marking,
                    kernel.of_net[transition as usize],
                    guessed,
                )?;
                Ok(None)
            }
            Err(Stopped::Full) => Err(ExploreError::TooDiverse),
        }
    }

    fn found<const W: usize>(
        &self,
        searched: Searched<W>,
        kernel: &Kernel<W>,
        layout: &Layout,
        initial: [u64; W],
        elapsed: Duration,
    ) -> Found {
        let targets = searched.decided.iter().flatten().copied().collect();
        let paths = trace::paths(self.net, kernel, layout, initial, &targets);
        let verdict = |decided: &Option<[u64; W]>| {
            let path = decided.and_then(|marking| paths.get(&marking));
            path.map_or(Verdict::NotFound, |path| Verdict::Reached(path.clone()))
        };
        Found {
            states: searched.states,
            edges: searched.edges,
            deadlocks: searched.deadlocks,
            place_max: searched.place_max,
            marking_max: searched.tokens_max,
            depth: searched.depth,
            complete: searched.complete,
            verdicts: searched.decided.iter().map(verdict).collect(),
            bytes: searched.bytes,
            elapsed,
        }
    }

    /// Gives more bits to the places that exceed theirs when a transition fires.
    fn widen(
        &self,
        layout: &Layout,
        marking: &[u64],
        transition: u32,
        guessed: &mut [u32],
    ) -> Result<(), ExploreError> {
        for (place, change) in self.net.transitions[transition as usize].effect() {
            let at = place.0 as usize;
            let Home::Guarded(field) = layout.homes[at] else {
                continue;
            };
            let after = i128::from(layout.tokens(place, marking)) + change;
            if after <= i128::from(field.max()) {
                continue;
            }
            let needed = 128 - after.leading_zeros();
            let bits = needed.max(2 * guessed[at]).min(TOKEN_BITS_MAX);
            if needed > TOKEN_BITS_MAX {
                let place = self.net.places[at].name.clone();
                return Err(ExploreError::TooManyTokens { place });
            }
            guessed[at] = bits;
        }
        Ok(())
    }
}

/// Returns the tokens of each place.
fn unpacked(net: &Net, layout: &Layout, marking: &[u64]) -> Vec<u64> {
    let places = 0..net.places.len() as u32;
    places
        .map(|at| layout.tokens(PlaceIx(at), marking))
        .collect()
}

#[cfg(test)]
mod tests;
