//! The nets for SPIN, which compiles a model to a program in C that visits its states: one process whose loop has a transition in
//! each branch, where `d_step` makes a firing one step.
//!
//! The places are variables rather than an array, since SPIN packs those of type `bit` into single bits. The C compiler gets `-O3` and
//! what SPIN's manual advises for speed: `SAFETY`, `NOFAIR` and `NOCLAIM` leave out the search for cycles and for claims, which a net
//! does not have, and `NOBOUNDCHECK` checks of indexes. `BFS` is breadth first, which takes about half the time of the default here, since
//! nothing is undone. `NOREDUCE` turns off the reduction of interleavings: all markings are to be visited, and there is one process.
//! `COLLAPSE` would save memory and take time, and a state is shorter than the default of `VECTORSZ`. The hash table has at least as many
//! slots as there are markings. `BFS_PAR` and `NCORE` are not measured: `spin` is one thread.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use ironweave_net::plain::{Net, PlaceIx};

use super::{Explored, Task};
use crate::rows::Scratch;

/// Flags of the C compiler.
const FLAGS: [&str; 9] = [
    "-O3",
    "-w",
    "-DBFS",
    "-DSAFETY",
    "-DNOFAIR",
    "-DNOCLAIM",
    "-DNOBOUNDCHECK",
    "-DNOREDUCE",
    "-DMEMLIM=8000",
];

/// Whether SPIN and a C compiler can be started.
pub fn is_there() -> bool {
    let starts = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output();
        output.is_ok_and(|output| output.status.success())
    };
    starts("spin", "-V") && starts("cc", "--version")
}

/// Returns the net in SPIN's language.
fn promela(net: &Net, is_safe: bool) -> String {
    let mut text = String::new();
    let kind = if is_safe { "bit" } else { "byte" };
    for (place, at) in net.places.iter().zip(0..) {
        let _ = writeln!(text, "{kind} p{at} = {};", place.tokens);
    }
    text.push_str("active proctype net() {\nend: do\n");
    for transition in &net.transitions {
        let needs = |(place, n): &(PlaceIx, u64)| format!("p{} >= {n}", place.0);
        let needs: Vec<_> = transition.inputs.iter().map(needs).collect();
        let _ = write!(text, ":: d_step {{ {} ->", needs.join(" && "));
        for (place, change) in transition.effect() {
            let _ = write!(text, " p{0} = p{0} + {change};", place.0);
        }
        text.push_str(" }\n");
    }
    text.push_str("od }\n");
    text
}

fn run(
    program: impl AsRef<Path>,
    arguments: &[&str],
    dir: &Path,
) -> Result<Output, Box<dyn Error>> {
    let program = program.as_ref();
    let output = Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .output()?;
    if !output.status.success() {
        let (out, error) = (&output.stdout, &output.stderr);
        let told = [out, error].map(|text| String::from_utf8_lossy(text));
        return Err(format!("{}: {}{}", program.display(), told[0], told[1]).into());
    }
    Ok(output)
}

/// Returns the number before a text, and whether SPIN has rounded it, as it does those of more than eight digits.
fn number(report: &str, before: &str) -> Result<(u64, bool), Box<dyn Error>> {
    let line = report.lines().find(|line| line.contains(before));
    let word = line.and_then(|line| line.trim_start().split(' ').next());
    let number = word.and_then(|word| Some((word.parse::<f64>().ok()? as u64, word.contains('e'))));
    Ok(number.ok_or_else(|| format!("SPIN did not report `{before}`: {report}"))?)
}

/// Visits all markings. The time is that of the program that SPIN makes, without the time in which it is made and compiled.
pub fn explore(task: &Task) -> Result<Explored, Box<dyn Error>> {
    let dir = Scratch::new("spin")?;
    let dir = &*dir.0;
    fs::write(
        dir.join("net.pml"),
        promela(&task.net, task.family.is_safe()),
    )?;
    run("spin", &["-a", "net.pml"], dir)?;
    let arguments: Vec<&str> = FLAGS.into_iter().chain(["-o", "pan", "pan.c"]).collect();
    run("cc", &arguments, dir)?;
    let states = task.family.known(task.size).map_or(0, |known| known.states);
    let slots = format!("-w{}", states.max(1 << 16).ilog2() + 1);
    let began = Instant::now();
    let output = run(dir.join("pan"), &[&slots, "-n"], dir)?;
    let elapsed = began.elapsed();
    let report = String::from_utf8_lossy(&output.stdout);
    if !report.contains("errors: 0") {
        return Err(format!("SPIN did not visit all markings: {report}").into());
    }
    // It counts the way to the first state too.
    let (edges, is_rounded) = number(&report, "transitions (=")?;
    Ok(Explored {
        states: number(&report, "states, stored")?.0,
        edges: (!is_rounded).then_some(edges - 1),
        deadlocks: None,
        bytes: None,
        elapsed,
    })
}
