//! The options by which a restore fits what it restores to the place it goes to, and what it says
//! about that.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args as Group;
use rustix::process::geteuid;
use serde_json::{Value, json};

use ocbak::{Adaptation, Error, Owner, Plan, Rewritten, sanitize};

use super::failure::Failure;
use super::json;
use super::ui::{Output, count};

/// How what is restored is fitted to its place.
#[derive(Debug, Group)]
#[command(next_help_heading = "Another home, user or machine")]
pub(crate) struct Adapting {
    /// What lay below OLD goes below NEW, and paths in configuration and databases say so; may be
    /// repeated. Home and state directory need none.
    #[arg(long = "map", value_name = "OLD=NEW", conflicts_with = "to")]
    maps: Vec<String>,
    /// Leave the paths in configuration and databases as they are.
    #[arg(long, conflicts_with = "to")]
    no_remap: bool,
    /// Whom everything restored shall belong to, for root; without it, the owner of the home
    /// directory that is restored to. Directories around it that are there already keep theirs.
    #[arg(long, value_name = "USER[:GROUP]")]
    pub(crate) owner: Option<String>,
}

impl Adapting {
    /// Reads the options; `home` is the home directory that is restored to.
    pub(crate) fn adaptation(&self, home: Option<&Path>) -> Result<Adaptation, Failure> {
        let maps = self.maps.iter().map(|map| parse_map(map)).collect::<Result<_, _>>()?;
        let owner = match &self.owner {
            Some(owner) => Some(parse_owner(owner, &read_lines("/etc/passwd"), &read_lines("/etc/group"))?),
            None => home.and_then(home_owner),
        };
        Ok(Adaptation { maps, keep_paths: self.no_remap, owner })
    }
}

/// The facts of a plan about this, for `--json`.
pub(crate) fn planned(plan: &Plan) -> Value {
    json!({
        "moves": moves(&plan.moves()),
        "files": plan.rewrites().iter().map(|file| json::path(file)).collect::<Vec<_>>(),
    })
}

/// What was rewritten, for `--json`.
pub(crate) fn rewritten(rewritten: &Rewritten) -> Value {
    let file = |(file, paths): &(PathBuf, u64)| json!({ "file": json::path(file), "paths": paths });
    json!({
        "moves": moves(&rewritten.moves),
        "files": rewritten.files.iter().map(file).collect::<Vec<_>>(),
        "links": rewritten.links,
        "tables": rewritten.tables,
        "left": rewritten.left,
    })
}

/// Says what will be rewritten.
pub(crate) fn say_plan(plan: &Plan, output: &mut Output) -> Result<(), Failure> {
    let moves = plan.moves();
    if moves.is_empty() {
        return Ok(());
    }
    output.line("paths that change:")?;
    for (old, new) in &moves {
        output.line(format_args!("  {} -> {}", shown(old), shown(new)))?;
    }
    for file in plan.rewrites() {
        output.line(format_args!("  in {}", shown(file)))?;
    }
    Ok(())
}

/// Says what was rewritten.
pub(crate) fn say_end(plan: &Plan, rewritten: &Rewritten, output: &mut Output) -> Result<(), Failure> {
    let planned = plan.moves();
    for (old, new) in rewritten.moves.iter().filter(|pair| !planned.contains(pair)) {
        output.line(format_args!(
            "the database is of an installation that came from elsewhere: {} -> {} as well",
            shown(old),
            shown(new)
        ))?;
    }
    for (file, paths) in &rewritten.files {
        output.line(format_args!("rewrote {} in {}", count(*paths, "path", "paths"), shown(file)))?;
    }
    let rows = rewritten.tables.values().sum();
    if rows > 0 {
        let tables: Vec<&str> = rewritten.tables.keys().map(String::as_str).collect();
        output.line(format_args!(
            "rewrote {} of the shared database in {}",
            count(rows, "row", "rows"),
            tables.join(", ")
        ))?;
    }
    if rewritten.links > 0 {
        output.line(format_args!("rewrote {}", count(rewritten.links, "symbolic link", "symbolic links")))?;
    }
    Ok(())
}

