//! Gives the rows about workspaces their new keys.
//!
//! OpenClaw: a workspace is known by the lower-case hexadecimal SHA-256 of its absolute path with
//! links resolved, an alias by that of the path before; memory rows begin with the same key or
//! with its first 24 digits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::openclaw::relocate::database::Rewriting;
use crate::openclaw::relocate::{ordered, strings};

/// A workspace that moves.
struct Move {
    old: String,
    new: String,
    new_key: String,
}

pub(super) fn relocate(rewriting: &mut Rewriting<'_>, known: &[PathBuf]) -> rusqlite::Result<()> {
    let memory = memory_rows(rewriting)?;
    let mut paths: BTreeSet<String> =
        known.iter().filter_map(|path| path.to_str()).map(str::to_owned).collect();
    for table in ["workspace_setup_state", "workspace_path_aliases"] {
        paths.extend(rewriting.rows.texts(table, "workspace_path")?);
    }
    paths.extend(memory.iter().filter_map(|[_, _, value]| workspace_of(value)));
    let pairs = paths.into_iter().filter_map(|old| rewriting.relocation.real(&old).map(|new| (old, new)));
    let (pairs, circle) = ordered(pairs.collect());
    let mut moves: BTreeMap<String, Move> = BTreeMap::new();
    let mut held: BTreeSet<String> = circle.iter().map(|(old, _)| old.clone()).collect();
    for (old, new) in pairs {
        let (old_key, new_key) = (key(&old), key(&new));
        let is_gone = moves.contains_key(&new_key);
        let is_new = moves.values().all(|other| other.new != new);
        if !has_rows(rewriting, &old_key, &memory)? {
            continue;
        }
        if is_new && (is_gone || !has_rows(rewriting, &new_key, &memory)?) {
            set_up(rewriting, &old_key, &new, &new_key)?;
            moves.insert(old_key, Move { old, new, new_key });
        } else {
            rewriting.conflict(format!("workspace `{old}`: there are rows of `{new}`"));
            held.insert(old);
        }
    }
    for (old, new) in circle {
        rewriting.conflict(format!("workspace `{old}`: `{new}` moves as well"));
    }
    aliases(rewriting, &moves, &held)?;
    memories(rewriting, &moves, memory)
}

/// Lower-case hexadecimal SHA-256 of a path.
fn key(path: &str) -> String {
    hex::encode(Sha256::digest(path))
}

fn has_rows(rewriting: &Rewriting<'_>, key: &str, memory: &[[String; 3]]) -> rusqlite::Result<bool> {
    for table in KEYED {
        let sql = format!("SELECT 1 FROM {table} WHERE workspace_key = ?1");
        if rewriting.rows.have(table, &["workspace_key"])? && rewriting.rows.any(&sql, &[&key])? {
            return Ok(true);
        }
    }
    Ok(memory.iter().any(|[_, entry, _]| {
        entry.split_once(':').is_some_and(|(own, _)| own == key || own == &key[..SHORT_KEY])
    }))
}

/// Rows that are keyed by the workspace itself.
fn set_up(rewriting: &mut Rewriting<'_>, old_key: &str, new: &str, new_key: &str) -> rusqlite::Result<()> {
    let table = "workspace_setup_state";
    if rewriting.rows.have(table, &["workspace_key", "workspace_path"])? {
        // A row without a path is one whose workspace is forgotten, and stays that.
        let rows = rewriting.rows.change(
            "UPDATE workspace_setup_state SET workspace_key = ?2, \
             workspace_path = CASE WHEN workspace_path IS NULL THEN NULL ELSE ?3 END WHERE workspace_key = ?1",
            &[&old_key, &new_key, &new],
        )?;
        rewriting.count(table, rows);
    }
    let table = "workspace_generated_bootstrap_hashes";
    if rewriting.rows.have(table, &["workspace_key"])? {
        let sql =
            "UPDATE workspace_generated_bootstrap_hashes SET workspace_key = ?2 WHERE workspace_key = ?1";
        let rows = rewriting.rows.change(sql, &[&old_key, &new_key])?;
        rewriting.count(table, rows);
    }
    Ok(())
}

