//! Errors of commands, and the exit codes that they have.

use std::io;

use ironweave::raw_log::CopyError;
use ironweave::{NameError, OpenError, ReadError, Seq, StorageError};

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// The log has a problem, an operation failed, or nothing was found: exit code 1.
    Problem(String),
    /// The arguments cannot be used with this log: exit code 2.
    Usage(String),
    /// The reader of the output has closed it, as in `ironweave log show | head`: exit code 0, without a message.
    Closed,
}

pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A problem for which a value is the message.
    pub fn problem(message: impl ToString) -> Self {
        Self::Problem(message.to_string())
    }

    /// A mistake in the arguments for which a value is the message.
    pub fn usage(message: impl ToString) -> Self {
        Self::Usage(message.to_string())
    }

    /// An error of the output.
    pub fn output(e: &io::Error) -> Self {
        if e.kind() == io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        Self::Problem(format!("cannot write the output: {e}"))
    }
}

macro_rules! problems {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(e: $error) -> Self {
                Self::problem(e)
            }
        })*
    };
}

problems!(StorageError, OpenError);

impl From<ReadError> for Failure {
    fn from(e: ReadError) -> Self {
        // The advice of the library is for programs.
        match &e {
            ReadError::Ahead { asked, last } => no_such_frame(asked.seq(), *last),
            ReadError::NotYet { time, last, .. } => Self::Usage(format!(
                "{time} is in the future, and the last transaction of the log was at {last}; name that time or an earlier one"
            )),
            // The user named a frame or a time that the log does not have.
            _ if e.storage().is_none() => Self::usage(e),
            _ => Self::problem(e),
        }
    }
}

/// The failure of a frame that a user named and the log does not have.
pub fn no_such_frame(seq: Seq, last: Option<Seq>) -> Failure {
    let has = last.map_or("it is empty".into(), |last| {
        format!("its last frame is {last}")
    });
    Failure::Usage(format!("the log has no frame {seq}: {has}"))
}

impl From<NameError> for Failure {
    fn from(e: NameError) -> Self {
        Self::usage(e)
    }
}

impl From<CopyError> for Failure {
    fn from(e: CopyError) -> Self {
        match e {
            CopyError::NoSuchFrame { .. }
            | CopyError::InsideMigration { .. }
            | CopyError::SameDirectory { .. }
            | CopyError::InsideStore { .. } => Self::usage(e),
            _ => Self::problem(e),
        }
    }
}
