//! What becomes of each entry of a backup: its name, its place in the order, and what is to be said of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::entry::{Mtime, NoteReason, Noted, Role, Root, SkipReason, Skipped, Source, clip};
use crate::import::names::{Names, target_of};
use crate::import::roots::{NativeRoot, Roots};
use crate::import::survey::{EACH, limit};
use crate::import::tape::{Kind, Record};
use crate::observer::Observer;
use crate::openclaw::native::{
    Covered, NativeManifest, NativeSkipped, is_plain, is_transcript, lists_sessions,
};
use crate::openclaw::policy::Policy;
use crate::path::{ArchivePath, sanitize};

/// A payload to be written.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) role: Role,
    pub(super) source: Source,
    /// Ascending by name.
    pub(super) items: Vec<Planned>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) noted: Vec<Noted>,
}

impl Payload {
    pub(super) fn content(&self) -> u64 {
        let size = |item: &Planned| if let What::File { size, .. } = item.what { size } else { 0 };
        self.items.iter().map(size).sum()
    }
}

/// An entry to be written.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) path: ArchivePath,
    pub(super) mode: u32,
    pub(super) mtime: Mtime,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Directory,
    Symlink(Vec<u8>),
    Hardlink(ArchivePath),
    /// With the number of its record.
    File {
        size: u64,
        number: u32,
    },
}

/// Plans the payloads that there is something for, the state first.
pub(super) fn plan(
    manifest: &NativeManifest,
    records: Vec<Record>,
    observer: &dyn Observer,
) -> Result<Vec<Payload>> {
    let mut planner = Planner {
        manifest,
        prefix: manifest.prefix(),
        names: Names::new(manifest, HashMap::new()),
        roots: Roots::default(),
        facts: BTreeMap::new(),
        observer,
    };
    planner.names = Names::new(manifest, planner.links(&records)?);
    let files = planner.configuration(&records)?;
    planner.roots = Roots::new(manifest, &mut planner.names, &files)?;
    planner.facts = planner.facts();
    let mut items = planner.items(records)?;
    let mut payloads = Vec::new();
    for role in Role::ALL {
        let items = items.remove(&role).unwrap_or_default();
        // As in any other archive, what there is nothing of has a payload all the same.
        if !items.is_empty() || role == Role::State || manifest.looked_for_workspaces() {
            payloads.push(planner.payload(role, items)?);
        }
    }
    planner.tell();
    Ok(payloads)
}

struct Planner<'a> {
    manifest: &'a NativeManifest,
    prefix: String,
    names: Names<'a>,
    roots: Roots,
    facts: BTreeMap<String, String>,
    observer: &'a dyn Observer,
}

