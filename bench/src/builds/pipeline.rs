//! The pipeline, as each of the tools reads it.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The parts of a group.
const GROUP: usize = 100;

/// What databuild reads. The digest of a source is its time and size, as make and ninja have it.
const JOBS: &str = r#"
[[job]]
partitions = "source/{g}"
command = ["sh", "-c", '''
    read -r line < "$DATABUILD_JOBS/src/$FIELD_G"; echo "$line" > out
    stat --printf '{"digest": "%y %s"}\n' "$DATABUILD_JOBS/src/$FIELD_G"
''']
digest = ["sh", "-c", '''
    cd "$DATABUILD_JOBS/src" && for name; do set -- "$@" "${name#source/}"; shift; done
    stat --printf '{"partition": "source/%n", "digest": "%y %s"}\n' "$@"
''', "digest"]

[[job]]
partitions = "part/{g}/{i}"
inputs = ["source/{g}"]
command = ["sh", "-c", 'read -r line < "$DATABUILD_DATA/source/$FIELD_G/out"; echo "$line" > out']
"#;

/// What Luigi reads.
const TASKS: &str = r#"
import subprocess
import luigi


class Step(luigi.Task):
    name = luigi.Parameter()

    def output(self):
        return luigi.LocalTarget("out/" + self.name)

    def run(self):
        kind, group = self.name.split("/")[:2]
        read = {"source": "src/" + group, "part": "out/source/" + group}.get(kind)
        script = 'read -r line < "$1"; echo "$line" > "$2"' if read else 'echo "$1" > "$2"'
        subprocess.run(["sh", "-c", script, "sh", read or group, "out/" + self.name], check=True)

    def requires(self):
        kind, group = self.name.split("/")[:2]
        if kind == "part":
            return Step("source/" + group)
        if kind == "total":
            return [Step(name) for name in PARTS[group]]


if __name__ == "__main__":
    PARTS = {}
    for line in open("parts"):
        PARTS.setdefault(line.split("/")[1], []).append(line.strip())
    totals = [Step("total/" + group) for group in PARTS]
    if not luigi.build(totals, workers=2, local_scheduler=True, log_level="ERROR"):
        raise SystemExit(1)
"#;

/// A pipeline in a directory.
pub struct Pipeline {
    /// The directory.
    pub dir: PathBuf,
    groups: Vec<Vec<String>>,
}

impl Pipeline {
    /// Writes the sources, and what the tools read.
    pub fn write(dir: &Path, parts: usize) -> Result<Self, Box<dyn Error>> {
        let numbers: Vec<usize> = (0..parts).collect();
        let digits = parts.div_ceil(GROUP).saturating_sub(1).to_string().len();
        let groups: Vec<Vec<String>> = (numbers.chunks(GROUP).enumerate())
            .map(|(g, all)| {
                let names = all
                    .iter()
                    .map(|i| format!("part/{g:0digits$}/{:02}", i % GROUP));
                names.collect()
            })
            .collect();
        let pipeline = Self {
            dir: dir.to_owned(),
            groups,
        };
        for sub in ["src", "out/source", "out/total"] {
            fs::create_dir_all(dir.join(sub))?;
        }
        for group in pipeline.names() {
            fs::create_dir_all(dir.join("out/part").join(&group))?;
            fs::write(dir.join("src").join(&group), format!("{group}\n"))?;
        }
        fs::write(dir.join("jobs.toml"), pipeline.jobs())?;
        fs::write(dir.join("Makefile"), pipeline.makefile())?;
        fs::write(dir.join("build.ninja"), pipeline.ninja())?;
        fs::write(dir.join("tasks.py"), TASKS)?;
        let names = pipeline.groups.iter().flatten();
        fs::write(
            dir.join("parts"),
            names.map(|name| format!("{name}\n")).collect::<String>(),
        )?;
        Ok(pipeline)
    }

    /// The names of the groups.
    fn names(&self) -> impl Iterator<Item = String> {
        let parts = self.groups.iter().filter_map(|parts| parts.first());
        parts.filter_map(|part| part.split('/').nth(1).map(str::to_owned))
    }

    /// What databuild is to build.
    pub fn wanted(&self) -> String {
        let names: Vec<String> = self.names().collect();
        let only = &names[0];
        match names.last() {
            Some(last) if last != only => format!("total/{{{only}..{last}}}"),
            _ => format!("total/{only}"),
        }
    }

    /// What is made from all parts of the first group.
    pub fn total(&self) -> String {
        let first = self.names().next().unwrap_or_default();
        format!("total/{first}")
    }

    /// A part.
    pub fn part(&self) -> String {
        self.groups[0][0].clone()
    }

    /// Changes the first source, which then has other bytes and another time.
    pub fn change(&self) -> std::io::Result<()> {
        let name = self.names().next().unwrap_or_default();
        fs::write(self.dir.join("src").join(name), "changed by the bench\n")
    }

    /// Compares what a tool has built with the sources.
    ///
    /// # Errors
    /// If a part is missing, or has other bytes.
    pub fn check(&self, tool: &str) -> Result<(), Box<dyn Error>> {
        for (group, parts) in self.names().zip(&self.groups) {
            let source = fs::read_to_string(self.dir.join("src").join(group))?;
            for part in parts {
                let built = match tool {
                    "databuild" => self.dir.join("databuild/data").join(part).join("out"),
                    _ => self.dir.join("out").join(part),
                };
                let text = fs::read_to_string(&built)?;
                if text != source {
                    return Err(format!("{tool}: {part} is `{text}`, not `{source}`").into());
                }
            }
        }
        Ok(())
    }

    fn jobs(&self) -> String {
        // The last group may be smaller, so each group declares its own parts.
        let mut text = JOBS.to_owned();
        for (group, parts) in self.names().zip(&self.groups) {
            let inputs: Vec<String> = parts.iter().map(|part| format!("{part:?}")).collect();
            let _ = write!(
                text,
                "\n[[job]]\npartitions = \"total/{group}\"\ncommand = [\"sh\", \"-c\", 'echo {group} > out']\ninputs = [{}]\n",
                inputs.join(", ")
            );
        }
        text
    }

    fn makefile(&self) -> String {
        let mut text = "all:".to_owned();
        self.names()
            .for_each(|g| text += &format!(" out/total/{g}"));
        text += "\n";
        for (g, parts) in self.names().zip(&self.groups) {
            let _ = write!(
                text,
                "out/source/{g}: src/{g}\n\tread -r line < $<; echo \"$$line\" > $@\nout/total/{g}:"
            );
            parts
                .iter()
                .for_each(|part| text += &format!(" out/{part}"));
            let _ = write!(text, "\n\techo {g} > $@\n");
            for part in parts {
                let _ = write!(
                    text,
                    "out/{part}: out/source/{g}\n\tread -r line < $<; echo \"$$line\" > $@\n"
                );
            }
        }
        text
    }

    fn ninja(&self) -> String {
        let mut text = "rule copy\n  command = read -r line < $in; echo \"$$line\" > $out\n\
                        rule total\n  command = echo total > $out\n"
            .to_owned();
        for (g, parts) in self.names().zip(&self.groups) {
            let _ = writeln!(text, "build out/source/{g}: copy src/{g}");
            let _ = write!(text, "build out/total/{g}: total");
            parts
                .iter()
                .for_each(|part| text += &format!(" out/{part}"));
            text += "\n";
            for part in parts {
                let _ = writeln!(text, "build out/{part}: copy out/source/{g}");
            }
        }
        text
    }
}
