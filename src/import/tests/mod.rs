//! Backups as OpenClaw writes them.

mod homes;
mod hostile;
mod links;
mod owners;

use std::fs::File;
use std::io::{Cursor, Read, Seek, Write};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tar::{EntryType, Header};

use super::NativeBackup;
use crate::archive::{Archive, ArchiveBuilder, Sealed};
use crate::crypto::{Keys, Passphrase};
use crate::error::Result;
use crate::format::entry::{Node, NoteReason, Role, SkipReason};
use crate::observer::{Observer, Silent};

const ROOT: &str = "fake-openclaw-backup";
const STATE: &str = "/home/alice/.openclaw";

/// A tar in the making.
struct Native {
    tar: tar::Builder<Vec<u8>>,
    manifest: Value,
}

impl Native {
    /// The backup of a state directory and a workspace outside of it.
    fn new() -> Self {
        let asset = |kind: &str, path: &str| json!({ "kind": kind, "sourcePath": path, "archivePath": format!("{ROOT}/payload/posix{path}") });
        let manifest = json!({
            "schemaVersion": 1,
            "createdAt": "2026-11-22T05:11:33.645Z",
            "archiveRoot": ROOT,
            "runtimeVersion": "2026.9.6",
            "platform": "linux",
            "options": { "includeWorkspace": true, "onlyConfig": false },
            "paths": {
                "stateDir": STATE,
                "configPath": "/home/alice/.openclaw/openclaw.json",
                "workspaceDirs": ["/home/alice/.openclaw/workspace", "/srv/Research WS"],
                "agentRoots": [{ "agentId": "ops", "sourcePath": "/srv/ops" }],
            },
            "assets": [asset("state", STATE), asset("workspace", "/srv/Research WS")],
            "skipped": [
                { "kind": "workspace", "sourcePath": "/home/alice/.openclaw/workspace", "reason": "covered" },
                { "kind": "managed state", "sourcePath": "/home/alice/.openclaw/tmp", "reason": "regenerable" },
            ],
            "externalSymbolicLinks": [],
        });
        Self { tar: tar::Builder::new(Vec::new()), manifest }
    }

    fn asset(mut self, kind: &str, path: &str) -> Self {
        let asset =
            json!({ "kind": kind, "sourcePath": path, "archivePath": format!("{ROOT}/payload/posix{path}") });
        self.manifest["assets"].as_array_mut().unwrap().push(asset);
        self
    }

    /// Any entry at all; the name is taken as it is, at most 100 bytes of it.
    fn raw(mut self, kind: EntryType, name: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o600 });
        // OpenClaw leaves that of a directory empty.
        if kind == EntryType::Directory {
            header.as_old_mut().mtime = [0; 12];
        } else {
            header.set_mtime(1_763_791_200);
        }
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.tar.append(&header, content).unwrap();
        self
    }

    fn file(self, path: &str, content: &[u8]) -> Self {
        self.raw(EntryType::Regular, &format!("{ROOT}/payload/posix{path}"), "", content)
    }

    /// A file whose name may be longer than a header's field.
    fn long(mut self, name: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        self.tar.append_data(&mut header, name, content).unwrap();
        self
    }

    fn directory(self, path: &str) -> Self {
        self.raw(EntryType::Directory, &format!("{ROOT}/payload/posix{path}/"), "", b"")
    }

    /// The manifest, which comes last, and the end.
    fn bytes(self) -> Vec<u8> {
        let manifest = self.manifest.to_string();
        let whole = self.raw(EntryType::Regular, &format!("{ROOT}/manifest.json"), "", manifest.as_bytes());
        gzip(&whole.tar.into_inner().unwrap())
    }

    fn read(self, observer: &dyn Observer) -> Result<NativeBackup> {
        read(&self.bytes(), observer)
    }

    /// With the usual content; in no order, as databases come first.
    fn usual() -> Self {
        Self::new()
            .file("/home/alice/.openclaw/state/openclaw.sqlite", b"SQLite format 3\0 and so on")
            .directory("/home/alice/.openclaw")
            .file("/home/alice/.openclaw/openclaw.json", b"{}")
            .directory("/home/alice/.openclaw/state")
            .directory("/home/alice/.openclaw/workspace")
            .file("/home/alice/.openclaw/workspace/MEMORY.md", b"remember")
            .file("/home/alice/.openclaw/agents/main/empty", b"")
            .directory("/srv/Research WS")
            .file("/srv/Research WS/SOUL.md", b"soul")
    }
}

