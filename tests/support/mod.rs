//! What the integration tests share: sample homes, tree comparison, running the program.

// Every test program uses its own part of this module.
#![allow(dead_code, unreachable_pub)]

pub mod age_keys;
pub mod cli;
pub mod databases;
pub mod home;
pub mod kills;
pub mod listing;
pub mod random;
pub mod rich;
pub mod round_trip;
pub mod scene;
pub mod sqlite;
pub mod stock;
pub mod tree;
