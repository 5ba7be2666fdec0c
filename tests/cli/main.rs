//! The command line, through the real program.

#[path = "../support/mod.rs"]
mod shared;

mod check;
mod config;
mod create;
mod diff;
mod documents;
mod drive;
mod export;
mod help;
mod history;
mod identities;
mod keygen;
mod locate;
mod looks;
mod manual;
mod passphrase_command;
mod passwd;
mod past;
mod plugins;
mod prompt;
mod read;
mod rekey;
mod repair;
mod restore;
mod salvage;
mod schedule;
mod secrets;
mod session;
mod split;
mod support;
mod surroundings;
mod unattended;
mod usage;