fn gzip(tar: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(tar).unwrap();
    gzip.finish().unwrap()
}

fn read(bytes: &[u8], observer: &dyn Observer) -> Result<NativeBackup> {
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    NativeBackup::read(file, observer)
}

fn import(backup: &NativeBackup) -> Archive {
    let passphrase = Passphrase::new("a fake passphrase".to_owned());
    let builder = ArchiveBuilder::new().passphrase(passphrase.clone()).work_factor(2);
    let mut writer = backup.successor(builder).create(Cursor::new(Vec::new())).unwrap();
    backup.copy_into(&mut writer, &Silent).unwrap();
    let (sink, _) = writer.finish().unwrap();
    let sealed = Sealed::from_source(Arc::new(sink.into_inner())).unwrap();
    sealed.unlock(&Keys::new().passphrase(passphrase)).unwrap()
}

/// Names, and contents of files.
fn contents(archive: &Archive, role: Role) -> Vec<(String, String)> {
    let index = archive.index(role).unwrap();
    let content = |entry: &crate::Entry| {
        let mut text = String::new();
        archive.read(&index, entry).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let shown = |entry: &crate::Entry| match &entry.node {
        Node::File { .. } => content(entry),
        Node::Directory => "/".to_owned(),
        Node::Symlink { target } => format!("-> {}", String::from_utf8_lossy(target)),
        Node::Hardlink { target } => format!("== {target}"),
    };
    index.entries.iter().map(|entry| (entry.path.to_string(), shown(entry))).collect()
}

/// Keeps the warnings.
#[derive(Default)]
struct Warned(Mutex<Vec<String>>);

impl Observer for Warned {
    fn warn(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, shown)| ((*path).to_owned(), (*shown).to_owned())).collect()
}

#[test]
fn a_backup_comes_out_in_order_under_the_names_of_roots() {
    let warned = Warned::default();
    let backup = Native::usual().read(&warned).unwrap();
    assert!(warned.0.into_inner().unwrap().is_empty());
    assert_eq!(backup.content(), 26 + 2 + 8 + 4);
    let archive = import(&backup);
    assert_eq!(archive.manifest().created, "2026-11-22T05:11:33Z");
    assert_eq!(archive.manifest().series, None);
    assert_eq!(
        contents(&archive, Role::State),
        pairs(&[
            ("state", "/"),
            ("state/agents", "/"),
            ("state/agents/main", "/"),
            ("state/agents/main/empty", ""),
            ("state/openclaw.json", "{}"),
            ("state/state", "/"),
            ("state/state/openclaw.sqlite", "SQLite format 3\0 and so on"),
        ])
    );
    assert_eq!(
        contents(&archive, Role::Workspace),
        pairs(&[
            ("workspace/main", "/"),
            ("workspace/main/MEMORY.md", "remember"),
            ("workspace/research-ws", "/"),
            ("workspace/research-ws/SOUL.md", "soul"),
        ])
    );
}

#[test]
fn what_does_not_fit_into_memory_is_read_again() {
    let mut backup = Native::usual().read(&Silent).unwrap();
    let whole = import(&backup);
    // Nothing is held; one small file is.
    for held in [0, 150] {
        backup.held = held;
        let archive = import(&backup);
        for role in Role::ALL {
            assert_eq!(contents(&archive, role), contents(&whole, role), "{held}");
        }
    }
}

