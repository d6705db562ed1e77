//! Families of nets whose numbers of markings are known: those of the Model Checking Contest.

use ironweave_net::plain::Net;

/// What exploring a net finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// The reachable markings.
    pub states: u64,
    /// The pairs of a reachable marking and a transition that is enabled in it.
    pub edges: u64,
    /// The reachable markings in which no transition is enabled.
    pub deadlocks: u64,
}

/// A family of nets, one for each size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Dining philosophers, who take their two forks one after the other in any order.
    Philosophers,
    /// Voters, each of whom votes yes or no after the vote has begun.
    Referendum,
    /// Four cells of a factory, with as many cards in each as the size says.
    Kanban,
}

impl Family {
    /// Returns the net of a size, which is at least 2.
    pub fn net(self, size: u64) -> Net {
        match self {
            Self::Philosophers => philosophers(size),
            Self::Referendum => referendum(size),
            Self::Kanban => kanban(size),
        }
    }

    /// Returns what is known of a size, or `None` if it is not known.
    ///
    /// Each fork of the philosophers is free or in one of two hands, and of the nine states of the two forks of a philosopher seven
    /// enable a transition. Each voter has not voted, or voted yes, or no. The numbers of Kanban are the published ones.
    pub fn known(self, size: u64) -> Option<Counts> {
        let n = u32::try_from(size).ok()?;
        let of = |states, edges, deadlocks| {
            Some(Counts {
                states,
                edges,
                deadlocks,
            })
        };
        match self {
            Self::Philosophers => of(3u64.pow(n), 7 * size * 3u64.pow(n - 2), 2),
            Self::Referendum => of(3u64.pow(n) + 1, 1 + 2 * size * 3u64.pow(n - 1), 1 << n),
            Self::Kanban => match size {
                2 => of(4_600, 28_120, 0),
                3 => of(58_400, 446_400, 0),
                4 => of(454_475, 3_979_850, 0),
                5 => of(2_546_432, 24_460_016, 0),
                _ => None,
            },
        }
    }

    /// Whether no place ever has more than one token.
    pub fn is_safe(self) -> bool {
        self != Self::Kanban
    }
}

fn philosophers(size: u64) -> Net {
    let mut net = Net::default();
    let mut places = |name: &str, tokens| -> Vec<_> {
        let place = |i| net.place(format!("{name}_{i}"), tokens);
        (1..=size).map(place).collect()
    };
    let (think, forks) = (places("Think", 1), places("Fork", 1));
    let (left, right, eat) = (places("Catch1", 0), places("Catch2", 0), places("Eat", 0));
    for i in 0..size as usize {
        let (one, other) = (forks[(i + forks.len() - 1) % forks.len()], forks[i]);
        let mut transition = |name: &str, from: &[_], to: &[_]| {
            let weighted = |places: &[_]| places.iter().map(|p| (*p, 1)).collect::<Vec<_>>();
            net.transition(format!("{name}_{}", i + 1), weighted(from), weighted(to));
        };
        transition("FF1a", &[think[i], one], &[left[i]]);
        transition("FF1b", &[think[i], other], &[right[i]]);
        transition("FF2a", &[left[i], other], &[eat[i]]);
        transition("FF2b", &[right[i], one], &[eat[i]]);
        transition("End", &[eat[i]], &[think[i], one, other]);
    }
    net
}

fn referendum(size: u64) -> Net {
    let mut net = Net::default();
    let ready = net.place("ready", 1);
    let mut places = |name: &str| -> Vec<_> {
        let place = |i| net.place(format!("{name}_{i}"), 0);
        (1..=size).map(place).collect()
    };
    let (voting, yes, no) = (places("voting"), places("voted_yes"), places("voted_no"));
    net.transition("start", [(ready, 1)], voting.iter().map(|p| (*p, 1)));
    for (i, voting) in voting.iter().enumerate() {
        net.transition(format!("yes_{i}"), [(*voting, 1)], [(yes[i], 1)]);
        net.transition(format!("no_{i}"), [(*voting, 1)], [(no[i], 1)]);
    }
    net
}

fn kanban(size: u64) -> Net {
    let mut net = Net::default();
    let cells = [1, 2, 3, 4].map(|i| {
        let mut place = |name: &str, tokens| net.place(format!("{name}{i}"), tokens);
        let (cards, part) = (place("P", size), place("Pm", 0));
        (cards, part, place("Pback", 0), place("Pout", 0))
    });
    for ((_, part, back, out), i) in cells.into_iter().zip(1..) {
        net.transition(format!("tredo{i}"), [(part, 1)], [(back, 1)]);
        net.transition(format!("tback{i}"), [(back, 1)], [(part, 1)]);
        net.transition(format!("tok{i}"), [(part, 1)], [(out, 1)]);
    }
    let [first, second, third, fourth] = cells;
    net.transition("tin4", [(fourth.0, 1)], [(fourth.1, 1)]);
    net.transition("tout1", [(first.3, 1)], [(first.0, 1)]);
    net.transition(
        "tsynch4_23",
        [(fourth.3, 1), (second.0, 1), (third.0, 1)],
        [(fourth.0, 1), (second.1, 1), (third.1, 1)],
    );
    net.transition(
        "tsynch1_23",
        [(second.3, 1), (third.3, 1), (first.0, 1)],
        [(second.0, 1), (third.0, 1), (first.1, 1)],
    );
    net
}
