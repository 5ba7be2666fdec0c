//! `ocbak list`: the names in an archive.

mod tree;

use std::path::{Path, PathBuf};

use clap::Args as Group;
use console::style;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use ocbak::{Archive, Entry, Index, Mtime, Node, Noted, Patterns, Role, Secrets, Skipped, sanitize};

use super::args::RoleName;
use super::failure::{Exit, Failure};
use super::json;
use super::shelf;
use super::ui::{Output, Ui, size};
use super::unlock::{UnlockArgs, unlock};

/// List what is in an archive, or the archives of a directory.
///
/// Of an archive, the indexes alone are read. Of a directory, needs no key: when each archive was made, of which
/// installation (the first digits of its series), how large it is, what it holds, and when this machine
/// last verified it; newest first.
#[derive(Debug, Group)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// The archive, or a directory with archives.
    file: PathBuf,
    /// Patterns over whole names, such as `state/agents/*/sessions/**`: `*` stays within a name,
    /// `**` does not, and a directory brings what is below it. Everything, if none is given.
    #[arg(value_name = "GLOB")]
    globs: Vec<String>,
    /// Also show type, mode, size, time of last change and where links lead; an `s` before the size marks what
    /// holds secrets, as far as ocbak knows OpenClaw's places for them.
    #[arg(short, long)]
    long: bool,
    /// Show a tree, each directory with the size of what is in it.
    #[arg(long, conflicts_with_all = ["long", "skipped", "json"])]
    tree: bool,
    /// Show sizes in bytes.
    #[arg(long, requires = "long")]
    bytes: bool,
    /// Only this payload.
    #[arg(long, value_name = "ROLE")]
    payload: Option<RoleName>,
    /// Show times as UTC instead of by this machine's clock.
    #[arg(long)]
    utc: bool,
    /// List what was left out instead, and why.
    #[arg(long, conflicts_with = "long")]
    skipped: bool,
    #[command(flatten)]
    unlock: UnlockArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    if args.file.is_dir() {
        if !args.globs.is_empty() || args.long || args.tree || args.skipped || args.payload.is_some() {
            return Err(Failure::Conflict {
                first: "a directory",
                second: "what lists an archive's content",
            });
        }
        return shelf::run(&args.file, args.utc, ui);
    }
    let patterns = Patterns::parse(&args.globs).map_err(Failure::BadGlob)?;
    let archive = unlock(&args.unlock, &args.file, ui)?;
    let indexes = indexes(&archive, args)?;
    let mut output = Output::new();
    if ui.json {
        let secrets = Secrets::known()?;
        let payloads = indexes.iter().map(|index| Payload::new(index, args, &patterns, &secrets)).collect();
        all_used(&patterns, &args.file)?;
        let mut facts = json::manifest(archive.manifest());
        facts["file"] = json::path(&args.file);
        json::put_warnings(&mut facts, ui);
        if let Some(facts) = facts.as_object_mut() {
            // The members' lengths give way to what is in them.
            facts.remove("payloads");
        }
        output.document(&Document { facts, payloads })?;
    } else {
        let secrets = (args.long || args.tree).then(Secrets::known).transpose()?;
        for index in &indexes {
            let mut entries = index.entries.iter().filter(|one| patterns.select(&one.path));
            match &secrets {
                _ if args.skipped => {
                    for skipped in index.skipped.iter().filter(|one| patterns.select(&one.path)) {
                        output.line(left_out(skipped))?;
                    }
                }
                Some(secrets) if args.tree => tree::write(entries, secrets, &mut output)?,
                Some(secrets) => {
                    entries.try_for_each(|entry| output.line(long(entry, secrets.hold(entry), args)))?;
                }
                None => entries.try_for_each(|entry| output.line(&entry.path))?,
            }
            if output.closed() {
                return Ok(Exit::Done);
            }
        }
        output.finish()?;
        all_used(&patterns, &args.file)?;
    }
    Ok(Exit::Done)
}

fn indexes(archive: &Archive, args: &Args) -> Result<Vec<Index>, Failure> {
    let wanted: Vec<Role> = match args.payload {
        Some(role) => vec![role.into()],
        None => archive.roles().collect(),
    };
    wanted
        .into_iter()
        .map(|role| archive.index(role).map_err(|error| error.within(&args.file).into()))
        .collect()
}

/// The document of `--json`. What it lists is made while it is written: as values of JSON, the
/// entries would take several times the memory of the index.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    facts: Value,
    payloads: Vec<Payload<'a>>,
}

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(flatten)]
    facts: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Each<'a, Entry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Each<'a, Noted>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<Each<'a, Skipped>>,
}

impl<'a> Payload<'a> {
    fn new(index: &'a Index, args: &Args, patterns: &Patterns, secrets: &'a Secrets) -> Self {
        let facts = json!({
            "role": index.role.as_str(),
            "roots": index.source.roots.iter().map(json::root).collect::<Vec<_>>(),
            "facts": index.source.facts,
        });
        let mut payload = Self { facts, entries: None, notes: None, skipped: None };
        if args.skipped {
            let skipped = index.skipped.iter().filter(|one| patterns.select(&one.path));
            payload.skipped = Some(Each(skipped.collect(), Box::new(json::skipped)));
        } else {
            let entries = index.entries.iter().filter(|one| patterns.select(&one.path));
            let facts = |entry: &Entry| {
                let mut facts = facts_of(entry);
                facts["secret"] = secrets.hold(entry).into();
                facts
            };
            payload.entries = Some(Each(entries.collect(), Box::new(facts)));
            payload.notes = Some(Each(index.noted.iter().collect(), Box::new(json::noted)));
        }
        payload
    }
}

