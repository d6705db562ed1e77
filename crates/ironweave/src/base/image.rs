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

    /// Returns some of the next bytes, those that are known without reading the file. They are not taken.
    fn ready(&self) -> &[u8] {
        &[]
    }

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

/// Numbers of 4 bytes that follow each other, which are taken many at a time.
pub(crate) struct Numbers<'a> {
    from: &'a mut dyn ImageSource,
    /// How many are not in the block.
    left: u64,
    block: Vec<u32>,
    /// How many of the block were returned.
    at: usize,
}

impl<'a> Numbers<'a> {
    /// How many numbers are taken at a time.
    const BLOCK: u64 = 4096;

    /// The next numbers of a source.
    ///
    /// # Errors
    /// If there are not as many.
    pub(crate) fn of(from: &'a mut dyn ImageSource, count: u64) -> Result<Self, ImageError> {
        must_have(from, count, 4)?;
        Ok(Self {
            from,
            left: count,
            block: Vec::new(),
            at: 0,
        })
    }

    /// Returns the next number.
    ///
    /// # Errors
    /// If all were returned, or what follows is damaged or cannot be read.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<u32, ImageError> {
        if self.at == self.block.len() {
            self.refill()?;
        }
        let number = self.block.get(self.at).copied();
        self.at += 1;
        number.ok_or_else(|| ImageError::content("it ends too early"))
    }

    #[cold]
    fn refill(&mut self) -> Result<(), ImageError> {
        let count = self.left.min(Self::BLOCK);
        self.left -= count;
        let bytes = self.from.take(4 * count as usize)?;
        let (numbers, _) = bytes.as_chunks();
        self.block.clear();
        self.block
            .extend(numbers.iter().map(|bytes| u32::from_le_bytes(*bytes)));
        self.at = 0;
        Ok(())
    }

    /// Returns the numbers that are left.
    ///
    /// # Errors
    /// As [`next`](Numbers::next).
    pub(crate) fn rest(mut self) -> Result<Vec<u32>, ImageError> {
        let mut all = self.block.split_off(self.at.min(self.block.len()));
        while self.left > 0 {
            self.refill()?;
            all.extend_from_slice(&self.block);
        }
        Ok(all)
    }
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
