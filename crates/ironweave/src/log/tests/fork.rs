//! A process that is forked while it has a log open.

use super::super::head::Lock;
use super::*;

#[test]
fn a_fork_of_the_process_that_opened_a_log_neither_writes_nor_gives_the_lock_back() {
    {
        let dir = tempfile::tempdir().unwrap();
        let mut log = FileLog::open(dir.path(), LogOptions::default()).unwrap();
        let frame = |seq| FrameHeader::new(seq, 0, FrameKind::Schema, 0);
        log.append(frame(Seq::ZERO), b"x").unwrap();
        let segment = segment_path(dir.path(), 0);
        let before = std::fs::read(&segment).unwrap();

        // In a fork, the files are those of the other process, and the process id is different.
        let _of_the_other = log._lock.file.try_clone().unwrap();
        log.process ^= 1;
        log._lock.process ^= 1;
        let refused = log.append(frame(Seq::new(1)), b"x").unwrap_err();
        let AppendError::Refused(error) = refused else {
            panic!("{refused}");
        };
        assert!(
            error.is_locked() && error.holder() == Some(log.process),
            "{error}"
        );
        assert!(error.to_string().contains("is a fork"), "{error}");
        assert!(log.sync().unwrap_err().is_locked());
        drop(log);
        assert_eq!(std::fs::read(&segment).unwrap(), before);
        assert!(!dir.path().join("HEAD").exists());
        assert!(Lock::acquire(dir.path()).unwrap_err().is_locked());
    }
}