fn aliases(
    rewriting: &mut Rewriting<'_>,
    moves: &BTreeMap<String, Move>,
    held: &BTreeSet<String>,
) -> rusqlite::Result<()> {
    let table = "workspace_path_aliases";
    if !rewriting.rows.have(table, &["alias_key", "alias_path", "workspace_key", "workspace_path"])? {
        return Ok(());
    }
    let sql = "SELECT alias_key, alias_path, workspace_key, workspace_path FROM workspace_path_aliases";
    for [alias_key, alias, workspace_key, workspace] in rewriting.rows.all(sql)? {
        if held.contains(&workspace) {
            continue;
        }
        let destination = moves.get(&workspace_key);
        let (new_key, new) = destination
            .map_or((&workspace_key, &workspace), |destination| (&destination.new_key, &destination.new));
        // A workspace is an alias of itself, and is so at its real place.
        let new_alias = if alias == workspace {
            new.clone()
        } else {
            rewriting.relocation.text(&alias).unwrap_or_else(|| alias.clone())
        };
        if (&new_alias, new) == (&alias, &workspace) {
            continue;
        }
        let new_alias_key = if alias_key == key(&alias) { key(&new_alias) } else { alias_key.clone() };
        let rows = rewriting.rows.change(
            "UPDATE OR IGNORE workspace_path_aliases SET alias_key = ?2, alias_path = ?3, \
             workspace_key = ?4, workspace_path = ?5 WHERE alias_key = ?1",
            &[&alias_key, &new_alias_key, &new_alias, new_key, new],
        )?;
        rewriting.count(table, rows);
        if rows == 0 {
            rewriting.conflict(format!("{table}: `{alias}`, because `{new_alias}` is there"));
        }
    }
    Ok(())
}

/// Namespace, key and value of every row that the memory plugin keeps.
fn memory_rows(rewriting: &Rewriting<'_>) -> rusqlite::Result<Vec<[String; 3]>> {
    let columns = ["plugin_id", "namespace", "entry_key", "value_json"];
    if !rewriting.rows.have("plugin_state_entries", &columns)? {
        return Ok(Vec::new());
    }
    rewriting.rows.all(
        "SELECT namespace, entry_key, value_json FROM plugin_state_entries WHERE plugin_id = 'memory-core'",
    )
}

fn memories(
    rewriting: &mut Rewriting<'_>,
    moves: &BTreeMap<String, Move>,
    memory: Vec<[String; 3]>,
) -> rusqlite::Result<()> {
    for [namespace, entry, value] in memory {
        let Some((own, rest)) = entry.split_once(':') else {
            continue;
        };
        let found = match own.len() {
            SHORT_KEY => moves.iter().find(|(old_key, _)| old_key.starts_with(own)),
            _ => moves.get_key_value(own),
        };
        let Some((old_key, destination)) = found else {
            continue;
        };
        let new_entry = format!("{}:{rest}", &destination.new_key[..own.len()]);
        let (new_value, _) = strings::rewrite(&value, |text| match text {
            _ if text == old_key => Some(destination.new_key.clone()),
            _ if text == destination.old => Some(destination.new.clone()),
            _ => None,
        });
        let rows = rewriting.rows.change(
            "UPDATE OR IGNORE plugin_state_entries SET entry_key = ?3, value_json = ?4 \
             WHERE plugin_id = 'memory-core' AND namespace = ?1 AND entry_key = ?2",
            &[&namespace, &entry, &new_entry, &new_value],
        )?;
        rewriting.count("plugin_state_entries", rows);
        if rows == 0 {
            let (old, new) = (&destination.old, &destination.new);
            rewriting.conflict(format!("memory row `{entry}` of `{old}`: there is one of `{new}`"));
        }
    }
    Ok(())
}

fn workspace_of(value: &str) -> Option<String> {
    let value: Value = serde_json::from_str(value).ok()?;
    Some(value["workspaceDir"].as_str()?.to_owned())
}

const KEYED: [&str; 3] =
    ["workspace_setup_state", "workspace_path_aliases", "workspace_generated_bootstrap_hashes"];

/// Digits of a key that the rows of memory events begin with.
const SHORT_KEY: usize = 24;
