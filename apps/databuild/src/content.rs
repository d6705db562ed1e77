//! The content hash of a partition: of what a run left in its output directory.
//!
//! Partitions with the same hash are taken for the same, so what is made from one need not be built again if it is replaced by
//! another. The hash covers the relative path and the type of each entry, the bytes of files and whether they can be executed, and the
//! targets of symbolic links. Times and owners do not count. It is XXH3 with 128 bits, which is not cryptographic: a job whose output
//! an adversary can choose prints a `content` of its own.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

/// Hashes a directory. Reads all files in it, in memory of a constant size.
///
/// # Errors
/// If something in it cannot be read.
pub fn hash(dir: &Path) -> io::Result<String> {
    let mut hash = Xxh3::new();
    let text = |hash: &mut Xxh3, bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for entry in walkdir::WalkDir::new(dir).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        let path = entry.path();
        let inner = path.strip_prefix(dir).unwrap_or(path);
        text(&mut hash, inner.as_os_str().as_bytes());
        let kind = entry.file_type();
        if kind.is_file() {
            let mut file = open(path)?;
            let meta = file.metadata()?;
            hash.update(if is_executable(&meta) { b"x" } else { b"f" });
            let read = io::copy(&mut file, &mut hash)?;
            hash.update(&read.to_le_bytes());
        } else if kind.is_symlink() {
            hash.update(b"l");
            text(&mut hash, std::fs::read_link(path)?.as_os_str().as_bytes());
        } else {
            // Pipes and sockets have no content.
            hash.update(if kind.is_dir() { b"d" } else { b"o" });
        }
    }
    Ok(format!("{:032x}", hash.digest128()))
}

fn is_executable(meta: &Metadata) -> bool {
    meta.permissions().mode() & 0o111 != 0
}

/// Opens a file or a directory for reading. If it was replaced in the meantime, a link is not followed, and a pipe not waited for.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    File::options().read(true).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory with a file, a link and an empty directory, after a change.
    fn changed(change: impl FnOnce(&Path)) -> String {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("inner/empty")).unwrap();
        fs::write(dir.path().join("inner/x"), "text").unwrap();
        symlink("inner/x", dir.path().join("link")).unwrap();
        change(dir.path());
        hash(dir.path()).unwrap()
    }

    #[test]
    fn directories_with_the_same_content_have_the_same_hash() {
        let before = changed(|_| {});
        let touched = changed(|dir| {
            let file = File::options().append(true).open(dir.join("inner/x"));
            file.unwrap()
                .set_modified(std::time::SystemTime::UNIX_EPOCH)
                .unwrap();
        });
        assert_eq!((before.len(), &before), (32, &touched));
    }

    #[test]
    fn each_change_gives_another_hash() {
        let changes: [fn(&Path); 9] = [
            |_| {},
            |dir| fs::write(dir.join("inner/x"), "Text").unwrap(),
            |dir| fs::write(dir.join("inner/x"), "").unwrap(),
            |dir| fs::rename(dir.join("inner/x"), dir.join("inner/y")).unwrap(),
            |dir| fs::rename(dir.join("inner/x"), dir.join("x")).unwrap(),
            |dir| fs::remove_dir(dir.join("inner/empty")).unwrap(),
            |dir| {
                fs::remove_file(dir.join("link")).unwrap();
                symlink("inner/y", dir.join("link")).unwrap();
            },
            |dir| {
                fs::remove_file(dir.join("link")).unwrap();
                fs::write(dir.join("link"), "inner/x").unwrap();
            },
            |dir| {
                let mode = fs::Permissions::from_mode(0o755);
                fs::set_permissions(dir.join("inner/x"), mode).unwrap();
            },
        ];
        let hashes: std::collections::BTreeSet<String> = changes.map(changed).into_iter().collect();
        assert_eq!(hashes.len(), changes.len());
    }

    #[test]
    fn what_cannot_be_read_has_no_hash() {
        let dir = tempfile::tempdir().unwrap();
        assert!(hash(&dir.path().join("x")).is_err());
    }
}
