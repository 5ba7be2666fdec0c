//! The command line, through the real program.

mod check;
mod create;
mod diff;
mod drive;
mod export;
mod help;
mod history;
mod identities;
mod keygen;
mod locate;
mod passphrase_command;
mod passwd;
mod past;
mod prompt;
mod read;
mod rekey;
mod repair;
mod restore;
mod salvage;
mod secrets;
mod split;
mod support;
mod surroundings;
mod unattended;
mod usage;
