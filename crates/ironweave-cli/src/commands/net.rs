//! `ironweave net`: Petri nets in PNML files.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ironweave_net::plain::{Explorer, Net, Place, PlaceIx, Property, Step, Verdict, invariants};
use ironweave_net::pnml;
use serde::Serialize;

use crate::cli::Show;
use crate::failure::{Failure, Result};
use crate::output::{Output, Role};
use crate::progress::Progress;

use super::net_structure;

/// How many rows the computation of invariants may have, if the net does not have more places.
pub(super) const ROWS_MAX: usize = 10_000;

/// A net in a file.
#[derive(clap::Args)]
struct NetFile {
    /// The file, in PNML: a place/transition net or a symmetric net
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// The most places, transitions and arcs after unfolding, with the bindings and colours that are evaluated for them
    #[arg(long, value_name = "N", default_value_t = pnml::Limits::default().unfolded)]
    unfold_limit: u64,
}

#[derive(clap::Args)]
pub struct StatArgs {
    #[command(flatten)]
    net: NetFile,
    /// Print the places, each with its tokens in the initial marking
    #[arg(long)]
    places: bool,
    /// Print the place invariants
    #[arg(long)]
    invariants: bool,
    /// Print the minimal siphons and traps, the transition invariants, and what they show
    #[arg(long)]
    structure: bool,
}

#[derive(clap::Args)]
pub struct ExploreArgs {
    #[command(flatten)]
    net: NetFile,
    /// The number of threads, at most 1024; by default one for each processor
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// End the search after the level in which N markings are reached
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// A property that must hold in each reachable marking
    #[arg(long, value_name = "EXPR")]
    always: Vec<String>,
    /// A property that must hold in some reachable marking
    #[arg(long, value_name = "EXPR")]
    ever: Vec<String>,
}

fn read(from: &NetFile) -> Result<pnml::Document> {
    let path = &from.file;
    let place = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let file = File::open(path).map_err(|e| Failure::usage(place(&e)))?;
    let limits = pnml::Limits {
        unfolded: from.unfold_limit,
        ..pnml::Limits::default()
    };
    pnml::read(BufReader::new(file), &limits).map_err(|e| Failure::problem(place(&e)))
}

#[derive(Serialize)]
struct Stat<'a> {
    file: &'a Path,
    name: &'a str,
    kind: &'static str,
    places: usize,
    transitions: usize,
    unfolded_places: usize,
    unfolded_transitions: usize,
    arcs: usize,
    tokens: u64,
    place_invariants: usize,
    /// Whether these are all.
    all_place_invariants: bool,
}

pub fn stat(show: &Show, args: &StatArgs) -> Result<ExitCode> {
    let document = read(&args.net)?;
    let net = &document.net;
    let (found, all) = invariants(net, ROWS_MAX, None);
    let stat = Stat {
        file: &args.net.file,
        name: &document.name,
        kind: match document.kind {
            pnml::Kind::PlaceTransition => "place/transition net",
            pnml::Kind::Symmetric => "symmetric net",
        },
        places: document.places,
        transitions: document.transitions,
        unfolded_places: net.places.len(),
        unfolded_transitions: net.transitions.len(),
        arcs: net.arcs(),
        tokens: net.places.iter().map(|place| place.tokens).sum(),
        place_invariants: found.len(),
        all_place_invariants: all,
    };
    let mut out = Output::paged(show);
    if out.is_json() {
        out.object(&stat)?;
    } else {
        let title = out.paint(Role::Title, stat.name).to_string();
        out.line(format_args!("{title}: {}", stat.kind))?;
        for (name, declared, unfolded) in [
            ("places", stat.places, stat.unfolded_places),
            ("transitions", stat.transitions, stat.unfolded_transitions),
        ] {
            match document.kind {
                pnml::Kind::PlaceTransition => out.line(format_args!("{name}: {declared}"))?,
                pnml::Kind::Symmetric => {
                    out.line(format_args!("{name}: {declared}, unfolded {unfolded}"))?;
                }
            }
        }
        out.line(format_args!("arcs: {}", stat.arcs))?;
        out.line(format_args!("initial tokens: {}", stat.tokens))?;
        let at_least = if all { "" } else { "at least " };
        out.line(format_args!(
            "place invariants: {at_least}{}",
            stat.place_invariants
        ))?;
    }
    #[derive(Serialize)]
    struct PlaceLine<'a> {
        place: &'a str,
        tokens: u64,
    }
    for place in net.places.iter().filter(|_| args.places) {
        if out.is_json() {
            let (place, tokens) = (&*place.name, place.tokens);
            out.object(&PlaceLine { place, tokens })?;
        } else {
            out.line(format_args!("place {}: {}", place.name, place.tokens))?;
        }
    }
    #[derive(Serialize)]
    struct InvariantLine {
        invariant: String,
        total: u64,
    }
    for invariant in found.iter().filter(|_| args.invariants) {
        let term = |&(place, weight): &(PlaceIx, u64)| {
            let name = &net.places[place.0 as usize].name;
            match weight {
                1 => name.clone(),
                _ => format!("{weight} * {name}"),
            }
        };
        let terms: Vec<String> = invariant.weights.iter().map(term).collect();
        let (text, total) = (terms.join(" + "), invariant.total);
        if out.is_json() {
            out.object(&InvariantLine {
                invariant: text,
                total,
            })?;
        } else {
            out.line(format_args!("invariant {text} = {total}"))?;
        }
    }
    if args.structure {
        net_structure::print(&mut out, net)?;
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Explored {
    states: u64,
    edges: u64,
    deadlocks: u64,
    max_tokens_in_a_place: u64,
    max_tokens_in_a_marking: u64,
    depth: u64,
    complete: bool,
    seconds: f64,
    bytes_per_state: f64,
}

#[derive(Serialize)]
struct Checked<'a> {
    property: &'a str,
    expected: &'static str,
    holds: bool,
    /// The transitions of the shortest path that decides the property.
    path: Option<Vec<&'a str>>,
}

