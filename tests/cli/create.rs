//! Making archives.
