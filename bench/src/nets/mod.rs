//! `nets_philosophers`, `nets_referendum`, `nets_kanban`: all reachable markings of nets of the Model Checking Contest, visited by
//! `ironweave_net` on one thread and on two, and by others.
//!
//! | contender | what |
//! |---|---|
//! | `ironweave`, `ironweave_2` | `plain::Explorer`, which `ironweave net explore` runs |
//! | `by_hand`, `by_hand_2` | 50 lines for nets of one kind: see `by_hand.rs` |
//! | `stateright`, `stateright_2` | Stateright's breadth-first search (feature `stateright`): see `stateright.rs` |
//! | `spin` | SPIN, if it is installed: see `spin.rs` |
//!
//! Each contender has to find as many markings as are known, so that none is fast because it skips some.

mod by_hand;
mod families;
mod spin;
#[cfg(feature = "stateright")]
mod stateright;

use std::error::Error;
use std::time::{Duration, Instant};

use ironweave_net::plain::{Explorer, Net};

use crate::harness::row;
use crate::{Measured, Options};
use by_hand::Packed;
use families::{Counts, Family};

/// After a sample that took so long, a contender takes no further one.
const LONG_ENOUGH: Duration = Duration::from_secs(10);

/// What a contender found.
struct Explored {
    states: u64,
    /// The other numbers, from those that count them.
    edges: Option<u64>,
    deadlocks: Option<u64>,
    /// The memory that markings took at most, if it is known.
    bytes: Option<usize>,
    elapsed: Duration,
}

/// What is explored.
struct Task {
    family: Family,
    size: u64,
    net: Net,
}

struct Contender {
    name: &'static str,
    explore: fn(&Task) -> Result<Explored, Box<dyn Error>>,
}

/// Returns the contenders that this build and this machine have.
fn contenders() -> Vec<Contender> {
    let mut all = vec![
        Contender {
            name: "ironweave",
            explore: |task| ours(task, 1),
        },
        Contender {
            name: "ironweave_2",
            explore: |task| ours(task, 2),
        },
        Contender {
            name: "by_hand",
            explore: |task| Ok(with_hands(task, 1)),
        },
        Contender {
            name: "by_hand_2",
            explore: |task| Ok(with_hands(task, 2)),
        },
    ];
    #[cfg(feature = "stateright")]
    all.extend([
        Contender {
            name: "stateright",
            explore: |task| stateright::explore(task, 1),
        },
        Contender {
            name: "stateright_2",
            explore: |task| stateright::explore(task, 2),
        },
    ]);
    if spin::is_there() {
        all.push(Contender {
            name: "spin",
            explore: spin::explore,
        });
    } else {
        println!("without spin: `spin` or `cc` is not installed");
    }
    all
}

fn ours(task: &Task, threads: usize) -> Result<Explored, Box<dyn Error>> {
    let began = Instant::now();
    let found = Explorer::new(&task.net).threads(threads).run()?;
    Ok(Explored {
        states: found.states,
        edges: Some(found.edges),
        deadlocks: Some(found.deadlocks),
        bytes: Some(found.bytes),
        elapsed: began.elapsed(),
    })
}

fn with_hands(task: &Task, threads: usize) -> Explored {
    let began = Instant::now();
    let found = match (task.family.is_safe(), task.net.places.len()) {
        (false, _) => Packed::<u64, 4>::new(&task.net).explore(threads),
        (true, ..=64) => Packed::<u64, 1>::new(&task.net).explore(threads),
        (true, _) => Packed::<u128, 1>::new(&task.net).explore(threads),
    };
    Explored {
        states: found.states,
        edges: Some(found.edges),
        deadlocks: Some(found.deadlocks),
        bytes: None,
        elapsed: began.elapsed(),
    }
}

/// Explores a net, and compares what was found with what is known.
fn explored(contender: &Contender, task: &Task) -> Result<Explored, Box<dyn Error>> {
    let found = (contender.explore)(task)?;
    let known = task.family.known(task.size);
    let known = known.ok_or_else(|| format!("{:?} of size {}: unknown", task.family, task.size))?;
    let counted = Counts {
        states: found.states,
        edges: found.edges.unwrap_or(known.edges),
        deadlocks: found.deadlocks.unwrap_or(known.deadlocks),
    };
    if counted != known {
        let (name, family, size) = (contender.name, task.family, task.size);
        return Err(format!("{name}: {family:?} of size {size}: {counted:?} != {known:?}").into());
    }
    Ok(found)
}

/// The names of the rows about a family, and what its size counts.
pub struct Names {
    family: Family,
    rate: &'static str,
    bytes: &'static str,
    sizes: &'static str,
}

