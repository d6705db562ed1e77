//! Counts the lines of a package's Rust files.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::lexer::{Lines, lex};
use super::sources;

/// The lines of a package.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sloc {
    /// The number of files.
    pub files: u64,
    /// The lines in them.
    #[serde(flatten)]
    pub lines: Lines,
}

impl Sloc {
    /// Adds the counts of another.
    pub fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.lines.code += other.lines.code;
        self.lines.comments += other.lines.comments;
        self.lines.blank += other.lines.blank;
    }
}

/// The job: `sloc/NAME-VERSION`.
pub fn run(partition: &str) -> Result<()> {
    let Some(package) = sources::package_of(partition)? else {
        return Ok(());
    };
    let mut sloc = Sloc::default();
    for file in sources::rust_files(&package.dir)? {
        sloc.add(&Sloc {
            files: 1,
            lines: lex(&sources::read_text(&file)?, |_| {}),
        });
    }
    super::write_json("sloc.json", &sloc)
}
