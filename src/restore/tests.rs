//! Payloads made by hand, and restores of them.

mod archives;
mod attacks;
mod cautions;
pub(super) mod crash;
mod in_place;
mod merge;
mod migrate;
mod parallel;
mod past;
mod races;
mod salvage;
mod sound;
mod tree;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::feed::Feed;
use super::layout::{Contents, Layout};
use super::plan::{Target, lay_out};
use super::select::Wanted;
use super::{Adaptation, Owner, Restored, extract, run};
use crate::error::{Error, Result};
use crate::format::entry::{Entry, Mtime, Node, Root, SkipReason, Skipped, Source, Xattr};
use crate::observer::{Observer, Silent};
use crate::path::ArchivePath;

const STAMP: &str = "20261122T054858Z";

/// A payload made by hand.
#[derive(Clone, Default)]
struct Payload {
    source: Source,
    entries: Vec<Entry>,
    skipped: Vec<Skipped>,
    contents: Vec<Vec<u8>>,
    xattrs: Vec<Vec<Xattr>>,
}

impl Payload {
    fn new(roots: &[(&str, &Path)]) -> Self {
        let roots = roots
            .iter()
            .map(|(root, source)| Root {
                path: path(root),
                source: source.as_os_str().as_encoded_bytes().to_vec(),
                agents: Vec::new(),
            })
            .collect();
        Self { source: Source { roots, ..Source::default() }, ..Self::default() }
    }

    /// A state payload with nothing but its root.
    fn state() -> Self {
        Self::new(&[("state", Path::new("/nowhere/.openclaw"))]).directory("state", 0o700)
    }

    fn node(mut self, name: impl AsRef<[u8]>, mode: u32, node: Node, content: &[u8]) -> Self {
        self.entries.push(Entry {
            path: ArchivePath::parse(name.as_ref()).unwrap(),
            mode,
            mtime: MTIME,
            offset: 0,
            node,
        });
        self.contents.push(content.to_vec());
        self.xattrs.push(Vec::new());
        self
    }

    fn directory(self, name: impl AsRef<[u8]>, mode: u32) -> Self {
        self.node(name, mode, Node::Directory, b"")
    }

    fn file(self, name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        let node = Node::File { size: content.len() as u64, sha256: [0; 32] };
        self.node(name, 0o600, node, content)
    }

    fn symlink(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        let target = target.as_ref().to_vec();
        self.node(name, 0o777, Node::Symlink { target }, b"")
    }

    fn hardlink(self, name: &str, target: &str) -> Self {
        let target = path(target);
        self.node(name, 0o600, Node::Hardlink { target }, b"")
    }

    /// Gives the last entry another mode.
    fn mode(mut self, mode: u32) -> Self {
        self.entries.last_mut().unwrap().mode = mode;
        self
    }

    /// Gives the last entry another time.
    fn mtime(mut self, seconds: i64, nanoseconds: u32) -> Self {
        self.entries.last_mut().unwrap().mtime = Mtime { seconds, nanoseconds };
        self
    }

    fn xattr(mut self, name: &str, value: &[u8]) -> Self {
        self.xattrs.last_mut().unwrap().push(Xattr { name: name.to_owned(), value: value.to_vec() });
        self
    }

    fn skipped_root(mut self, name: &str) -> Self {
        self.skipped.push(Skipped { path: path(name), why: SkipReason::Root, detail: String::new() });
        self
    }

    fn fact(mut self, name: &str, value: &Path) -> Self {
        let value = value.to_str().unwrap().to_owned();
        self.source.facts.insert(name.to_owned(), value);
        self
    }

    fn contents(&self) -> Contents<'_> {
        Contents { source: &self.source, entries: &self.entries, skipped: &self.skipped }
    }
}

/// Gives a payload's entries; `hook` sees each before it is given.
struct HandFeed<'a, F> {
    payload: &'a Payload,
    next: usize,
    rest: &'a [u8],
    hook: F,
}

impl<F: FnMut(&Entry) -> Result<()>> Feed for HandFeed<'_, F> {
    fn next(&mut self) -> Result<Option<(usize, Vec<Xattr>)>> {
        let number = self.next;
        let Some(entry) = self.payload.entries.get(number) else {
            return Ok(None);
        };
        (self.hook)(entry)?;
        self.next += 1;
        self.rest = &self.payload.contents[number];
        Ok(Some((number, self.payload.xattrs[number].clone())))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        // Short reads, as of a stream that ends a frame.
        let length = buffer.len().min(100_000);
        let read = self.rest.read(&mut buffer[..length]).unwrap();
        if read == 0 && self.payload.contents[self.next - 1] == b"forged" {
            return Err(Error::tampered("content has another hash"));
        }
        Ok(read)
    }
}

/// A restore of hand-made payloads.
struct Job<'a> {
    payloads: &'a [Payload],
    others: Vec<Source>,
    globs: Vec<String>,
    inside: bool,
    adaptation: Adaptation,
    observer: &'a dyn Observer,
}

impl<'a> Job<'a> {
    fn new(payloads: &'a [Payload]) -> Self {
        Self {
            payloads,
            others: Vec::new(),
            globs: Vec::new(),
            inside: false,
            adaptation: Adaptation::default(),
            observer: &Silent,
        }
    }

