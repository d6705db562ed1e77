//! Takes the picture of databuild's pages that the README shows: the grid of the demo, as it was while it was being built.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use headless::{Browser, Window};

use crate::tools;

/// The file, below the root of the repository.
const FILE: &str = "apps/databuild/grid.png";
/// The greatest length of the file, because it is in the repository.
const BYTES_MAX: usize = 150_000;
/// The window.
const WINDOW: Window = Window {
    width: 1200,
    height: 720,
    ..Window::DESKTOP
};

/// A daemon, which is ended when this is dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Writes the picture.
pub fn run() -> Result<()> {
    let mut browser = Browser::start().context("a picture needs Chromium")?;
    tools::run(tools::cargo(&["build", "--package", "databuild"]).arg("--quiet"))?;
    let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
    let mut command = Command::new(tools::databuild()?);
    command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--dir"]);
    command.arg(dir.path()).stdout(Stdio::piped());
    let child = command.spawn().context("cannot start databuild")?;
    let mut daemon = Daemon(child);
    let stdout = daemon.0.stdout.as_mut().context("it is piped")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let address = line.trim().split(" at ").last().unwrap_or_default();
    ensure!(address.starts_with("http://"), "databuild prints {line:?}");

    let mut page = browser.page(WINDOW);
    let complete = |more: &str| {
        format!(
            "document.querySelector('td.cell') && !document.querySelector('main').ariaBusy && {more}"
        )
    };
    page.open(&format!("{address}/grid"), &complete("true"));
    // A day of the second month fails while others are being built.
    let then = page.eval(
        "fetch('/api/history/votes/2026-02-17').then((answer) => answer.json()).then((story) => \
         story.entries.find((entry) => entry.text === 'failed').seq + 4)",
    );
    let then = then.as_u64().context("the day has not failed")?;
    let at = format!("{address}/grid?at={then}");
    page.open(&at, &complete("location.search !== ''"));
    let picture = page.screenshot(false);
    ensure!(
        picture.len() <= BYTES_MAX,
        "the picture has {} bytes, more than {BYTES_MAX}",
        picture.len()
    );
    let file = tools::root().join(FILE);
    fs::write(&file, picture).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}
