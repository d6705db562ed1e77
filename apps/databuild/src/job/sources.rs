//! The source files of a package on disk.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use walkdir::{DirEntry, WalkDir};

use super::packages::{Manifest, Package};

/// The package of a partition `kind/NAME-VERSION`. Reports to databuild that the manifest is read, and the digest.
/// Returns `None`, and reports the manifest as missed, if the manifest is not live.
pub fn package_of(partition: &str) -> Result<Option<Package>> {
    if !super::live_partitions()?.contains("manifest") {
        super::report_line("missed", "manifest")?;
        return Ok(None);
    }
    super::report_line("read", "manifest")?;
    let mut manifest = Manifest::load(&super::data_dir()?)?;
    let package = manifest.take(key_of(partition))?;
    // The digest is taken before the content is read, so that a change in between is detected next time.
    super::report_line("digest", &super::digest::of_package(&package)?)?;
    Ok(Some(package))
}

/// `serde-1.0.228` of `sloc/serde-1.0.228`.
pub fn key_of(partition: &str) -> &str {
    partition.split_once('/').map_or(partition, |(_, key)| key)
}

/// All files of a package, in order of their paths, without hidden files, build output, and nested
/// packages.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    // The directory of databuild may be inside a package.
    let ours = super::data_dir()
        .ok()
        .and_then(|d| d.parent().map(Path::to_owned));
    let wanted = |entry: &DirEntry| {
        if entry.depth() == 0 {
            return true;
        }
        if entry.file_name().to_string_lossy().starts_with('.') {
            return false;
        }
        if !entry.file_type().is_dir() {
            return true;
        }
        let path = entry.path();
        let output = (entry.depth() == 1 && entry.file_name() == "target")
            || path.join("CACHEDIR.TAG").exists();
        !output && !path.join("Cargo.toml").exists() && ours.as_deref() != Some(path)
    };
    let mut files = Vec::new();
    for entry in WalkDir::new(dir).into_iter().filter_entry(wanted) {
        let entry =
            entry.with_context(|| format!("cannot list the package in {}", dir.display()))?;
        // A symbolic link to a file counts as a file.
        let is_file =
            entry.file_type().is_file() || (entry.path_is_symlink() && entry.path().is_file());
        if is_file {
            files.push(entry.into_path());
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// The Rust files of a package, in order of their paths.
pub fn rust_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = files(dir)?;
    files.retain(|f| f.extension().is_some_and(|e| e == "rs"));
    Ok(files)
}

/// The text of a file. Bytes that are not UTF-8 are replaced.
pub fn read_text(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_files_of_the_package() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "Cargo.toml",
            "src/lib.rs",
            "src/target/x.rs",
            "target/debug/x.rs",
            "out/CACHEDIR.TAG",
            "out/x.rs",
            ".git/x.rs",
            "inner/Cargo.toml",
            "inner/src/lib.rs",
            "build.rs",
        ] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let relative = |files: Vec<PathBuf>| -> Vec<String> {
            files
                .iter()
                .map(|f| f.strip_prefix(dir.path()).unwrap().display().to_string())
                .collect()
        };
        assert_eq!(
            relative(files(dir.path()).unwrap()),
            ["Cargo.toml", "build.rs", "src/lib.rs", "src/target/x.rs"]
        );
        assert_eq!(
            relative(rust_files(dir.path()).unwrap()),
            ["build.rs", "src/lib.rs", "src/target/x.rs"]
        );
    }
}
