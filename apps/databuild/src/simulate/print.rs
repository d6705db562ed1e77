//! Prints what a simulation found, as text or as JSON.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use ironweave::simulate::{Estimate, FirstTime};
use serde_json::{Value, json};

use crate::simulate::Found;
use crate::text::{chain, few, shown};

/// The number of partitions that are printed with their share of the time.
const SHARES_MAX: usize = 3;
/// A share of the time below this is not printed.
const SHARE_MIN: f64 = 0.05;

/// Prints it on stdout.
pub(super) fn print(found: &Found<'_>) -> Result<()> {
    let text = match found.options.json {
        true => format!("{:#}\n", as_json(found)),
        false => as_text(found),
    };
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())
        .context("cannot write to stdout")
}

/// The interval that has 95 % of the replications.
fn most(estimate: &Estimate) -> (f64, f64) {
    (estimate.quantile(0.025), estimate.quantile(0.975))
}

fn as_text(found: &Found<'_>) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    for name in found.refs {
        if let Some(first) = found.report.first(name) {
            let is_live = found.live.contains(name);
            line(format!("{}: {}", shown(name), ready(first, is_live)));
        }
    }
    let jobs = match found.options.jobs_max {
        1 => "1 job at a time".to_owned(),
        jobs => format!("{jobs} jobs at a time"),
    };
    let replications = match found.options.replications {
        1 => "1 replication".to_owned(),
        more => format!("{more} replications"),
    };
    let runs = match found.chains.runs {
        1.0 => "1 run".to_owned(),
        whole if whole.fract() == 0.0 => format!("{whole} runs"),
        mean => format!("{mean:.1} runs on average"),
    };
    line(format!("simulated: {replications} of {runs}, {jobs}"));
    let steps = found.chains.typical.iter().map(|run| {
        let what = if run.is_success { "" } else { " asks" };
        format!(
            "{}{what} {}",
            shown(&run.name),
            seconds((run.end - run.begin).as_secs_f64())
        )
    });
    let steps: Vec<String> = steps.collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    if !steps.is_empty() {
        line(format!("longest chain: {}", chain(&steps, steps.len())));
    }
    let shares = found.chains.shares.iter().take(SHARES_MAX);
    let shares: Vec<String> = (shares.filter(|(_, share)| *share >= SHARE_MIN))
        .map(|(name, share)| format!("{} {:.0} %", shown(name), share * 100.0))
        .collect();
    if found.chains.shares.len() > 1 {
        line(format!("most of its time: {}", few(shares)));
    }
    for assumption in &found.assumptions.lines {
        line(format!("assumed: {assumption}"));
    }
    out
}

/// When a partition is ready, which may be live already.
fn ready(first: &FirstTime, is_live: bool) -> String {
    if is_live {
        return "ready now".to_owned();
    }
    let estimate = first.seconds();
    let never = match first.never() {
        0 => String::new(),
        never => format!("; never in {never} replications"),
    };
    if estimate.is_empty() {
        return "never ready".to_owned();
    }
    let (low, high) = most(estimate);
    let (low, high) = (seconds(low), seconds(high));
    let spread = match low == high {
        true => String::new(),
        false => format!(" (95 % of the replications between {low} and {high})"),
    };
    format!(
        "ready in {}{spread}{never}",
        seconds(estimate.quantile(0.5))
    )
}

/// A number of seconds for people.
fn seconds(seconds: f64) -> String {
    match seconds.max(0.0) {
        small if small < 0.0995 => format!("{:.0} ms", small * 1000.0),
        some if some < 99.95 => format!("{some:.1} s"),
        more => {
            let whole = Duration::from_secs_f64(more.min(1e15)).as_secs();
            match whole {
                ..600 => format!("{} min {} s", whole / 60, whole % 60),
                600..36_000 => format!("{} min", whole / 60),
                _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
            }
        }
    }
}

fn as_json(found: &Found<'_>) -> Value {
    let wanted = found.refs.iter().filter_map(|name| {
        let first = found.report.first(name)?;
        let estimate = first.seconds();
        let ready = (!estimate.is_empty()).then(|| {
            let (low, high) = most(estimate);
            json!({
                "median": estimate.quantile(0.5),
                "from": low,
                "to": high,
                "mean": estimate.mean(),
                "mean_confidence_95": estimate.confidence_interval(),
                "min": estimate.min(),
                "max": estimate.max(),
            })
        });
        Some(json!({ "name": name, "ready_seconds": ready, "never": first.never() }))
    });
    let chain = found.chains.typical.iter().map(|run| {
        json!({
            "name": run.name,
            "from": run.begin.as_secs_f64(),
            "to": run.end.as_secs_f64(),
            "succeeds": run.is_success,
        })
    });
    let shares = found
        .chains
        .shares
        .iter()
        .map(|(name, share)| json!({ "name": name, "share": share }));
    json!({
        "wanted": wanted.collect::<Vec<_>>(),
        "replications": found.options.replications,
        "seed": found.options.seed,
        "jobs_max": found.options.jobs_max,
        "runs": found.chains.runs,
        "longest_chain": chain.collect::<Vec<_>>(),
        "shares": shares.collect::<Vec<_>>(),
        "no_job_makes": found.assumptions.unmade,
        "assumed": found.assumptions.lines,
    })
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn seconds_are_as_exact_as_they_are_long() {
        for (number, expected) in [
            (0.0, "0 ms"),
            (0.05, "50 ms"),
            (0.1, "0.1 s"),
            (99.9, "99.9 s"),
            (100.0, "1 min 40 s"),
            (599.0, "9 min 59 s"),
            (600.0, "10 min"),
            (35_999.0, "599 min"),
            (90_061.0, "25 h 1 min"),
            (f64::MAX, "277777777777 h 46 min"),
        ] {
            assert_eq!(seconds(number), expected);
        }
    }
}
