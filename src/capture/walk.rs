//! Walks the roots of a role: everything once, in the archive's order, no link followed.
//!
//! Works on directory handles, so that nobody can lead it elsewhere by moving directories, and
//! without recursion, so that no tree is too deep.

use std::collections::{HashMap, VecDeque};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::vec;
use std::{io, iter};

use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

use crate::capture::listing::{is_cache, names};
use crate::capture::meta::{Id, Kind, Meta};
use crate::capture::missed::Missed;
use crate::capture::readahead::{Coming, Early, ReadAhead};
use crate::capture::roots::{PlannedRoot, Scope};
use crate::capture::stable::{self, trouble};
use crate::capture::visitor::{Found, Stored, Visitor};
use crate::error::Result;
use crate::format::entry::{NoteReason, Noted, Role, SkipReason, Skipped, clip};
use crate::observer::Observer;
use crate::openclaw::policy::CACHE_TAG_REASON;
use crate::path::{ArchivePath, sanitize};

/// Files with several names, over all roles.
#[derive(Debug, Default)]
pub(crate) struct Links(HashMap<Id, (Role, ArchivePath)>);

/// Walks the roots of a role in order.
///
/// # Errors
///
/// Only those of the visitor and the observer: what cannot be read is skipped.
pub(crate) fn walk(
    scope: &Scope,
    role: Role,
    links: &mut Links,
    visitor: &mut dyn Visitor,
    ahead: Option<&ReadAhead>,
    observer: &dyn Observer,
) -> Result<()> {
    if scope.only_config && role == Role::State {
        let path = ArchivePath::parse(b"state")?;
        let detail = "only the configuration is asked for".to_owned();
        visitor.skip(Skipped { path, why: SkipReason::Policy, detail })?;
    }
    for root in scope.roots(role) {
        let mut walk =
            Walk { scope, root, links, visitor, ahead, frames: Vec::new(), missed: Missed::default() };
        walk.start()?;
        while let Some(name) = walk.next_name() {
            observer.check()?;
            let early = walk.early(&name);
            walk.name(&name, early.as_ref())?;
        }
        if let Some(detail) = walk.missed.rest() {
            walk.note(&root.path, NoteReason::Incomplete, detail)?;
        }
    }
    Ok(())
}

struct Walk<'a> {
    scope: &'a Scope,
    root: &'a PlannedRoot,
    links: &'a mut Links,
    visitor: &'a mut dyn Visitor,
    ahead: Option<&'a ReadAhead>,
    /// The directories around the current name, outermost first.
    frames: Vec<Frame>,
    missed: Missed,
}

struct Frame {
    path: ArchivePath,
    id: Id,
    /// None where it was closed because too many were open.
    handle: Option<Arc<OwnedFd>>,
    names: vec::IntoIter<CString>,
    /// Of the next names.
    coming: VecDeque<Coming>,
    databases: HashMap<CString, Stored>,
}