impl Planner<'_> {
    /// Where all links lead.
    fn links(&self, records: &[Record]) -> Result<HashMap<PathBuf, Vec<u8>>> {
        let mut links = HashMap::new();
        for record in records {
            self.observer.check()?;
            if let Kind::Symlink(target) = &record.kind
                && let Some(place) = self.place(&record.name, &record.kind)?
            {
                links.insert(place, target.clone());
            }
        }
        Ok(links)
    }

    /// The files of the configuration that are there, as far as the manifest names them.
    fn configuration(&self, records: &[Record]) -> Result<HashSet<PathBuf>> {
        let named = self.manifest.configuration().map(|path| self.names.resolve(path));
        let mut missing: HashSet<Vec<u8>> =
            named.map(|place| [self.prefix.as_bytes(), place.as_os_str().as_bytes()].concat()).collect();
        let mut found = HashSet::new();
        for record in records {
            self.observer.check()?;
            if matches!(record.kind, Kind::File(_) | Kind::Hardlink(_)) && missing.remove(&record.name) {
                found.extend(self.place(&record.name, &record.kind)?);
            }
        }
        Ok(found)
    }

    fn items(&self, records: Vec<Record>) -> Result<BTreeMap<Role, BTreeMap<ArchivePath, Planned>>> {
        let mut items: BTreeMap<Role, BTreeMap<ArchivePath, Planned>> = BTreeMap::new();
        // Files by their names in the tar, for the links to them that follow.
        let linked = records.iter().any(|record| matches!(record.kind, Kind::Hardlink(_)));
        let mut files: HashMap<Vec<u8>, (u64, u32, u32, Mtime)> = HashMap::new();
        let mut missing: HashSet<&Path> =
            self.manifest.assets.iter().map(|asset| asset.source_path.as_path()).collect();
        for (number, record) in (0_u32..).zip(records) {
            self.observer.check()?;
            let Record { name, mut mode, mut mtime, kind } = record;
            let Some(place) = self.place(&name, &kind)? else { continue };
            if !missing.is_empty() {
                for above in place.ancestors() {
                    missing.remove(above);
                }
            }
            let what = match kind {
                Kind::Directory => What::Directory,
                Kind::Symlink(target) => What::Symlink(target),
                Kind::File(size) => What::File { size, number },
                Kind::Hardlink(target) => {
                    let file = files.get(&target).ok_or_else(|| {
                        let (name, target) = (sanitize(&name), sanitize(&target));
                        Error::malformed(format!("tar: `{name}` is a link to `{target}`, no file before it"))
                    })?;
                    let (size, number);
                    (size, number, mode, mtime) = *file;
                    What::File { size, number }
                }
            };
            if let (What::File { size, number }, true) = (&what, linked) {
                files.insert(name, (*size, *number, mode, mtime));
            }
            let root = self
                .roots
                .of(&place)
                .ok_or_else(|| Error::malformed(format!("tar: `{}` is in no root", shown(&place))))?;
            let path = root.name(&place)?;
            let planned = Planned { path: path.clone(), mode, mtime, what };
            if items.entry(root.role).or_default().insert(path, planned).is_some() {
                return Err(Error::malformed(format!("tar: `{}` stands in it twice", shown(&place))));
            }
        }
        // OpenClaw: what `manifest.json` names is there, if only as an empty directory.
        match missing.into_iter().min() {
            Some(source) => {
                let source = shown(source);
                Err(Error::malformed(format!("tar: nothing of `{source}`, which `manifest.json` names")))
            }
            None => Ok(items),
        }
    }

    /// Where an entry comes from; `None` for what is no part of the content.
    fn place(&self, name: &[u8], kind: &Kind) -> Result<Option<PathBuf>> {
        // No `..`, no empty component, not absolute.
        ArchivePath::parse(name)?;
        let root = self.manifest.archive_root.as_bytes();
        let foreign =
            || Error::malformed(format!("tar: `{}` is in nothing that was backed up", sanitize(name)));
        let is_above = matches!(kind, Kind::Directory)
            && self
                .prefix
                .as_bytes()
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
        let place = match name.strip_prefix(self.prefix.as_bytes()) {
            Some(place) if place.starts_with(b"/") => PathBuf::from(OsStr::from_bytes(place)),
            _ if is_above || name.strip_prefix(root) == Some(b"/manifest.json") => return Ok(None),
            _ => return Err(foreign()),
        };
        match self.manifest.covers(&place) {
            Covered::Yes => Ok(Some(place)),
            Covered::Above if matches!(kind, Kind::Directory) => Ok(None),
            Covered::Above | Covered::No => Err(foreign()),
        }
    }

    fn payload(&self, role: Role, mut items: BTreeMap<ArchivePath, Planned>) -> Result<Payload> {
        complete(&mut items, self.observer)?;
        let used = |root: &&NativeRoot| root.role == role && items.contains_key(&root.path);
        let roots = self.roots.iter().filter(used).map(|root| Root {
            path: root.path.clone(),
            source: root.source.as_os_str().as_bytes().to_vec(),
            agents: root.agents.clone(),
        });
        let source = Source { roots: roots.collect(), facts: self.facts.clone() };
        let mut items: Vec<Planned> = items.into_values().collect();
        join_links(&mut items);
        let noted = self.remarks(role, &items)?;
        self.warn(noted.iter().map(|note| format!("`{}`: {}", note.path, note.detail)));
        Ok(Payload { role, source, items, skipped: self.skipped(role)?, noted })
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = self.manifest.facts(&|place| self.names.told(place));
        // One behind a link that is not in the backup is known by its own place: there its paths are rewritten.
        let told = self.manifest.paths.config_path.as_ref().map(|path| self.names.resolve(path));
        if let Some(place) = self.roots.configuration().filter(|place| told.as_deref() != Some(*place))
            && let Some(text) = self.names.told(place).to_str()
        {
            facts.insert("config".to_owned(), text.to_owned());
        }
        facts
    }

    /// What a person should look at.
    fn remarks(&self, role: Role, items: &[Planned]) -> Result<Vec<Noted>> {
        let policy = Policy::new(&[], &[], false)?;
        let transcripts = items.iter().filter(|item| is_transcript(&item.path));
        let with_transcripts: HashSet<ArchivePath> =
            transcripts.filter_map(|item| item.path.parent()).collect();
        let mut noted = Vec::new();
        for item in items {
            self.observer.check()?;
            let detail = match &item.what {
                // Links in workspaces are the user's own.
                What::Symlink(target) if role == Role::State => self
                    .leads_out(item, target)
                    .filter(|place| policy.misses(&item.path, place))
                    .map(|place| format!("a link to `{}`, which the backup does not hold", shown(&place))),
                What::File { size, .. }
                    if *size > EMPTY_LIST
                        && lists_sessions(&item.path)
                        && item.path.parent().is_some_and(|parent| !with_transcripts.contains(&parent)) =>
                {
                    let detail =
                        "lists sessions whose transcripts are not in the backup: OpenClaw leaves them out";
                    Some(detail.to_owned())
                }
                _ => None,
            };
            if let Some(detail) = detail {
                let (path, why, detail) = (item.path.clone(), NoteReason::Incomplete, clip(detail));
                noted.push(Noted { path, why, detail });
            }
        }
        Ok(noted)
    }

    /// Where a link leads, if that is not in the backup.
    fn leads_out(&self, item: &Planned, target: &[u8]) -> Option<PathBuf> {
        let place = target_of(&self.roots.place_of(&item.path)?, target);
        let place = self.names.resolve(&place);
        (self.manifest.covers(&place) != Covered::Yes).then_some(place)
    }

    /// Roots within others, and what the backup says that it left out of a root.
    fn skipped(&self, role: Role) -> Result<Vec<Skipped>> {
        let mut skipped = Vec::new();
        for (root, above) in self.roots.nested().filter(|(_, above)| above.role == role) {
            let detail = format!("stored as `{}`", root.path);
            skipped.push(Skipped { path: root.name_in(above)?, why: SkipReason::Root, detail });
        }
        for left in self.manifest.skipped.iter().filter(|left| !left.is_covered()) {
            self.observer.check()?;
            let within = self.root_of(left).filter(|(root, _)| root.role == role);
            let name = within.and_then(|(root, place)| Some((root, root.name(&place).ok()?)));
            if let Some((_, path)) = name.filter(|(root, path)| *path != root.path) {
                let reason = sanitize(left.reason.as_bytes());
                let detail = clip(format!("`openclaw backup` left it out: {reason}"));
                skipped.push(Skipped { path, why: SkipReason::Policy, detail });
            }
        }
        Ok(skipped)
    }

    /// The root that something left out lies in, or is, and its place.
    fn root_of(&self, left: &NativeSkipped) -> Option<(&NativeRoot, PathBuf)> {
        let place = Some(self.names.resolve(&left.source_path)).filter(|_| is_plain(&left.source_path))?;
        Some((self.roots.enclosing(&place)?, place))
    }

    /// Says what is missing of which no root can tell.
    fn tell(&self) {
        if self.manifest.left_out_workspaces() {
            self.observer.warn("the backup was made without workspaces");
        }
        if !self.facts.contains_key("home") {
            self.observer.warn(
                "the backup does not tell which home it is of: to restore it to another home, say by `--map` what goes where",
            );
        }
        let lost = self.roots.lost.iter().filter(|_| self.manifest.looked_for_workspaces());
        self.warn(lost.map(|path| {
            let path = shown(path);
            format!("workspace `{path}` is behind a link that the backup does not hold: make it again after a restore")
        }));
        let left = self.manifest.skipped.iter().filter(|left| !left.is_covered());
        self.warn(left.filter(|left| self.root_of(left).is_none()).map(|left| {
            let path = shown(&left.source_path);
            let (kind, reason) = (sanitize(left.kind.as_bytes()), sanitize(left.reason.as_bytes()));
            clip(format!("not in the backup: `{path}` ({kind}): {reason}"))
        }));
    }

    /// Says as much as a person reads.
    fn warn(&self, mut messages: impl Iterator<Item = String>) {
        messages.by_ref().take(MOST_NAMED).for_each(|message| self.observer.warn(&message));
        let more = messages.count();
        if more > 0 {
            self.observer.warn(&format!("{more} more messages like these"));
        }
    }
}

