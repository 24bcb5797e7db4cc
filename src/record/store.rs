//! Bytes that are read at any place: a file, or memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// Where the bytes of a recording are.
#[derive(Clone, Debug)]
pub(super) enum Store {
    /// In a file, of which so many bytes are looked at.
    File(Arc<File>, u64),
    /// In memory.
    Memory(Arc<[u8]>),
}

impl Store {
    pub(super) fn file(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self::File(Arc::new(file), size))
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::File(_, size) => *size,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// The `length` bytes from `offset` on; less where it ends.
    pub(super) fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = length.min(left);
        match self {
            Self::File(file, _) => {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, offset)?;
                Ok(bytes)
            }
            Self::Memory(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes[from..from + length].to_vec())
            }
        }
    }
}
