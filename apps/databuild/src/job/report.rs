//! Combines the results of the other jobs for each package into a report for human readers, and a table.
//!
//! The report contains no path, time or duration, so that the same packages give the same report, byte for byte.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::packages::{Manifest, Package};
use super::sloc::Sloc;
use super::unsafety::Unsafe;

/// The report, in Markdown.
pub const MARKDOWN: &str = "dependencies.md";
/// The table, in CSV.
pub const CSV: &str = "dependencies.csv";
/// The kinds of partitions of each package.
const KINDS: [&str; 3] = ["sloc", "unsafe", "license"];

/// The results for one package.
struct Row {
    name: String,
    version: String,
    source: &'static str,
    sloc: Sloc,
    unsafety: Unsafe,
    license: String,
}

/// The job: `report/dependencies`.
pub fn run() -> Result<()> {
    let live = super::live_partitions()?;
    if !live.contains("manifest") {
        return super::report_line("missed", "manifest");
    }
    super::report_line("input", "manifest")?;
    let data = super::data_dir()?;
    let manifest = Manifest::load(&data)?;
    if report_inputs(&manifest, &live)? {
        let rows = manifest
            .packages
            .iter()
            .map(|p| row(&data, p))
            .collect::<Result<Vec<_>>>()?;
        super::write_out(MARKDOWN, markdown(&rows).as_bytes())?;
        super::write_out(CSV, &csv(&rows)?)?;
    }
    Ok(())
}

/// Reports the missed partitions of the packages, or, if none is missing, all of them as inputs. Returns whether none is missing.
fn report_inputs(manifest: &Manifest, live: &HashSet<String>) -> Result<bool> {
    let needed = || {
        KINDS.iter().flat_map(|kind| {
            manifest
                .packages
                .iter()
                .map(move |p| format!("{kind}/{}", p.key))
        })
    };
    let complete = needed().all(|p| live.contains(&p));
    for partition in needed() {
        match (complete, live.contains(&partition)) {
            (true, _) => super::report_line("input", &partition)?,
            (false, false) => super::report_line("missed", &partition)?,
            (false, true) => {}
        }
    }
    Ok(complete)
}

fn row(data: &Path, package: &Package) -> Result<Row> {
    let read = |kind: &str, file: &str| {
        let path = data.join(kind).join(&package.key).join(file);
        super::read_data(&path)
    };
    let parsed = |kind: &str| {
        format!(
            "the partition {kind}/{} was not written by its job",
            package.key
        )
    };
    Ok(Row {
        name: package.name.clone(),
        version: package.version.clone(),
        source: package.source.as_str(),
        sloc: serde_json::from_str(&read("sloc", "sloc.json")?).with_context(|| parsed("sloc"))?,
        unsafety: serde_json::from_str(&read("unsafe", "unsafe.json")?)
            .with_context(|| parsed("unsafe"))?,
        license: license(&read("license", "license.tsv")?),
    })
}

/// The license expression from the result of the license job.
fn license(tsv: &str) -> String {
    let values = |kind: &str| -> Vec<&str> {
        tsv.lines()
            .filter_map(|l| l.split_once('\t'))
            .filter(|(k, _)| *k == kind)
            .map(|(_, v)| v)
            .collect()
    };
    if let Some(expression) = values("license").first() {
        // A slash is the old syntax of cargo for a choice.
        return expression
            .split('/')
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" OR ");
    }
    for kind in ["license-file", "file"] {
        let found = values(kind);
        if !found.is_empty() {
            return format!("see {}", found.join(", "));
        }
    }
    "none found".to_owned()
}

fn totals(rows: &[Row]) -> (Sloc, Unsafe) {
    let mut totals = (Sloc::default(), Unsafe::default());
    for row in rows {
        totals.0.add(&row.sloc);
        totals.1.add(&row.unsafety);
    }
    totals
}

fn markdown(rows: &[Row]) -> String {
    let (sloc, unsafety) = totals(rows);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _ = writeln!(out, "{text}");
    };
    line(format_args!("# Dependencies\n"));
    line(format_args!(
        "{} packages, {} lines of code in {} files, {} uses of `unsafe`.\n",
        rows.len(),
        sloc.lines.code,
        sloc.files,
        unsafety.total()
    ));
    line(format_args!(
        "| package | version | source | files | code | comments | blank | unsafe blocks | fns | impls | traits | \
         externs | attributes | license |"
    ));
    line(format_args!(
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"
    ));
    let mut numbers = |first: [&str; 3], s: &Sloc, u: &Unsafe, last: &str| {
        let l = s.lines;
        line(format_args!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            first[0],
            first[1],
            first[2],
            s.files,
            l.code,
            l.comments,
            l.blank,
            u.blocks,
            u.fns,
            u.impls,
            u.traits,
            u.externs,
            u.attributes,
            last
        ));
    };
    for row in rows {
        numbers(
            [&row.name, &row.version, row.source],
            &row.sloc,
            &row.unsafety,
            &row.license.replace('|', "\\|"),
        );
    }
    numbers(["**total**", "", ""], &sloc, &unsafety, "");
    let mut licenses: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *licenses.entry(&row.license).or_default() += 1;
    }
    line(format_args!(
        "\n## Licenses\n\n| license | packages |\n|---|--:|"
    ));
    for (license, packages) in licenses {
        line(format_args!(
            "| {} | {packages} |",
            license.replace('|', "\\|")
        ));
    }
    out
}

