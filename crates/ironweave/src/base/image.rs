//! The content of a checkpoint as a stream of bytes, for the layers that write and read it. The layer of the log puts it into a
//! file with checksums.

use crate::base::storage_error::StorageError;

/// Receives the content of a checkpoint.
pub trait ImageSink {
    /// Appends bytes.
    ///
    /// # Errors
    /// [`ImageError::Storage`], if they cannot be written.
    fn put(&mut self, bytes: &[u8]) -> Result<(), ImageError>;
}

/// Gives the content of a checkpoint.
pub trait ImageSource {
    /// Returns the next bytes. Nothing is allocated for them before it is known that the file has as many.
    ///
    /// # Errors
    /// [`ImageError::Content`], if there are not as many, or if they are damaged or cannot be read.
    fn take(&mut self, len: usize) -> Result<&[u8], ImageError>;

    /// Returns how many bytes are left.
    fn left(&self) -> u64;
}

/// Why a checkpoint cannot be written or read.
#[derive(Debug)]
pub enum ImageError {
    /// The file cannot be written.
    Storage(StorageError),
    /// The content is invalid, or cannot be put into a checkpoint.
    Content(String),
}

impl ImageError {
    /// Returns the error of invalid content.
    pub(crate) fn content(what: impl std::fmt::Display) -> Self {
        Self::Content(what.to_string())
    }

    /// Returns the error with a name in front of its text.
    pub(crate) fn of(self, name: &str) -> Self {
        match self {
            Self::Content(what) => Self::Content(format!("{name}: {what}")),
            storage => storage,
        }
    }
}

/// Returns the next 4 bytes as a number.
pub(crate) fn take_u32(from: &mut dyn ImageSource) -> Result<u32, ImageError> {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(from.take(4)?);
    Ok(u32::from_le_bytes(bytes))
}

/// Returns the next 8 bytes as a number.
pub(crate) fn take_u64(from: &mut dyn ImageSource) -> Result<u64, ImageError> {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(from.take(8)?);
    Ok(u64::from_le_bytes(bytes))
}

/// Returns an error if fewer than `count` items of `bytes` bytes are left, so that `count` may size an allocation.
pub(crate) fn must_have(from: &dyn ImageSource, count: u64, bytes: u64) -> Result<(), ImageError> {
    if count.checked_mul(bytes).is_some_and(|n| n <= from.left()) {
        return Ok(());
    }
    Err(ImageError::content(format_args!(
        "it has {} bytes left, which are fewer than {count} items of {bytes}",
        from.left()
    )))
}
