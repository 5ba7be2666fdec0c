//! A source with holes: what cannot be read of it, or is cut off, is zeros.
//!
//! So the damage of a medium and that of its bytes are one: zeros fail the check of what they stand in, and of nothing
//! else.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::archive::sealed::Sealed;
use crate::archive::source::{ReadAt, is_gap};
use crate::error::{Error, Result};

/// Reads on where a medium fails.
///
/// # Security
///
/// Only for readers that prove every byte that they use, as [`salvage`](crate::salvage) does.
pub struct Lossy {
    source: Arc<dyn ReadAt>,
    unreadable: AtomicU64,
}

impl Lossy {
    /// Opens a file, or the first of the parts that an archive lies in.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) and [`Invalid`](crate::ErrorKind::Invalid), naming the file.
    pub fn open(path: &Path) -> Result<Self> {
        Sealed::find(path).map(Self::new)
    }

    /// Wraps a source.
    #[must_use]
    pub fn new(source: Arc<dyn ReadAt>) -> Self {
        Self { source, unreadable: AtomicU64::new(0) }
    }

    /// Returns how many bytes the medium refused; those that were asked for twice count twice.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }
}

impl ReadAt for Lossy {
    /// Reads at an offset; never fails.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        // A sector that fails must not take those around it: one at a time then.
        let rest = SECTOR - offset % SECTOR;
        let sector = usize::try_from(rest).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        let mut refused = 0;
        for length in [buffer.len(), sector] {
            loop {
                match self.source.read_at(&mut buffer[..length], offset) {
                    Ok(0) => {
                        buffer.fill(0);
                        return Ok(buffer.len());
                    }
                    Ok(count) => return Ok(count),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => {
                        // Of a part that is missing, nothing was refused.
                        refused = if is_gap(&error) { 0 } else { sector as u64 };
                        break;
                    }
                }
            }
        }
        buffer[..sector].fill(0);
        self.unreadable.fetch_add(refused, Ordering::Relaxed);
        Ok(sector)
    }

    fn length(&self) -> io::Result<u64> {
        self.source.length()
    }

    fn faults(&self, whole: u64) -> Vec<Error> {
        self.source.faults(whole)
    }
}

/// What a drive loses at a time.
const SECTOR: u64 = 4096;

#[cfg(test)]
pub(crate) mod tests {
    use std::io;
    use std::ops::Range;
    use std::sync::Arc;

    use super::Lossy;
    use crate::archive::source::ReadAt;

    /// Bytes that fail in some ranges, as a drive does: what comes before a bad sector can be read.
    pub(crate) struct Failing {
        pub(crate) bytes: Vec<u8>,
        pub(crate) bad: Vec<Range<u64>>,
    }

    impl ReadAt for Failing {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let end = offset + buffer.len() as u64;
            if self.bad.iter().any(|bad| bad.start < end && offset < bad.end) {
                return Err(io::Error::other("bad sector"));
            }
            self.bytes.read_at(buffer, offset)
        }

        fn length(&self) -> io::Result<u64> {
            self.bytes.length()
        }
    }

    #[test]
    fn what_fails_or_is_cut_is_zeros_and_nothing_else() {
        let bytes: Vec<u8> = (0..20_000_u32).map(|at| u8::try_from(at % 250).unwrap() + 1).collect();
        let bad = vec![5000..5001, 9000..13_000];
        let lossy = Lossy::new(Arc::new(Failing { bytes: bytes.clone(), bad }));
        let mut expected = bytes;
        expected[4096..8192].fill(0);
        expected[8192..16_384].fill(0);
        expected.resize(30_000, 0);
        for step in [1, 512, 3000, 4096, 30_000] {
            let mut found = vec![7; 30_000];
            let mut at = 0;
            while at < found.len() {
                let end = found.len().min(at + step);
                at += lossy.read_at(&mut found[at..end], at as u64).unwrap();
            }
            // In steps smaller than a sector, no more is lost than was refused.
            let right = |(found, right): (&u8, &u8)| found == right || (step < 4096 && *right == 0);
            assert!(found.iter().zip(&expected).all(right), "{step}");
            assert!(found[9000..13_000].iter().chain(&found[20_000..]).all(|byte| *byte == 0), "{step}");
        }
        assert!(lossy.unreadable() > 0);
        assert_eq!(lossy.length().unwrap(), 20_000);
    }
}
