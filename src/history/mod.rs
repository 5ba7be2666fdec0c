//! The archives of a directory, without any key: which there are, and which a policy keeps (spec §6.2, `series`).

mod retention;
mod shelf;
mod thinning;

pub use retention::{Kept, Retention, Within, Zone};
pub use shelf::{Group, Shelf, Shelved};
pub use thinning::{Judged, Verdict};

#[cfg(test)]
mod tests;