/// A list whose values are made one at a time.
struct Each<'a, T>(Vec<&'a T>, Box<dyn Fn(&T) -> Value + 'a>);

impl<T> Serialize for Each<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|one| (self.1)(one)))
    }
}

/// The facts about an entry, for `--json`.
pub(crate) fn facts_of(entry: &Entry) -> Value {
    let mut object = Map::new();
    json::put_name(&mut object, "path", entry.path.as_bytes());
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("mode", format!("{:04o}", entry.mode).into());
    put("mtime", time(entry.mtime).into());
    let kind = match &entry.node {
        Node::File { size, sha256 } => {
            put("size", (*size).into());
            put("sha256", hex::encode(sha256).into());
            "file"
        }
        Node::Directory => "directory",
        Node::Symlink { .. } => "symlink",
        Node::Hardlink { .. } => "hardlink",
    };
    put("type", kind.into());
    match &entry.node {
        Node::Symlink { target } => json::put_name(&mut object, "target", target),
        Node::Hardlink { target } => json::put_name(&mut object, "target", target.as_bytes()),
        Node::File { .. } | Node::Directory => {}
    }
    object.into()
}

/// One line with a remark about something stored.
pub(crate) fn remark(noted: &Noted) -> String {
    format!("{}  ({}: {})", noted.path, noted.why.as_str(), sanitize(noted.detail.as_bytes()))
}

/// One line about something that was left out.
pub(crate) fn left_out(skipped: &Skipped) -> String {
    format!("{}  ({}: {})", skipped.path, skipped.why.as_str(), sanitize(skipped.detail.as_bytes()))
}

/// One line as `ls -l` writes it, less the owner, which an archive does not hold.
fn long(entry: &Entry, is_secret: bool, args: &Args) -> String {
    let (size, target) = match &entry.node {
        Node::File { size: bytes, .. } if args.bytes => (bytes.to_string(), String::new()),
        Node::File { size: bytes, .. } => (size(*bytes), String::new()),
        Node::Directory => ("-".to_owned(), String::new()),
        Node::Symlink { target } => ("-".to_owned(), format!(" -> {}", sanitize(target))),
        Node::Hardlink { target } => ("-".to_owned(), format!(" link to {target}")),
    };
    let mark = if is_secret { style("s").yellow() } else { style(" ") };
    let when = Timestamp::from_second(entry.mtime.seconds)
        .map_or_else(|_| time(entry.mtime), |when| shelf::time(when, args.utc));
    format!("{} {mark} {size:>12} {when:<16} {}{target}", mode(entry), entry.path)
}

fn mode(entry: &Entry) -> String {
    let kind = match entry.node {
        Node::File { .. } => '-',
        Node::Directory => 'd',
        Node::Symlink { .. } => 'l',
        Node::Hardlink { .. } => 'h',
    };
    let mut text = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = entry.mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (entry.mode & special != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

fn time(mtime: Mtime) -> String {
    let nanoseconds = i32::try_from(mtime.nanoseconds);
    let time = nanoseconds.ok().and_then(|nanoseconds| Timestamp::new(mtime.seconds, nanoseconds).ok());
    match time {
        Some(time) => time.to_string(),
        // Beyond the year 9999 a calendar is of no use.
        None => format!("@{}", mtime.seconds),
    }
}

/// Fails where a pattern selected nothing in `file`.
fn all_used(patterns: &Patterns, file: &Path) -> Result<(), Failure> {
    match patterns.unused() {
        Some(glob) => Err(Failure::NoMatch { glob: glob.to_owned(), file: file.to_owned() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use ocbak::{ArchivePath, Entry, Mtime, Node};

    use super::{long, time};
    use crate::cli::args::{Args as Grammar, Command};

    fn entry(mode: u32, node: Node) -> Entry {
        Entry {
            path: ArchivePath::parse(b"state/a").unwrap(),
            mode,
            mtime: Mtime { seconds: 1_795_326_538, nanoseconds: 5 },
            offset: 0,
            node,
        }
    }

    fn line(entry: &Entry, is_secret: bool, words: &[&str]) -> String {
        let words = [&["ocbak", "list", "-l", "--utc", "x"], words].concat();
        let Command::List(args) = Grammar::try_parse_from(words).unwrap().command else { panic!() };
        long(entry, is_secret, &args)
    }

    #[test]
    fn lines_look_like_those_of_ls() {
        let file = entry(0o640, Node::File { size: 7000, sha256: [0; 32] });
        assert_eq!(line(&file, false, &[]), "-rw-r-----        6.8 KiB 2026-11-22 05:48 state/a");
        assert_eq!(line(&file, true, &["--bytes"]), "-rw-r----- s         7000 2026-11-22 05:48 state/a");
        let target = b"x\x1b".to_vec();
        assert_eq!(
            line(&entry(0o777, Node::Symlink { target }), false, &[]),
            "lrwxrwxrwx              - 2026-11-22 05:48 state/a -> x\\u{1b}"
        );
        assert!(line(&entry(0o5711, Node::Directory), false, &[]).starts_with("drws--x--t "));
        assert!(line(&entry(0o2600, Node::Directory), false, &[]).starts_with("drw---S--- "));
    }

    #[test]
    fn times_are_utc_and_never_fail() {
        let at = |seconds, nanoseconds| Mtime { seconds, nanoseconds };
        assert_eq!(time(at(-1, 500_000_000)), "1969-12-31T23:59:59.5Z");
        assert_eq!(time(at(i64::MAX, 0)), format!("@{}", i64::MAX));
    }
}
