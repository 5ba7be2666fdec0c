//! How the library tells its caller what happens, and learns that it shall stop.
//!
//! The library prints nothing; long work speaks through this trait.

use crate::error::{Error, Result};

/// Receives progress and messages of long work.
///
/// Called from several threads.
pub trait Observer: Send + Sync {
    /// Plaintext bytes done since the last call.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }

    /// Something a person should know that does not stop the work.
    fn warn(&self, message: &str) {
        let _ = message;
    }

    /// Whether the work shall stop as soon as it can.
    fn cancelled(&self) -> bool {
        false
    }

    /// Fails once the work shall stop.
    ///
    /// # Errors
    ///
    /// [`Interrupted`](crate::ErrorKind::Interrupted).
    fn check(&self) -> Result<()> {
        if self.cancelled() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// Hears nothing and never stops the work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