/// Adds the directories above entries that are not there: a backup of a single file has none.
fn complete(items: &mut BTreeMap<ArchivePath, Planned>, observer: &dyn Observer) -> Result<()> {
    let mut missing = BTreeMap::new();
    let mut memory = 0;
    for path in items.keys() {
        observer.check()?;
        let above = std::iter::successors(path.parent(), ArchivePath::parent);
        // Above a root with a name of two components is no root, and no entry.
        for path in above.take_while(|above| !GROUPS.contains(&above.as_bytes())) {
            if items.contains_key(&path) || missing.contains_key(&path) {
                break;
            }
            memory += EACH + 2 * path.as_bytes().len();
            limit("memory for directories that are not in it", memory as u64, MISSING)?;
            let mtime = Mtime::default();
            missing.insert(path.clone(), Planned { path, mode: 0o700, mtime, what: What::Directory });
        }
    }
    items.append(&mut missing);
    Ok(())
}

/// Of several names of one file, the first in order has the content.
fn join_links(items: &mut [Planned]) {
    let mut first: HashMap<u32, ArchivePath> = HashMap::new();
    for item in items {
        if let What::File { number, .. } = item.what {
            match first.get(&number) {
                Some(path) => item.what = What::Hardlink(path.clone()),
                None => drop(first.insert(number, item.path.clone())),
            }
        }
    }
}

fn shown(place: &Path) -> String {
    sanitize(place.as_os_str().as_bytes())
}

/// What names of roots begin with (spec §8.2).
const GROUPS: [&[u8]; 3] = [b"agent", b"include", b"workspace"];

/// A name of two thousand components, as long as names can be, takes half of it; those of OpenClaw take nothing.
const MISSING: u64 = 16 << 20;
/// `{}` and a line end, or less.
const EMPTY_LIST: u64 = 4;
/// Messages of a kind.
const MOST_NAMED: usize = 100;