#[test]
fn facts_modes_times_and_remarks_come_along() {
    let archive = import(&Native::usual().read(&Silent).unwrap());
    let index = archive.index(Role::State).unwrap();
    let facts: Vec<_> =
        index.source.facts.iter().map(|(name, fact)| (name.as_str(), fact.as_str())).collect();
    assert_eq!(
        facts,
        [
            ("config", "/home/alice/.openclaw/openclaw.json"),
            ("home", "/home/alice"),
            ("openclaw_version", "2026.9.6"),
            ("platform", "linux"),
            ("state_dir", "/home/alice/.openclaw"),
        ]
    );
    assert_eq!(index.source.roots[0].source, STATE.as_bytes());
    let config = index.entries.iter().find(|entry| entry.path.to_string() == "state/openclaw.json").unwrap();
    assert_eq!((config.mode, config.mtime.seconds), (0o600, 1_763_791_200));
    // In the tar; the directories above it are not.
    assert_eq!((index.entries[0].mode, index.entries[1].mode), (0o755, 0o700));
    let skipped: Vec<_> = index.skipped.iter().map(|one| (one.path.to_string(), one.why)).collect();
    assert_eq!(
        skipped,
        [("state/workspace".to_owned(), SkipReason::Root), ("state/tmp".to_owned(), SkipReason::Policy)]
    );
    assert_eq!(index.noted.len(), 1);
    assert_eq!(index.noted[0].path.to_string(), "state/state/openclaw.sqlite");
    assert_eq!(index.noted[0].why, NoteReason::Unchecked);
    let workspaces = archive.index(Role::Workspace).unwrap().source.roots;
    assert_eq!(
        (workspaces[0].source.as_slice(), workspaces[0].agents.len()),
        (&b"/home/alice/.openclaw/workspace"[..], 1)
    );
}

#[test]
fn what_lies_elsewhere_gets_roots_of_its_own() {
    let mut native = Native::usual();
    native.manifest["paths"]["configPath"] = "/etc/oc/openclaw.json".into();
    let native = native
        .asset("config", "/etc/oc/openclaw.json")
        .asset("credentials", "/srv/creds")
        .asset("agent", "/srv/ops")
        .asset("managed skill", "/home/alice/.agents/skills/one")
        .asset("managed skill", "/home/alice/.agents/skills/two")
        .file("/etc/oc/openclaw.json", b"config")
        .file("/srv/creds/a.json", b"creds")
        .file("/srv/ops/x", b"ops")
        .file("/home/alice/.agents/skills/one/SKILL.md", b"1")
        .file("/home/alice/.agents/skills/two/SKILL.md", b"2");
    let archive = import(&native.read(&Silent).unwrap());
    let names = contents(&archive, Role::State).into_iter().map(|(name, _)| name);
    let files: Vec<_> =
        names.filter(|name| !name.starts_with("state") && name.contains(['.', 'x'])).collect();
    assert_eq!(
        files,
        [
            "agent/ops/x",
            "config/openclaw.json",
            "credentials/a.json",
            "include/0/one/SKILL.md",
            "include/0/two/SKILL.md"
        ]
    );
    let roots = archive.index(Role::State).unwrap().source.roots;
    let roots: Vec<_> = roots.iter().map(|root| root.source.escape_ascii().to_string()).collect();
    assert_eq!(roots, ["/srv/ops", "/etc/oc", "/srv/creds", "/home/alice/.agents/skills", STATE]);
}