fn csv(rows: &[Row]) -> Result<Vec<u8>> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let header = [
        "package",
        "version",
        "source",
        "files",
        "code",
        "comments",
        "blank",
        "unsafe_blocks",
        "unsafe_fns",
        "unsafe_impls",
        "unsafe_traits",
        "unsafe_externs",
        "unsafe_attributes",
        "license",
    ];
    out.write_record(header)?;
    let (sloc, unsafety) = totals(rows);
    let rows = rows.iter().map(|r| {
        (
            r.name.as_str(),
            r.version.as_str(),
            r.source,
            &r.sloc,
            &r.unsafety,
            r.license.as_str(),
        )
    });
    for (name, version, source, s, u, license) in
        rows.chain([("total", "", "", &sloc, &unsafety, "")])
    {
        let numbers = [
            s.files,
            s.lines.code,
            s.lines.comments,
            s.lines.blank,
            u.blocks,
            u.fns,
            u.impls,
            u.traits,
            u.externs,
            u.attributes,
        ];
        let numbers = numbers.map(|n| n.to_string());
        let record = [name, version, source]
            .into_iter()
            .chain(numbers.iter().map(String::as_str))
            .chain([license]);
        out.write_record(record)?;
    }
    out.into_inner().context("cannot finish the table")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::lexer::Lines;

    fn rows() -> Vec<Row> {
        let row = |name: &str, code, blocks, license: &str| Row {
            name: name.into(),
            version: "1.0.0".into(),
            source: "registry",
            sloc: Sloc {
                files: 1,
                lines: Lines {
                    code,
                    comments: 2,
                    blank: 3,
                },
            },
            unsafety: Unsafe {
                blocks,
                ..Unsafe::default()
            },
            license: license.into(),
        };
        vec![
            row("a", 10, 0, "MIT"),
            row("b", 20, 5, "MIT"),
            row("c", 1, 0, "see LICENSE, x|y"),
        ]
    }

    #[test]
    fn the_report_has_rows_totals_and_licenses() {
        let text = markdown(&rows());
        assert!(text.starts_with(
            "# Dependencies\n\n3 packages, 31 lines of code in 3 files, 5 uses of `unsafe`.\n"
        ));
        assert!(
            text.contains(
                "| b | 1.0.0 | registry | 1 | 20 | 2 | 3 | 5 | 0 | 0 | 0 | 0 | 0 | MIT |\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("| **total** |  |  | 3 | 31 | 6 | 9 | 5 | 0 | 0 | 0 | 0 | 0 |  |\n"),
            "{text}"
        );
        assert!(
            text.ends_with("| MIT | 2 |\n| see LICENSE, x\\|y | 1 |\n"),
            "{text}"
        );
    }

    #[test]
    fn the_table_has_the_same() {
        let text = String::from_utf8(csv(&rows()).unwrap()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[2], "b,1.0.0,registry,1,20,2,3,5,0,0,0,0,0,MIT");
        assert_eq!(
            lines[3],
            "c,1.0.0,registry,1,1,2,3,0,0,0,0,0,0,\"see LICENSE, x|y\""
        );
        assert_eq!(lines[4], "total,,,3,31,6,9,5,0,0,0,0,0,");
    }

    #[test]
    fn licenses() {
        for (tsv, expect) in [
            (
                "license\tMIT OR Apache-2.0\nfile\tLICENSE\n",
                "MIT OR Apache-2.0",
            ),
            ("license\tMIT/Apache-2.0\n", "MIT OR Apache-2.0"),
            ("license\tMIT / Apache-2.0\n", "MIT OR Apache-2.0"),
            (
                "license-file\t../LICENSE.txt\nfile\tLICENSE.txt\n",
                "see ../LICENSE.txt",
            ),
            (
                "file\tLICENSE-A\nfile\tLICENSE-B\n",
                "see LICENSE-A, LICENSE-B",
            ),
            ("", "none found"),
        ] {
            assert_eq!(license(tsv), expect);
        }
    }
}
