//! `ocbak config`: what the config file says, and what goes without saying.

use clap::Args as Group;
use serde_json::{Map, Value, json};

use super::{Loaded, rehearse};
use crate::cli::create::LEVEL;
use crate::cli::failure::{Exit, Failure};
use crate::cli::json;
use crate::cli::ui::{self, Output, Ui, shown};

/// Show the options that stand in the config file, and the defaults of those that do not.
///
/// The file is `~/.config/ocbak/config.toml`, or below `XDG_CONFIG_HOME`, or the one that `--config-file` names
/// (`/dev/null` for none). Its keys: `destination`, `recipients`, `recipients-files`, `passphrase-file`,
/// `passphrase-command`, `identities`, `exclude`, `level`, `parity`, and in `[keep]` `last`, `hourly`, `daily`,
/// `weekly`, `monthly`, `yearly` and `within`. Each stands for the option of that name; the command
/// line wins, keys given there take the place of all keys in the file, and patterns to exclude add up.
#[derive(Debug, Group)]
pub(crate) struct Args {}

pub(crate) fn run(ui: &Ui) -> Result<Exit, Failure> {
    let loaded = Loaded::read(ui.config_file.as_deref())?;
    if let Some(warning) = loaded.warning() {
        ui.warn(warning);
    }
    // What `create` refuses is not shown as if it held.
    if loaded.exists {
        rehearse(&loaded, false, ui)?;
    }
    let mut settings = Map::new();
    flatten("", serde_json::to_value(&loaded.config).unwrap_or_default(), &mut settings);
    let mut defaults = Map::new();
    for (key, value) in [("destination", json!(".")), ("level", json!(LEVEL)), ("parity", json!(2))] {
        if !settings.contains_key(key) {
            defaults.insert(key.to_owned(), value);
        }
    }
    if ui.json {
        let mut document = json!({
            "file": json::path(&loaded.path),
            "exists": loaded.exists,
            "settings": settings,
            "defaults": defaults,
        });
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
        return Ok(Exit::Done);
    }
    let mut output = Output::new();
    let without = if loaded.exists { "" } else { ", which is not there" };
    output.line(format_args!("# {}{without}", shown(&loaded.path)))?;
    for (key, value) in &settings {
        output.line(format_args!("{key} = {value}"))?;
    }
    for (key, value) in &defaults {
        output.line(format_args!("{key} = {value}  # default"))?;
    }
    output.finish()?;
    Ok(Exit::Done)
}

/// Puts the values in tables under dotted keys.
fn flatten(above: &str, value: Value, into: &mut Map<String, Value>) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                let key = if above.is_empty() { key } else { format!("{above}.{key}") };
                flatten(&key, value, into);
            }
        }
        value => {
            into.insert(above.to_owned(), value);
        }
    }
}
