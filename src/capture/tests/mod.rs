//! Captures of hostile and of ordinary trees into memory.

mod ahead;
mod contents;
mod databases;
mod files;
mod roots;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::capture::readahead::Pace;
use crate::capture::record::Sink;
use crate::capture::{CaptureOptions, preview, record};
use crate::error::Result;
use crate::format::entry::{
    Item, ItemKind, Mtime, NoteReason, Noted, Role, SkipReason, Skipped, Source, Xattr,
};
use crate::format::order::EntryOrder;
use crate::observer::{Observer, Silent};
use crate::openclaw::{Environment, Installation, Search};
use crate::path::ArchivePath;

/// A home to be captured.
struct Test {
    home: TempDir,
    scratch: TempDir,
    options: CaptureOptions,
}

impl Test {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let test = Self {
            home: tempfile::tempdir().unwrap(),
            options: CaptureOptions { scratch: Some(scratch.path().to_owned()), ..CaptureOptions::default() },
            scratch,
        };
        fs::create_dir(test.state("")).unwrap();
        test
    }

    fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.home.path().join(name)
    }

    fn state(&self, name: impl AsRef<Path>) -> PathBuf {
        self.at(".openclaw").join(name)
    }

    /// Writes a file below home, and the directories around it.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), content).unwrap();
    }

    fn installation(&self) -> Installation {
        let environment = Environment::empty().with("HOME", self.home.path());
        Installation::locate(&Search::default(), &environment).unwrap()
    }

    fn capture(&self) -> Captured {
        self.capture_with(&Silent).unwrap()
    }

    /// Captures, and checks what holds for every capture.
    fn capture_with(&self, observer: &dyn Observer) -> Result<Captured> {
        let mut captured = Captured::default();
        record(&self.installation(), &self.options, &mut captured, observer, Pace::default())?;
        assert_eq!(fs::read_dir(self.scratch.path()).unwrap().count(), 0);
        Ok(captured)
    }

    fn preview(&self) -> Vec<crate::Preview> {
        preview(&self.installation(), &self.options, 3, &Silent).unwrap().0
    }
}

/// A sink in memory.
#[derive(Default)]
struct Captured {
    sources: BTreeMap<Role, Source>,
    order: Option<EntryOrder>,
    entries: BTreeMap<Vec<u8>, Stored>,
    skipped: BTreeMap<Vec<u8>, (SkipReason, String)>,
    noted: BTreeMap<Vec<u8>, (NoteReason, String)>,
}

#[derive(Debug, PartialEq)]
struct Stored {
    kind: Kind,
    mode: u32,
    mtime: Mtime,
    xattrs: Vec<Xattr>,
    missing: u64,
}

#[derive(Debug, PartialEq)]
enum Kind {
    File(Vec<u8>),
    Directory,
    Symlink(Vec<u8>),
    Hardlink(String),
}

impl Captured {
    fn entry(&self, name: &str) -> &Stored {
        let missing = || panic!("`{name}` is not in; skipped: {:?}", self.skipped);
        self.entries.get(name.as_bytes()).unwrap_or_else(missing)
    }

    fn content(&self, name: &str) -> &[u8] {
        match &self.entry(name).kind {
            Kind::File(content) => content,
            other => panic!("`{name}` is {other:?}"),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name.as_bytes())
    }

    fn skipped(&self, name: &str) -> Option<SkipReason> {
        Some(self.skipped.get(name.as_bytes())?.0)
    }

    fn noted(&self, name: &str) -> Option<NoteReason> {
        Some(self.noted.get(name.as_bytes())?.0)
    }

    fn roots(&self, role: Role) -> Vec<String> {
        let roots = self.sources[&role].roots.iter();
        roots.map(|root| root.path.to_string()).collect()
    }
}

impl Sink for Captured {
    fn begin(&mut self, source: Source, role: Role) -> Result<()> {
        self.order = Some(EntryOrder::new(&source.roots)?);
        self.sources.insert(role, source);
        Ok(())
    }

    fn append(&mut self, item: &Item<'_>, content: &mut dyn Read) -> Result<u64> {
        let directory = matches!(item.kind, ItemKind::Directory);
        self.order.as_mut().unwrap().accept(item.path, directory)?;
        let mut missing = 0;
        let kind = match item.kind {
            ItemKind::File { size } => {
                let mut bytes = Vec::new();
                content
                    .take(size)
                    .read_to_end(&mut bytes)
                    .map_err(|error| crate::Error::stream("read", error))?;
                missing = size - bytes.len() as u64;
                Kind::File(bytes)
            }
            ItemKind::Directory => Kind::Directory,
            ItemKind::Symlink { target } => Kind::Symlink(target.to_vec()),
            ItemKind::Hardlink { target } => Kind::Hardlink(target.to_string()),
        };
        let stored =
            Stored { kind, mode: item.mode, mtime: item.mtime, xattrs: item.xattrs.to_vec(), missing };
        let name = item.path.as_bytes().to_vec();
        assert!(self.entries.insert(name, stored).is_none());
        Ok(missing)
    }

    fn skip(&mut self, skipped: Skipped) -> Result<()> {
        let name = skipped.path.as_bytes().to_vec();
        self.skipped.insert(name, (skipped.why, skipped.detail));
        Ok(())
    }

    fn note(&mut self, noted: Noted) -> Result<()> {
        assert!(self.entries.contains_key(noted.path.as_bytes()));
        let name = noted.path.as_bytes().to_vec();
        self.noted.insert(name, (noted.why, noted.detail));
        Ok(())
    }
}

/// Lets something happen between the entries of a capture, or within a large file.
struct Ghost<F>(Mutex<F>);

impl<F: FnMut(u64) + Send> Ghost<F> {
    /// `act` gets 0 before every name, and the bytes of every piece of content.
    fn new(act: F) -> Self {
        Self(Mutex::new(act))
    }
}

impl<F: FnMut(u64) + Send> Observer for Ghost<F> {
    fn advance(&self, bytes: u64) {
        self.0.lock().unwrap()(bytes);
    }

    fn check(&self) -> Result<()> {
        self.0.lock().unwrap()(0);
        Ok(())
    }
}

/// Runs something without root's right to read and write everything.
fn unprivileged<T: Send>(action: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // Capabilities belong to a thread, so no other test loses them. (Elsewhere tests do not run as root.)
            #[cfg(target_os = "linux")]
            give_up_capabilities();
            action()
        });
        thread.join().unwrap()
    })
}

#[cfg(target_os = "linux")]
fn give_up_capabilities() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

    let mut sets = capabilities(None).unwrap();
    sets.effective = CapabilitySet::empty();
    set_capabilities(None, sets).unwrap();
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn path(name: &str) -> ArchivePath {
    ArchivePath::parse(name.as_bytes()).unwrap()
}

/// Everything that tells whether a tree was touched: names, facts and bytes. (Not the time of the last
/// change of facts: for root, SQLite sets the owner of side files, to what it is.)
fn fingerprint(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut unseen = vec![root.to_owned()];
    while let Some(path) = unseen.pop() {
        let facts = fs::symlink_metadata(&path).unwrap();
        let content = if facts.is_dir() {
            unseen.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            Vec::new()
        } else {
            fs::read(&path).unwrap_or_default()
        };
        lines.push(format!(
            "{} {} {:o} {} {} {} {} {:x}",
            path.as_os_str().as_bytes().escape_ascii(),
            facts.ino(),
            facts.mode(),
            facts.len(),
            facts.mtime_nsec(),
            facts.uid(),
            facts.gid(),
            Sha256::digest(content)
        ));
    }
    lines.sort();
    lines
}