#[test]
fn links_become_links_and_the_first_name_has_the_content() {
    let name = |path: &str| format!("{ROOT}/payload/posix{STATE}/{path}");
    let native = Native::usual()
        .file("/home/alice/.openclaw/b", b"shared")
        .raw(EntryType::Link, &name("a"), &name("b"), b"")
        .raw(EntryType::Link, &name("workspace/c"), &name("a"), b"")
        .raw(EntryType::Symlink, &name("inner"), "openclaw.json", b"")
        .raw(EntryType::Symlink, &name("media"), "/mnt/big/media", b"");
    let warned = Warned::default();
    let archive = import(&native.read(&warned).unwrap());
    let state = contents(&archive, Role::State);
    for expected in [("state/a", "shared"), ("state/b", "== state/a"), ("state/inner", "-> openclaw.json")]
        .map(|one| pairs(&[one]))
    {
        assert!(state.contains(&expected[0]), "{expected:?} is not in {state:?}");
    }
    let workspace = contents(&archive, Role::Workspace);
    assert!(workspace.contains(&("workspace/main/c".to_owned(), "shared".to_owned())), "{workspace:?}");
    let warned = warned.0.into_inner().unwrap();
    assert_eq!(warned, ["`state/media`: a link to `/mnt/big/media`, which the backup does not hold"]);
}

#[test]
fn what_a_backup_lacks_is_said() {
    let sessions = "/home/alice/.openclaw/agents/main/sessions";
    let mut native = Native::new()
        .file(&format!("{sessions}/sessions.json"), br#"{"agent:main":{"sessionId":"1"}}"#)
        .file("/home/alice/.openclaw/agents/ops/sessions/sessions.json", b"{}\n");
    native.manifest["options"]["includeWorkspace"] = false.into();
    native.manifest["assets"].as_array_mut().unwrap().retain(|asset| asset["kind"] != "workspace");
    let elsewhere = json!({ "kind": "workspace", "sourcePath": "/gone", "reason": "missing" });
    native.manifest["skipped"].as_array_mut().unwrap().push(elsewhere);
    let warned = Warned::default();
    let backup = native.read(&warned).unwrap();
    assert_eq!(backup.roles().collect::<Vec<_>>(), [Role::State]);
    let warned = warned.0.into_inner().unwrap();
    assert_eq!(warned.len(), 3, "{warned:?}");
    assert!(warned[0].starts_with("`state/agents/main/sessions/sessions.json`: lists sessions whose"));
    assert_eq!(warned[1], "the backup was made without workspaces");
    assert_eq!(warned[2], "not in the backup: `/gone` (workspace): missing");
    let index = import(&backup).index(Role::State).unwrap();
    assert_eq!(index.noted[0].why, NoteReason::Incomplete);
    // With a transcript beside it, nothing is missing.
    let native = Native::new()
        .file(&format!("{sessions}/sessions.json"), br#"{"agent:main":{"sessionId":"1"}}"#)
        .file(&format!("{sessions}/1.jsonl"), b"{}\n")
        .directory("/srv/Research WS");
    let warned = Warned::default();
    native.read(&warned).unwrap();
    assert!(warned.0.into_inner().unwrap().is_empty());
}

#[test]
fn long_names_of_either_style_are_read() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let path = format!("{ROOT}/payload/posix{STATE}/{long}");
    let mut native = Native::usual().long(&path, b"gnu");
    let path = path.replace("fff", "ppp");
    native.tar.append_pax_extensions([("path", path.as_bytes()), ("mtime", b"1763791200.250")]).unwrap();
    let mut header = Header::new_ustar();
    header.set_size(3);
    header.set_mode(0o644);
    header.set_entry_type(EntryType::Regular);
    header.set_path("short").unwrap();
    header.set_cksum();
    native.tar.append(&header, &b"pax"[..]).unwrap();
    let archive = import(&native.read(&Silent).unwrap());
    let state = contents(&archive, Role::State);
    assert!(state.contains(&(format!("state/{long}"), "gnu".to_owned())), "{state:?}");
    let name = format!("state/{}", long.replace("fff", "ppp"));
    assert!(state.contains(&(name.clone(), "pax".to_owned())), "{state:?}");
    let index = archive.index(Role::State).unwrap();
    let entry = index.entries.iter().find(|entry| entry.path.to_string() == name).unwrap();
    assert_eq!((entry.mtime.seconds, entry.mtime.nanoseconds), (1_763_791_200, 250_000_000));
}
