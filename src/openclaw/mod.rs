//! Everything that is known about OpenClaw: where an installation lies and what in it is worth keeping.
//!
//! No other module knows OpenClaw's names.

mod channels;
pub(crate) mod columns;
mod config;
mod config_file;
mod environment;
mod gateway;
mod include;
mod installed;
mod locate;
pub(crate) mod native;
pub(crate) mod policy;
mod profile;
mod release;
pub(crate) mod relocate;
mod secrets;
mod service;
mod state;
pub(crate) mod tables;
mod variables;
mod workspaces;

pub use environment::Environment;
pub use gateway::{Holder, Usage};
pub use installed::Installed;
pub use locate::{Installation, Location, Search};
pub use secrets::Secrets;
pub use workspaces::{AgentDir, Workspace};

pub(crate) use channels::RATCHETS;
pub(crate) use config_file::holds_configuration;
pub(crate) use environment::{expand, host};
pub(crate) use include::MAX_SIZE as MAX_CONFIG_SIZE;
pub(crate) use locate::SHARED_DATABASE;
pub(crate) use service::Service;
pub(crate) use state::{last_used, schema_version};
pub(crate) use variables::assignments;
pub(crate) use workspaces::{agent_id, named_workspaces};