impl Walk<'_> {
    fn start(&mut self) -> Result<()> {
        let path = self.root.path.clone();
        if let Some(detail) = self.scope.policy.excluded(&path) {
            return self.skip(&path, SkipReason::Policy, &detail);
        }
        // The root itself may be reached through links; below it none is followed.
        match openat(CWD, &self.root.source, DIRECTORY, Mode::empty()) {
            Ok(handle) => self.enter(path, handle),
            // Nobody took it away just now: it is named, and should be there.
            Err(error) => {
                let source = sanitize(self.root.source.as_os_str().as_encoded_bytes());
                let detail = match error {
                    Errno::NOENT => format!("`{source}` does not exist"),
                    error => format!("`{source}` cannot be opened: {error}"),
                };
                self.skip(&path, SkipReason::Unreadable, &detail)
            }
        }
    }

    /// The next name of the innermost directory that has one.
    fn next_name(&mut self) -> Option<CString> {
        while let Some(frame) = self.frames.last_mut() {
            if let Some(name) = frame.names.next() {
                return Some(name);
            }
            self.frames.pop();
        }
        None
    }

    /// The file of this name where it was asked for before; asks for more where that is worth it.
    fn early(&mut self, name: &CStr) -> Option<Early> {
        let (ahead, frame) = (self.ahead?, self.frames.last_mut()?);
        let window = ahead.window();
        if window > 0
            && frame.coming.len() < window / 2
            && let Some(handle) = &frame.handle
        {
            let known = frame.coming.len();
            let names = iter::once(name).chain(frame.names.as_slice().iter().map(CString::as_c_str));
            for name in names.skip(known).take(window - known) {
                // What is left out is not read.
                let wanted = frame.path.join(name.to_bytes()).is_ok_and(|path| {
                    let policy = &self.scope.policy;
                    policy.excluded(&path).is_none() && policy.leaves_out(self.root.role, &path).is_none()
                });
                frame.coming.push_back(if wanted { ahead.ask(handle, name) } else { Coming::none() });
            }
        }
        frame.coming.pop_front()?.file()
    }

    fn name(&mut self, name: &CStr, early: Option<&Early>) -> Result<()> {
        let Some(handle) = self.innermost()? else {
            return Ok(());
        };
        let Some(frame) = self.frames.last() else {
            return Ok(());
        };
        let parent = frame.id;
        let Ok(path) = frame.path.join(name.to_bytes()) else {
            let shown = sanitize(&name.to_bytes()[..name.to_bytes().len().min(64)]);
            let detail = format!("`{shown}` in it has a name too long for the archive");
            let parent = frame.path.clone();
            return self.skip(&parent, SkipReason::Unreadable, &detail);
        };
        if let Some(detail) = self.scope.policy.excluded(&path) {
            return self.skip(&path, SkipReason::Policy, &detail);
        }
        let meta = match early.map_or_else(|| Meta::at(&handle, name), |early| Ok(early.meta)) {
            Ok(meta) => meta,
            Err(error) => return self.trouble(&path, trouble(error)),
        };
        if let Kind::Other(kind) = meta.kind {
            return self.skip(&path, SkipReason::Kind, kind);
        }
        let entered = meta.kind == Kind::Directory && self.scope.policy.keeps_of(&path);
        if let Some(detail) = self.scope.policy.leaves_out(self.root.role, &path).filter(|_| !entered) {
            return self.skip(&path, SkipReason::Policy, &detail);
        }
        match meta.kind {
            Kind::Directory => {
                let flags = DIRECTORY | OFlags::NOFOLLOW;
                match openat(&handle, name, flags, Mode::empty()) {
                    Ok(handle) => self.enter(path, handle),
                    Err(error) => self.trouble(&path, trouble(error)),
                }
            }
            Kind::Symlink => match readlinkat(&handle, name, Vec::new()) {
                Ok(target) => self.symlink(&path, &meta, target.to_bytes()),
                Err(error) => self.trouble(&path, trouble(error)),
            },
            Kind::File | Kind::Other(_) => self.file(&Found {
                path: &path,
                meta: &meta,
                directory: handle.as_fd(),
                name,
                early,
                root: self.root,
                parent,
            }),
        }
    }

    fn symlink(&mut self, path: &ArchivePath, meta: &Meta, target: &[u8]) -> Result<()> {
        self.visitor.symlink(path, meta, target)?;
        // The links in workspaces are the user's own.
        let missed = (self.root.role == Role::State).then(|| self.missed.look(self.scope, self.root, path));
        missed.flatten().map_or(Ok(()), |detail| self.note(path, NoteReason::Incomplete, detail))
    }

    /// Takes an open directory, and what is in it to be next.
    fn enter(&mut self, path: ArchivePath, handle: OwnedFd) -> Result<()> {
        let meta = match Meta::open(&handle) {
            Ok(meta) => meta,
            Err(error) => return self.trouble(&path, trouble(error)),
        };
        let inner = !self.frames.is_empty();
        // The directory of single files may well be another root.
        let whole = inner || self.root.only.is_none();
        if let Some(other) = self.scope.root_directory(meta.id)
            && *other != path
            && whole
        {
            return self.skip(&path, SkipReason::Root, &format!("stored as `{other}`"));
        }
        let (names, failure) = match &self.root.only {
            Some(only) if !inner => {
                (only.iter().flat_map(|name| CString::new(name.as_slice())).collect(), None)
            }
            _ => match names(&handle) {
                Ok(listed) => listed,
                Err(error) => return self.trouble(&path, trouble(error)),
            },
        };
        if inner && self.scope.policy.honours_cache_tags() && is_cache(&handle, &names) {
            return self.skip(&path, SkipReason::Policy, CACHE_TAG_REASON);
        }
        self.visitor.directory(&path, &meta, handle.as_fd())?;
        if let Some(error) = failure {
            let detail = format!("not all of it could be listed: {error}");
            self.skip(&path, SkipReason::Unreadable, &detail)?;
        }
        // The outermost stays open: the way back to all others leads from there.
        let farthest = self.frames.len().saturating_sub(OPEN);
        if farthest > 0
            && let Some(frame) = self.frames.get_mut(farthest)
        {
            frame.handle = None;
        }
        self.frames.push(Frame {
            path,
            id: meta.id,
            handle: Some(Arc::new(handle)),
            names: names.into_iter(),
            coming: VecDeque::new(),
            databases: HashMap::new(),
        });
        Ok(())
    }

    fn file(&mut self, found: &Found<'_>) -> Result<()> {
        let (path, meta) = (found.path, found.meta);
        let elsewhere = self.scope.root_of_file(found.parent, found.name.to_bytes());
        if let Some(other) = elsewhere
            && *other != self.root.path
        {
            return self.skip(path, SkipReason::Root, &format!("stored below `{other}`"));
        }
        if let Some(detail) = self.side_file(found.name) {
            return self.skip(path, SkipReason::Policy, detail);
        }
        let earlier = match self.links.0.get(&meta.id) {
            _ if meta.links < 2 => None,
            Some((role, target)) if *role == self.root.role => {
                return self.visitor.hardlink(path, meta, target);
            }
            other => other.map(|(_, target)| target.clone()),
        };
        let stored = self.visitor.file(found)?;
        if stored == Stored::Nothing {
            return Ok(());
        }
        if meta.links > 1 {
            let first = (self.root.role, path.clone());
            self.links.0.insert(meta.id, first);
        }
        if let Some(other) = earlier {
            let detail = format!("hard link to `{other}` in the other payload; stored again");
            self.note(path, NoteReason::Shared, detail)?;
        }
        if stored != Stored::File
            && let Some(frame) = self.frames.last_mut()
        {
            frame.databases.insert(found.name.to_owned(), stored);
        }
        Ok(())
    }

    /// Why a file beside a database need not be stored. (The database comes first by its name.)
    fn side_file(&self, name: &CStr) -> Option<&'static str> {
        let databases = &self.frames.last()?.databases;
        if databases.is_empty() {
            return None;
        }
        let name = name.to_bytes();
        let suffixes: [&[u8]; 3] = [b"-shm", b"-wal", b"-journal"];
        let suffix = suffixes.into_iter().find(|end| name.ends_with(end))?;
        let database = CString::new(&name[..name.len() - suffix.len()]).ok()?;
        match (databases.get(&database)?, suffix) {
            (Stored::Snapshot, _) => Some("its content is in the database"),
            (_, b"-shm") => Some("made again by SQLite"),
            _ => None,
        }
    }

    /// The innermost directory, opened again where it was closed; None where it is not there any more.
    fn innermost(&mut self) -> Result<Option<Arc<OwnedFd>>> {
        let open = |walk: &Self| walk.frames.last().and_then(|frame| frame.handle.clone());
        if let Some(handle) = open(self) {
            return Ok(Some(handle));
        }
        let detail = match self.follow() {
            Ok(true) => return Ok(open(self)),
            Ok(false) => "moved while it was read; the rest of it is missing".to_owned(),
            Err(error) => format!("the rest of it cannot be reached: {error}"),
        };
        if let Some(frame) = self.frames.pop() {
            self.skip(&frame.path, SkipReason::Unreadable, &detail)?;
        }
        Ok(None)
    }

    /// Goes from the root to the innermost directory; false where another one stands on the way.
    fn follow(&mut self) -> io::Result<bool> {
        let innermost = self.frames.len();
        for at in 1..innermost {
            let (before, rest) = self.frames.split_at_mut(at);
            let (Some(parent), Some(frame)) = (before.last_mut(), rest.first_mut()) else {
                return Ok(false);
            };
            if frame.handle.is_none() {
                let Some(handle) = &parent.handle else {
                    return Ok(false);
                };
                let flags = DIRECTORY | OFlags::NOFOLLOW;
                let handle = openat(handle, frame.path.file_name(), flags, Mode::empty())?;
                if Meta::open(&handle)?.id != frame.id {
                    return Ok(false);
                }
                frame.handle = Some(Arc::new(handle));
            }
            // All the way would be too many at once; the last ones will be needed next.
            if at > 1 && at + OPEN < innermost {
                parent.handle = None;
            }
        }
        Ok(true)
    }

    fn trouble(&mut self, path: &ArchivePath, (why, detail): stable::Trouble) -> Result<()> {
        self.skip(path, why, &detail)
    }

    fn note(&mut self, path: &ArchivePath, why: NoteReason, detail: String) -> Result<()> {
        self.visitor.note(Noted { path: path.clone(), why, detail: clip(detail) })
    }

    fn skip(&mut self, path: &ArchivePath, why: SkipReason, detail: &str) -> Result<()> {
        self.visitor.skip(Skipped { path: path.clone(), why, detail: clip(detail.to_owned()) })
    }
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Directories kept open on the way down.
const OPEN: usize = 64;
