//! Child processes: a test runs another one of its binary as a process of its own, which writes to a store and prints
//! a line for each receipt, and kills it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A test that runs as a process of its own.
pub struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

/// Starts the test of that name in a module (`module_path!()`), with variables in its environment.
pub fn start<V: AsRef<OsStr>>(module: &str, test: &str, variables: &[(&str, V)]) -> Running {
    // The test harness names tests without the crate, whose root is the first segment.
    let (_, module) = module.split_once("::").unwrap_or(("", module));
    let mut child = Command::new(std::env::current_exe().expect("a test has a path"))
        .args(["--exact", "--nocapture", &format!("{module}::{test}")])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child can be started");
    let output = child.stdout.take().expect("the output is a pipe");
    Running {
        child,
        lines: BufReader::new(output).lines(),
    }
}

/// Prints a receipt. It counts as given once it is out, so the caller takes no further step before.
pub fn print_receipt(receipt: &str) {
    // The full stop tells a line that was cut off by the kill.
    writeln!(std::io::stdout(), "receipt {receipt}.").expect("the parent reads");
}

impl Running {
    /// The next receipt that the child printed; `None` after its last.
    pub fn next_receipt(&mut self) -> Option<String> {
        loop {
            let line = self.lines.next()?.ok()?;
            let receipt = line.split_once("receipt ").map(|(_, receipt)| receipt);
            if let Some(receipt) = receipt.and_then(|receipt| receipt.strip_suffix('.')) {
                return Some(receipt.to_owned());
            }
        }
    }

    /// Kills the child. The result has the receipts that it printed and that were not read yet.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("the child can be killed");
        let mut rest = Vec::new();
        while let Some(receipt) = self.next_receipt() {
            rest.push(receipt);
        }
        self.child.wait().expect("the child ends");
        rest
    }
}
