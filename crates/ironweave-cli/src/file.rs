//! Files that commands write: they are complete or not there, also after an interruption.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::process;

use crate::failure::{Failure, Result};
use crate::interrupt;

/// Writes a file, and replaces an existing one. The content is written to a temporary file in the same directory, which then gets
/// the name. A path that is not a writable regular file, such as `/dev/stdout` or a link, is written to directly, and so is a file in
/// a directory that takes no new ones.
pub fn write(path: &Path, content: &[u8]) -> Result {
    try_write(path, content)
        .map_err(|e| Failure::Problem(format!("cannot write {}: {e}", path.display())))
}

fn try_write(path: &Path, content: &[u8]) -> io::Result<()> {
    let former = fs::symlink_metadata(path).ok();
    let Some(name) = path.file_name() else {
        return fs::write(path, content);
    };
    let is_direct = |former: &fs::Metadata| !former.is_file() || former.permissions().readonly();
    if former.as_ref().is_some_and(is_direct) {
        return fs::write(path, content);
    }
    let mut temporary = name.to_owned();
    temporary.push(format!(".{}.tmp", process::id()));
    let temporary = path.with_file_name(temporary);
    let Ok(file) = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&temporary)
    else {
        return fs::write(path, content);
    };
    interrupt::removes(temporary.clone());
    let permissions = former.map(|former| former.permissions());
    let written = fill(file, content, permissions).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn fill(mut file: File, content: &[u8], permissions: Option<fs::Permissions>) -> io::Result<()> {
    file.write_all(content)?;
    match permissions {
        Some(permissions) => file.set_permissions(permissions),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_no_other_one_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net.pnml");
        write(&path, b"a long former content").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["net.pnml"]);
    }

    /// A program that has the former file open still reads all of it.
    #[cfg(unix)]
    #[test]
    fn the_former_file_is_not_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net.pnml");
        write(&path, b"former").unwrap();
        let other = dir.path().join("other");
        fs::hard_link(&path, &other).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"former");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("net.pnml"), dir.path().join("link"));
        fs::write(&path, "former").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_directory_and_what_is_in_none_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_owned(), dir.path().join("no/where")] {
            let Err(Failure::Problem(message)) = write(&path, b"new") else {
                panic!("{}", path.display());
            };
            assert!(
                message.starts_with(&format!("cannot write {}: ", path.display())),
                "{message}"
            );
        }
        assert_eq!(names(dir.path()), [""; 0]);
    }
}