fn moves(moves: &[(PathBuf, PathBuf)]) -> Value {
    moves.iter().map(|(old, new)| json!({ "old": json::path(old), "new": json::path(new) })).collect()
}

fn shown(path: &Path) -> String {
    sanitize(path.as_os_str().as_encoded_bytes())
}

/// Two absolute paths; a `=` in the old one is none that a `/` follows.
fn parse_map(text: &str) -> Result<(PathBuf, PathBuf), Failure> {
    let parts = text.split_once("=/").filter(|(old, _)| old.starts_with('/') && old.len() > 1);
    let (old, new) = parts.ok_or_else(|| {
        Failure::Argument(Error::Invalid {
            what: format!("`{}` is not two absolute paths with `=` between", sanitize(text.as_bytes())),
        })
    })?;
    Ok((old.into(), Path::new("/").join(new.trim_start_matches('/'))))
}

/// Names are those of the user database's files; numbers are taken as they are.
fn parse_owner(text: &str, users: &[String], groups: &[String]) -> Result<Owner, Failure> {
    let unknown = |what: &str, name: &str| {
        let what = format!("there is no {what} `{}`", sanitize(name.as_bytes()));
        Failure::Argument(Error::Invalid { what })
    };
    let (user_name, group_name) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let record = |lines: &[String], name: &str| {
        let fields = |line: &String| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        let matches = |fields: &Vec<String>| {
            fields.len() > 3 && (fields[0] == name || (number(name).is_some() && fields[2] == name))
        };
        lines.iter().map(fields).find(matches)
    };
    let known = record(users, user_name);
    let user = known.as_ref().and_then(|fields| number(&fields[2])).or_else(|| number(user_name));
    let group = if let Some(name) = group_name {
        let known = record(groups, name).and_then(|fields| number(&fields[2]));
        known.or_else(|| number(name)).ok_or_else(|| unknown("group", name))?
    } else {
        let own = known.as_ref().and_then(|fields| number(&fields[3]));
        own.ok_or_else(|| unknown("user", user_name))?
    };
    Ok(Owner { user: user.ok_or_else(|| unknown("user", user_name))?, group })
}

/// A number that can be an owner's: the largest one means none.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number != u32::MAX)
}

fn read_lines(path: &str) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Root restores for the user whose home it is.
fn home_owner(home: &Path) -> Option<Owner> {
    let home = fs::metadata(home).ok().filter(|_| geteuid().is_root())?;
    let owner = Owner { user: home.uid(), group: home.gid() };
    (owner.user != 0).then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::{Owner, parse_map, parse_owner};

    #[test]
    fn maps_are_two_absolute_paths() {
        let parse = |text: &str| {
            let (old, new) = parse_map(text).ok()?;
            Some(format!("{} {}", old.display(), new.display()))
        };
        assert_eq!(parse("/home/al=/home/bo").as_deref(), Some("/home/al /home/bo"));
        assert_eq!(parse("/a=b=/c").as_deref(), Some("/a=b /c"));
        for wrong in ["", "/a", "/a=", "/a=b", "a=/b", "=/b", "/=/b", "~/a=/b"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn owners_are_names_or_numbers() {
        let users = ["root:x:0:0::/root:/bin/sh", "sam:x:1000:1001:Sam:/home/sam:/bin/sh"].map(str::to_owned);
        let groups = ["root:x:0:", "staff:x:50:sam"].map(str::to_owned);
        let parse = |text: &str| parse_owner(text, &users, &groups).ok();
        for (text, user, group) in [
            ("sam", 1000, 1001),
            ("1000", 1000, 1001),
            ("sam:staff", 1000, 50),
            ("sam:7", 1000, 7),
            ("7:staff", 7, 50),
            ("7:8", 7, 8),
        ] {
            assert_eq!(parse(text), Some(Owner { user, group }), "{text}");
        }
        for wrong in ["", "nobody-here", "7", "sam:", ":", "sam:none", "-1:0", "4294967295:0"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
