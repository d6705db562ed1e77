//! Directory listings concurrent with a writer. A listing is not atomic: it may contain a file that was created during the
//! listing, and may miss a file that was created before that file.

use super::super::listing::{LISTINGS, Listing};
use super::*;

/// Sets the next listings of this thread.
fn list(listings: Vec<Listing>) {
    LISTINGS.set(listings.into());
}

/// Checks that all prepared listings were used.
fn all_were_made() {
    assert!(LISTINGS.with_borrow(|listings| listings.is_empty()));
}

/// A listing without some of the names.
fn without(hidden: &[Seq]) -> Listing {
    let hidden = hidden.to_vec();
    Box::new(move |names| {
        assert!(
            hidden.iter().all(|name| names.contains(name)),
            "{hidden:?} of {names:?}"
        );
        names
            .into_iter()
            .filter(|name| !hidden.contains(name))
            .collect()
    })
}

/// A complete listing.
fn whole() -> Listing {
    Box::new(|names| names)
}

/// The first sequences of the segments.
fn names(dir: &Path) -> Vec<Seq> {
    let names = segment_files(dir).into_iter();
    names
        .map(|path| path.file_stem().unwrap().to_str().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn two_segments_that_begin_while_the_directory_is_listed_are_no_gap() {
    let dir = scratch();
    let mut log = FileLog::open(dir.path(), small()).unwrap();
    append(&mut log, 0);
    let mut reader = ReadOnlyLog::open(dir.path()).unwrap();
    let path = dir.path().to_owned();
    // The listing has begun: the writer rolls twice, and only the later name is seen.
    let (done, written) = std::sync::mpsc::channel();
    list(vec![Box::new(move |before| {
        let mut seq = 1;
        while names(&path).len() < 3 {
            append(&mut log, seq);
            seq += 1;
        }
        done.send((log, seq)).unwrap();
        let now = names(&path);
        assert_eq!((before, now.len()), (vec![Seq::ZERO], 3));
        vec![now[0], now[2]]
    })]);
    let head = reader.refresh().unwrap().unwrap();
    all_were_made();
    let (_log, seq) = written.recv().unwrap();
    assert_eq!(head.seq + 1, seq);
    assert_eq!(check(reader.read(Seq::ZERO).unwrap(), 0), seq);
}

#[test]
fn whatever_a_listing_misses_a_reader_finds_all_that_is_there() {
    let dir = scratch();
    fill(dir.path(), small(), 20);
    let all = names(dir.path());
    assert!(all.len() > 4);
    for hidden in 0..1u32 << all.len().min(8) {
        let hidden: Vec<Seq> = (all.iter().enumerate())
            .filter(|(i, _)| hidden >> i & 1 == 1)
            .map(|(_, name)| *name)
            .collect();
        // Either every listing misses the same name, or only the first listing does.
        for listings in [1, 2 * all.len()] {
            list((0..listings).map(|_| without(&hidden)).collect());
            let opened = ReadOnlyLog::open(dir.path());
            LISTINGS.take();
            match opened {
                Ok(reader) => {
                    // A newest segment that every listing misses did not exist yet.
                    let found = check(reader.read(Seq::ZERO).unwrap(), 0);
                    assert!(found == 20, "{hidden:?} hidden {listings} times: {found}");
                }
                // `HEAD` names the newest segment.
                Err(error) => {
                    assert!(error.is_damage() && listings > 1, "{hidden:?}: {error}");
                    assert!(hidden.contains(all.last().unwrap()), "{hidden:?}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_segment_that_is_gone_when_it_is_to_be_read_is_looked_for_again() {
    let dir = scratch();
    fill(dir.path(), small(), 8);
    let mut reader = ReadOnlyLog::open(dir.path()).unwrap();
    // The next one was listed, and a writer that opened the log has removed it, since its header was torn.
    let absent = || -> Listing {
        Box::new(|mut names| {
            names.push(Seq::new(8));
            names
        })
    };
    list(vec![absent(), whole()]);
    assert_eq!(reader.refresh().unwrap().unwrap().seq, 7);
    all_were_made();
    // If a second listing has the same absent segment, the refresh fails.
    list(vec![absent(), absent(), whole()]);
    assert!(reader.refresh().is_err());
    LISTINGS.take();
}

#[test]
fn a_segment_that_is_missing_is_damage_however_often_it_is_looked_for() {
    let dir = scratch();
    fill(dir.path(), small(), 20);
    let all = names(dir.path());
    for missing in &all[..all.len() - 1] {
        let path = segment_path(dir.path(), *missing);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        for error in [
            ReadOnlyLog::open(dir.path()).unwrap_err(),
            FileLog::open(dir.path(), small()).unwrap_err(),
        ] {
            assert!(error.is_damage(), "{error}");
        }
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(reopen(dir.path(), small()).unwrap(), 20);
}