    fn glob(mut self, glob: &str) -> Self {
        self.globs.push(glob.to_owned());
        self
    }

    fn layout(&self, target: &Target) -> Result<Layout> {
        let contents: Vec<_> = self.payloads.iter().map(Payload::contents).collect();
        let wanted = Wanted::parse(&self.globs)?;
        let mut layout = lay_out(&contents, &self.others, &wanted, target, &self.adaptation)?;
        for tree in &mut layout.trees {
            tree.inside |= self.inside;
        }
        Ok(layout)
    }

    fn to(&self, directory: &Path) -> Result<Restored> {
        let layout = self.layout(&Target::Directory(directory.to_owned()))?;
        self.run(&layout, |_| Ok(()))
    }

    fn in_place(&self, home: &Path) -> Result<Restored> {
        let target = Target::Original { home: home.to_owned(), state_dir: home.join(".openclaw") };
        self.run(&self.layout(&target)?, |_| Ok(()))
    }

    fn run(&self, layout: &Layout, hook: impl FnMut(&Entry) -> Result<()>) -> Result<Restored> {
        run_with(self.payloads, layout, self.observer, hook)
    }
}

fn run_with(
    payloads: &[Payload],
    layout: &Layout,
    observer: &dyn Observer,
    mut hook: impl FnMut(&Entry) -> Result<()>,
) -> Result<Restored> {
    let contents: Vec<_> = payloads.iter().map(Payload::contents).collect();
    let hook = std::cell::RefCell::new(&mut hook);
    run(&contents, layout, STAMP, 2, observer, |number| {
        let hook = &hook;
        Ok(Box::new(HandFeed {
            payload: &payloads[number],
            next: 0,
            rest: b"",
            hook: move |entry: &Entry| (hook.borrow_mut())(entry),
        }) as Box<dyn Feed>)
    })
}

/// Extracts some names into a directory.
fn extract_to(payload: &Payload, names: &[&str], directory: &Path) -> Result<Restored> {
    let names: Vec<_> = names.iter().map(|name| path(name)).collect();
    let layout = extract::lay_out(&[payload.contents()], &names, directory)?;
    run_with(std::slice::from_ref(payload), &layout, &Silent, |_| Ok(()))
}

/// A home with a live state directory that holds a workspace.
fn home() -> (tempfile::TempDir, PathBuf) {
    let (scratch, home) = scratch();
    let state = home.join(".openclaw");
    fs::create_dir_all(state.join("workspace/notes")).unwrap();
    fs::write(state.join("workspace/notes/today"), "live").unwrap();
    fs::write(state.join("openclaw.json"), "live").unwrap();
    fs::write(state.join("extra"), "live").unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    (scratch, home)
}

fn state(home: &Path) -> Payload {
    Payload::new(&[("state", &home.join(".openclaw"))])
        .directory("state", 0o700)
        .mtime(11, 12)
        .file("state/openclaw.json", b"saved")
        .skipped_root("state/workspace")
        .fact("home", home)
        .fact("state_dir", &home.join(".openclaw"))
}

fn workspace(home: &Path) -> Payload {
    Payload::new(&[("workspace/main", &home.join(".openclaw/workspace"))])
        .directory("workspace/main", 0o755)
        .mtime(13, 14)
        .file("workspace/main/MEMORY.md", b"saved")
}

fn kept(name: &str) -> String {
    format!("{name}.before-restore-{STAMP}")
}

fn path(name: &str) -> ArchivePath {
    ArchivePath::parse(name.as_bytes()).unwrap()
}

fn scratch() -> (TempDir, PathBuf) {
    let scratch = TempDir::new().unwrap();
    let path = scratch.path().canonicalize().unwrap();
    (scratch, path)
}

/// Everything below a directory: names with their kind and content, sorted.
fn list(directory: &Path) -> Vec<String> {
    fn visit(base: &Path, directory: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(base).unwrap().to_string_lossy().into_owned();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_symlink() {
                found.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
            } else if kind.is_dir() {
                found.push(format!("{name}/"));
                visit(base, &path, found);
            } else {
                let content = fs::read(&path).unwrap();
                found.push(format!("{name}: {}", String::from_utf8_lossy(&content)));
            }
        }
    }
    let mut found = Vec::new();
    visit(directory, directory, &mut found);
    found.sort();
    found
}

/// Says that a test is not done where nobody can give files away.
fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        // `eprintln!` would be captured.
        let line = format!("SKIPPED {test}: not root\n");
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
    }
    root
}

/// Looks at these paths and all that is below them.
#[track_caller]
fn all_belong_to(mut waiting: Vec<PathBuf>, owner: Owner) {
    while let Some(path) = waiting.pop() {
        let facts = fs::symlink_metadata(&path).unwrap();
        assert_eq!((facts.uid(), facts.gid()), (owner.user, owner.group), "{}", path.display());
        if facts.is_dir() {
            waiting.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn mtime(path: impl AsRef<Path>) -> (i64, i64) {
    let metadata = fs::symlink_metadata(path).unwrap();
    (metadata.mtime(), metadata.mtime_nsec())
}

const MTIME: Mtime = Mtime { seconds: 1_763_791_200, nanoseconds: 123_456_789 };