pub const PHILOSOPHERS: Names = Names {
    family: Family::Philosophers,
    rate: "nets_philosophers",
    bytes: "nets_philosophers/bytes",
    sizes: "philosophers",
};
pub const REFERENDUM: Names = Names {
    family: Family::Referendum,
    rate: "nets_referendum",
    bytes: "nets_referendum/bytes",
    sizes: "voters",
};
pub const KANBAN: Names = Names {
    family: Family::Kanban,
    rate: "nets_kanban",
    bytes: "nets_kanban/bytes",
    sizes: "cards",
};

/// Measures all contenders: markings in a second, and where it is known how many bytes each took.
pub fn run(options: &Options, names: &Names) -> Measured {
    let contenders = contenders();
    let mut rows = Vec::new();
    for &size in &options.entities {
        let task = Task {
            family: names.family,
            size: size as u64,
            net: names.family.net(size as u64),
        };
        let mut samples: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
        let mut bytes = Vec::new();
        for turn in 0..options.samples {
            for (contender, samples) in contenders.iter().zip(&mut samples) {
                if turn > 0 && samples[0] > LONG_ENOUGH.as_nanos() as f64 {
                    continue;
                }
                let found = explored(contender, &task)?;
                samples.push(found.elapsed.as_nanos() as f64);
                if let (0, Some(all)) = (turn, found.bytes) {
                    let each = all as f64 / found.states as f64;
                    let row = row(names.bytes, contender.name, size, vec![each]);
                    bytes.push(row.of(names.sizes).in_bytes());
                }
            }
        }
        let states = names
            .family
            .known(size as u64)
            .map_or(f64::NAN, |c| c.states as f64);
        for (contender, samples) in contenders.iter().zip(samples) {
            let each = samples.into_iter().map(|sample| sample / states).collect();
            let row = row(names.rate, contender.name, size, each);
            rows.push(row.of(names.sizes).per_second());
        }
        rows.append(&mut bytes);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::BufReader;
    use std::path::Path;

    use ironweave_net::pnml;

    use super::*;

    #[test]
    fn contenders_find_what_is_known() {
        for (family, sizes) in [
            (Family::Philosophers, &[2, 5][..]),
            (Family::Referendum, &[2, 6]),
            (Family::Kanban, &[2]),
        ] {
            for &size in sizes {
                let net = family.net(size);
                let task = Task { family, size, net };
                for contender in contenders() {
                    explored(&contender, &task).expect("it finds what is known");
                }
            }
        }
    }

    /// The markings of more than 12 philosophers have more than 64 bits.
    #[test]
    fn wide_markings_are_explored_by_hand_too() {
        let net = Family::Philosophers.net(6);
        let known = Family::Philosophers.known(6);
        for threads in 1..=3 {
            let wide = Packed::<u128, 1>::new(&net).explore(threads);
            assert_eq!(Some(wide), known);
            let counted = Packed::<u128, 4>::new(&net).explore(threads);
            assert_eq!(Some(counted), known);
        }
    }

    /// Places by their names, each with a number of tokens.
    type Named = Vec<(String, u64)>;

    /// A net as sets, without the order of its places and transitions.
    fn sorted(net: &Net) -> (Named, Vec<[Named; 2]>) {
        let name = |(place, n): &(ironweave_net::plain::PlaceIx, u64)| {
            (net.places[place.0 as usize].name.clone(), *n)
        };
        let named = |arcs: &[_]| {
            let mut arcs: Vec<_> = arcs.iter().map(name).collect();
            arcs.sort();
            arcs
        };
        let mut places: Vec<_> = net
            .places
            .iter()
            .map(|p| (p.name.clone(), p.tokens))
            .collect();
        let arcs = net.transitions.iter();
        let mut arcs: Vec<_> = arcs
            .map(|t| [named(&t.inputs), named(&t.outputs)])
            .collect();
        places.sort();
        arcs.sort();
        (places, arcs)
    }

    /// Of each family, one size is among the nets beside the project, if these are there.
    #[test]
    fn families_are_those_of_the_contest() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/pnml");
        for (family, size, file) in [
            (Family::Philosophers, 5, "Philosophers-PT-000005.pnml"),
            (Family::Referendum, 15, "Referendum-PT-0015.pnml"),
            (Family::Kanban, 5, "Kanban-PT-00005.pnml"),
        ] {
            let Ok(file) = File::open(dir.join(file)) else {
                eprintln!("skipped: there is no {} in {}", file, dir.display());
                continue;
            };
            let document = pnml::read(BufReader::new(file), &pnml::Limits::default());
            let published = document.expect("it is PNML").net;
            assert_eq!(sorted(&family.net(size)), sorted(&published), "{family:?}");
        }
    }
}
