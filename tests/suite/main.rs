//! What the whole program does: one test program, since each costs a link.

#[path = "../support/mod.rs"]
mod support;

mod acceptance;
mod bad_input;
mod benches;
mod comparison;
mod counts;
mod credentials;
mod damage;
mod drives;
mod examples;
mod fixtures;
mod full_disk;
mod hygiene;
mod import;
mod interrupt;
mod kills;
mod large;
mod memory;
mod migration;
mod mount;
mod only_config;
mod output;
mod passwd;
mod rot;
mod sample_homes;
mod trouble;
mod undo;
mod writer;