pub fn explore(show: &Show, args: &ExploreArgs) -> Result<ExitCode> {
    let document = read(&args.net)?;
    let net = &document.net;
    let parse = |text: &String| {
        Property::parse(text, net).map_err(|e| Failure::usage(format_args!("`{text}`: {e}")))
    };
    let progress = std::sync::Mutex::new(Progress::of_markings("exploring"));
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let mut explorer = Explorer::new(net)
        .threads(args.threads.map_or_else(processors, usize::from))
        .progress(|states, frontier, _| {
            if let Ok(mut progress) = progress.lock() {
                progress.set(states, states + frontier);
            }
        });
    if let Some(limit) = args.limit {
        explorer = explorer.limit(limit);
    }
    for text in &args.always {
        explorer = explorer.always(parse(text)?);
    }
    for text in &args.ever {
        explorer = explorer.ever(parse(text)?);
    }
    let found = explorer.run().map_err(Failure::problem)?;
    drop(explorer);
    drop(progress);
    let mut out = Output::paged(show);
    let seconds = found.elapsed.as_secs_f64();
    let bytes_per_state = found.bytes as f64 / found.states as f64;
    if out.is_json() {
        out.object(&Explored {
            states: found.states,
            edges: found.edges,
            deadlocks: found.deadlocks,
            max_tokens_in_a_place: found.place_max,
            max_tokens_in_a_marking: found.marking_max,
            depth: found.depth,
            complete: found.complete,
            seconds,
            bytes_per_state,
        })?;
    } else {
        out.line(format_args!("states: {}", found.states))?;
        out.line(format_args!("edges: {}", found.edges))?;
        out.line(format_args!("deadlocks: {}", found.deadlocks))?;
        out.line(format_args!("max tokens in a place: {}", found.place_max))?;
        out.line(format_args!(
            "max tokens in a marking: {}",
            found.marking_max
        ))?;
        if !found.complete {
            out.line(format_args!("complete up to depth: {}", found.depth))?;
        }
        let rate = found.states as f64 / seconds.max(1e-9);
        out.line(format_args!("states per second: {rate:.0}"))?;
        out.line(format_args!("bytes per state: {bytes_per_state:.1}"))?;
    }
    let always = args.always.iter().map(|text| (text, true));
    let ever = args.ever.iter().map(|text| (text, false));
    let mut all_hold = true;
    for ((text, is_always), verdict) in always.chain(ever).zip(&found.verdicts) {
        all_hold &= report(&mut out, net, (text, is_always), verdict, found.complete)?;
    }
    out.finish()?;
    Ok(ExitCode::from(u8::from(!all_hold)))
}

/// Prints what was found for a property, with the path. Returns whether it is as expected.
fn report(
    out: &mut Output,
    net: &Net,
    (text, is_always): (&str, bool),
    verdict: &Verdict,
    complete: bool,
) -> Result<bool> {
    let steps = match verdict {
        Verdict::Reached(steps) => Some(steps),
        Verdict::NotFound => None,
    };
    let holds = steps.is_some() != is_always;
    let expected = if is_always { "always" } else { "ever" };
    let name = |step: &Step| &*net.transitions[step.transition.0 as usize].name;
    if out.is_json() {
        out.object(&Checked {
            property: text,
            expected,
            holds,
            path: steps.map(|steps| steps.iter().map(name).collect()),
        })?;
        return Ok(holds);
    }
    let within = if complete || steps.is_some() {
        ""
    } else {
        " so far"
    };
    let outcome = match (is_always, holds) {
        (true, true) => out.paint(Role::Good, "holds"),
        (true, false) => out.paint(Role::Bad, "is violated"),
        (false, true) => out.paint(Role::Good, "is reached"),
        (false, false) => out.paint(Role::Bad, "is not reached"),
    };
    let outcome = outcome.to_string();
    out.line(format_args!("{expected} {text}: {outcome}{within}"))?;
    let Some(steps) = steps else {
        return Ok(holds);
    };
    let marked = |tokens: &mut dyn Iterator<Item = (u64, &Place)>| {
        let marked = tokens.filter(|(tokens, _)| *tokens > 0);
        let shown = marked.map(|(tokens, place)| match tokens {
            1 => place.name.clone(),
            _ => format!("{tokens} {}", place.name),
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    let initial = marked(&mut net.places.iter().map(|place| (place.tokens, place)));
    out.line(format_args!("  initially: {initial}"))?;
    for (step, number) in steps.iter().zip(1..) {
        let marking = marked(&mut step.marking.iter().copied().zip(&net.places));
        let event = out.paint(Role::Event, name(step)).to_string();
        out.line(format_args!("  {number}. {event}: {marking}"))?;
    }
    Ok(holds)
}
