//! Directory trees as values, and what differs between two of them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::sqlite;

/// A tree on disk as it was when it was read. The root has the empty name.
pub struct Tree {
    base: PathBuf,
    nodes: BTreeMap<PathBuf, Node>,
}

/// One name of a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    kind: Kind,
    mode: u32,
    mtime: (i64, i64),
    xattrs: BTreeMap<OsString, Vec<u8>>,
    inode: (u64, u64),
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    File { size: u64, sha256: String },
    Database,
    Directory,
    Symlink(PathBuf),
    Socket,
    Fifo,
    Device,
}

/// What a comparison may pass over.
#[derive(Clone, Copy, Default)]
pub struct Tolerance {
    /// Extended attributes, which `tar -x` does not put back.
    pub xattrs: bool,
}

impl Tree {
    /// Reads the tree at `base`; a file gives a tree of one node.
    pub fn read(base: &Path) -> Self {
        let mut nodes = BTreeMap::new();
        walk(base, Path::new(""), &mut nodes);
        Self { base: base.to_owned(), nodes }
    }

    /// Leaves out names for which `out` says so, and everything below them.
    pub fn without(mut self, out: impl Fn(&Path) -> bool) -> Self {
        self.nodes.retain(|path, _| !path.ancestors().any(&out));
        self
    }

    /// Leaves out what belongs to a database beside it: its content is in the database once restored.
    pub fn without_side_files(self) -> Self {
        let base = self.base.clone();
        self.without(|path| sqlite::owner_of_side_file(&base.join(path)).is_some())
    }

    /// Iterates over the names.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.nodes.keys().map(PathBuf::as_path)
    }

    /// Device and inode of a name that is no directory.
    pub fn inode(&self, path: &Path) -> Option<(u64, u64)> {
        let node = self.nodes.get(path)?;
        (node.kind != Kind::Directory).then_some(node.inode)
    }

    /// Lists what is different in `found`, a line each.
    pub fn differences(&self, found: &Self, tolerance: Tolerance) -> Vec<String> {
        let mut lines = Vec::new();
        let (groups, found_groups) = (self.link_groups(), found.link_groups());
        for (path, node) in &self.nodes {
            let Some(other) = found.nodes.get(path) else {
                lines.push(format!("{}: missing", shown(path)));
                continue;
            };
            let mut differs = |what: &str, expected: String, found: String| {
                if expected != found {
                    lines.push(format!("{}: {what} {expected} became {found}", shown(path)));
                }
            };
            differs("kind", node.kind.to_string(), other.kind.to_string());
            differs("mode", octal(node.mode), octal(other.mode));
            differs("mtime", time(node.mtime), time(other.mtime));
            if !tolerance.xattrs {
                let text = |node: &Node| format!("{:?}", node.xattrs);
                differs("xattrs", text(node), text(other));
            }
            let group = |groups: &BTreeMap<_, PathBuf>, node: &Node| {
                groups.get(&node.inode).map_or_else(String::new, shown)
            };
            differs("first link", group(&groups, node), group(&found_groups, other));
            if node.kind == Kind::Database && other.kind == Kind::Database {
                let rows = sqlite::differences(&self.base.join(path), &found.base.join(path));
                lines.extend(rows.iter().map(|line| format!("{}: {line}", shown(path))));
            }
        }
        let extra = found
            .paths()
            .filter(|path| !self.nodes.contains_key(*path))
            .map(|path| format!("{}: not in the source", shown(path)));
        lines.extend(extra);
        lines
    }

    /// Expects no differences.
    #[track_caller]
    pub fn assert_same(&self, found: &Self, tolerance: Tolerance) {
        let lines = self.differences(found, tolerance);
        assert!(
            lines.is_empty(),
            "{} differs from {} in {} places:\n  {}",
            found.base.display(),
            self.base.display(),
            lines.len(),
            lines[..lines.len().min(40)].join("\n  ")
        );
    }

    /// The first name of every file that has several names in this tree.
    fn link_groups(&self) -> BTreeMap<(u64, u64), PathBuf> {
        let mut names: BTreeMap<_, Vec<&PathBuf>> = BTreeMap::new();
        for (path, node) in &self.nodes {
            if matches!(node.kind, Kind::File { .. } | Kind::Database) {
                names.entry(node.inode).or_default().push(path);
            }
        }
        names.retain(|_, paths| paths.len() > 1);
        names.into_iter().map(|(inode, paths)| (inode, paths[0].clone())).collect()
    }
}

fn walk(base: &Path, below: &Path, nodes: &mut BTreeMap<PathBuf, Node>) {
    // Joining an empty name would append a slash, which follows a link.
    let path = if below.as_os_str().is_empty() { base.to_owned() } else { base.join(below) };
    let metadata = fs::symlink_metadata(&path)
        .unwrap_or_else(|error| panic!("cannot look at {}: {error}", path.display()));
    nodes.insert(below.to_owned(), Node::of(&path, &metadata));
    if metadata.is_dir() {
        for entry in fs::read_dir(&path).unwrap() {
            walk(base, &below.join(entry.unwrap().file_name()), nodes);
        }
    }
}

impl Node {
    fn of(path: &Path, metadata: &Metadata) -> Self {
        Self {
            kind: Kind::of(path, metadata),
            mode: metadata.mode() & 0o7777,
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            xattrs: user_xattrs(path),
            inode: (metadata.dev(), metadata.ino()),
        }
    }
}

impl Kind {
    fn of(path: &Path, metadata: &Metadata) -> Self {
        let kind = metadata.file_type();
        if kind.is_symlink() {
            Self::Symlink(fs::read_link(path).unwrap())
        } else if kind.is_dir() {
            Self::Directory
        } else if kind.is_socket() {
            Self::Socket
        } else if kind.is_fifo() {
            Self::Fifo
        } else if !kind.is_file() {
            Self::Device
        } else if sqlite::is_database(path) {
            Self::Database
        } else {
            let mut hasher = Sha256::new();
            io::copy(&mut File::open(path).unwrap(), &mut hasher).unwrap();
            Self::File { size: metadata.len(), sha256: format!("{:x}", hasher.finalize()) }
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { size, sha256 } => write!(f, "file of {size} bytes, {}", &sha256[..12]),
            Self::Symlink(target) => write!(f, "link to {}", shown(target)),
            other => write!(f, "{other:?}"),
        }
    }
}

/// The attributes that an unprivileged user may set.
fn user_xattrs(path: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let mut names = vec![0_u8; 64 * 1024];
    // A file system without attributes has none to compare.
    let Ok(length) = rustix::fs::llistxattr(path, &mut names[..]) else {
        return BTreeMap::new();
    };
    names[..length]
        .split(|&byte| byte == 0)
        .filter(|name| name.starts_with(b"user."))
        .map(|name| {
            let mut value = vec![0_u8; 64 * 1024];
            let name = OsStr::from_bytes(name);
            let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            value.truncate(length);
            (name.to_owned(), value)
        })
        .collect()
}

fn shown(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    if path.as_os_str().is_empty() {
        return "(root)".to_owned();
    }
    path.as_os_str().as_bytes().escape_ascii().to_string()
}

fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

fn time((seconds, nanoseconds): (i64, i64)) -> String {
    format!("{seconds}+{nanoseconds:09}ns")
}
