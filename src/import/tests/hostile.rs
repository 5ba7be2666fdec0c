//! Backups as OpenClaw never writes them, and what is none.

use std::io::{Cursor, Read, Seek, Write};

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use tar::EntryType;

use super::{Native, ROOT, STATE, gzip, read};
use crate::archive::ArchiveBuilder;
use crate::crypto::Passphrase;
use crate::error::{Error, ErrorKind};
use crate::observer::Silent;

#[test]
fn what_openclaw_never_writes_is_refused() {
    let inside = |path: &str| format!("{ROOT}/payload/posix{STATE}/{path}");
    let usual = Native::usual;
    let cases: Vec<(Native, ErrorKind, &str)> = vec![
        (usual().file("/home/alice/.openclaw/../../../etc/x", b""), ErrorKind::Malformed, "`.` or `..`"),
        (usual().raw(EntryType::Regular, "/etc/passwd", "", b"x"), ErrorKind::Malformed, "absolute"),
        (
            usual().raw(EntryType::Regular, "other/x", "", b"x"),
            ErrorKind::Malformed,
            "in nothing that was backed up",
        ),
        (usual().file("/etc/passwd", b"x"), ErrorKind::Malformed, "in nothing that was backed up"),
        (usual().file("/home", b"x"), ErrorKind::Malformed, "in nothing that was backed up"),
        (
            usual().file("/home/alice/.openclaw/openclaw.json", b"2"),
            ErrorKind::Malformed,
            "stands in it twice",
        ),
        (usual().raw(EntryType::Char, &inside("null"), "", b""), ErrorKind::Malformed, "is of type `3`"),
        (usual().raw(EntryType::Fifo, &inside("pipe"), "", b""), ErrorKind::Malformed, "is of type `6`"),
        (usual().raw(EntryType::GNUSparse, &inside("holes"), "", b""), ErrorKind::Malformed, "tar: "),
        (
            usual().raw(EntryType::Link, &inside("l"), "/etc/passwd", b""),
            ErrorKind::Malformed,
            "no file before it",
        ),
        (
            usual().raw(EntryType::Link, &inside("l"), &inside("state"), b""),
            ErrorKind::Malformed,
            "no file before it",
        ),
        (
            usual().raw(EntryType::GNULongName, "x", "", &vec![b'a'; 2 << 20]),
            ErrorKind::Malformed,
            "more than 1 MiB",
        ),
        (
            usual().raw(EntryType::Regular, &format!("{ROOT}/manifest.json"), "", b"{}"),
            ErrorKind::Malformed,
            "a second `manifest.json`",
        ),
    ];
    for (native, kind, words) in cases {
        let error = native.read(&Silent).err().unwrap_or_else(|| panic!("read, without `{words}`"));
        assert!(error.to_string().contains(words), "`{words}` is not in `{error}`");
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[test]
fn a_directory_that_is_a_file_too_is_refused() {
    let backup = Native::usual().file("/home/alice/.openclaw/openclaw.json/x", b"").read(&Silent).unwrap();
    let builder = ArchiveBuilder::new().passphrase(Passphrase::new("fake".to_owned())).work_factor(2);
    let mut writer = builder.create(Cursor::new(Vec::new())).unwrap();
    let error = backup.copy_into(&mut writer, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
}

#[test]
fn manifests_of_other_kinds_are_refused() {
    let with = |change: fn(&mut Value)| {
        let mut native = Native::usual();
        change(&mut native.manifest);
        native.read(&Silent).err().unwrap()
    };
    for (error, kind, words) in [
        (
            with(|m| m["schemaVersion"] = 2.into()),
            ErrorKind::Invalid,
            "of schema version 2; this program reads",
        ),
        (with(|m| m["schemaVersion"] = Value::Null), ErrorKind::Invalid, "names no version"),
        (with(|m| m["createdAt"] = "soon".into()), ErrorKind::Invalid, "`createdAt` is no time"),
        (
            with(|m| m["createdAt"] = "1969-12-31T23:59:59Z".into()),
            ErrorKind::Invalid,
            "`createdAt` is before 1970",
        ),
        (with(|m| m["assets"] = 1.into()), ErrorKind::Invalid, "is none of `openclaw backup`"),
        (
            with(|m| m["paths"]["stateDir"] = "C:\\Users\\a".into()),
            ErrorKind::Invalid,
            "no absolute path of Unix",
        ),
        (with(|m| m["paths"]["stateDir"] = "/a/../b".into()), ErrorKind::Invalid, "no absolute path of Unix"),
        (with(|m| m["assets"][0]["archivePath"] = "x".into()), ErrorKind::Malformed, "does not fit where"),
    ] {
        assert!(error.to_string().contains(words), "`{words}` is not in `{error}`");
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[test]
fn what_the_manifest_names_and_the_tar_lacks_is_missed() {
    for (native, missing) in [
        (Native::usual().asset("workspace", "/srv/none"), "/srv/none"),
        (Native::new().directory("/srv/Research WS"), "/home/alice/.openclaw"),
    ] {
        let error = native.read(&Silent).err().unwrap();
        let said = format!("nothing of `{missing}`, which `manifest.json` names");
        assert!(error.to_string().contains(&said), "{error}");
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
}

#[test]
fn directories_that_are_not_in_it_are_not_made_without_end() {
    let deep = |number: u32| format!("/home/alice/.openclaw/{number}{}/x", "/d".repeat(1800));
    let with = |count: u32| {
        let name = |number| format!("{ROOT}/payload/posix{}", deep(number));
        let native = (0..count).fold(Native::usual(), |native, number| native.long(&name(number), b"x"));
        native.read(&Silent)
    };
    with(2).unwrap();
    let error = with(10).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
}

#[test]
fn other_files_are_told_from_backups() {
    let error = |bytes: &[u8]| -> Error { read(bytes, &Silent).err().unwrap() };
    let plain = error(&Native::usual().tar.into_inner().unwrap());
    assert!(plain.to_string().contains("no gzip file"), "{plain}");
    assert_eq!(plain.kind(), ErrorKind::Invalid);
    assert_eq!(error(b"").kind(), ErrorKind::Invalid);
    let other = error(&gzip(&Native::usual().tar.into_inner().unwrap()));
    assert!(other.to_string().contains("no `manifest.json` in it"), "{other}");
    assert_eq!(error(&gzip(&[7; 4096])).kind(), ErrorKind::Malformed);
    // A second tar behind the end.
    let mut tar = Native::usual().tar.into_inner().unwrap();
    tar.extend(Native::usual().tar.into_inner().unwrap());
    assert!(error(&gzip(&tar)).to_string().contains("goes on after its end"));
}

#[test]
fn a_backup_that_ends_early_or_is_damaged_is_never_taken() {
    let whole = Native::usual().bytes();
    for end in 0..whole.len() {
        let error = read(&whole[..end], &Silent).err().unwrap_or_else(|| panic!("taken with {end} bytes"));
        assert!(matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Invalid), "{error}");
    }
    let tar = |bytes: &[u8]| {
        let mut tar = Vec::new();
        MultiGzDecoder::new(bytes).read_to_end(&mut tar).ok().map(|_| tar)
    };
    let mut refused = 0;
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x40;
        // Of zeros, a repetition from elsewhere is the same; and gzip's header has a time.
        if tar(&bytes) != tar(&whole) {
            assert!(read(&bytes, &Silent).is_err(), "taken with another byte {position}");
            refused += 1;
        }
    }
    assert!(refused > whole.len() / 2, "only {refused} of {}", whole.len());
}

#[test]
fn a_file_that_changes_after_it_was_read_is_not_imported() {
    let backup = Native::usual().read(&Silent).unwrap();
    let other = Native::usual().file("/home/alice/.openclaw/a", b"").bytes();
    let mut file = &backup.file;
    file.set_len(0).unwrap();
    file.rewind().unwrap();
    file.write_all(&other[..other.len() - 1]).unwrap();
    let builder = ArchiveBuilder::new().passphrase(Passphrase::new("fake".to_owned())).work_factor(2);
    let mut writer = builder.create(Cursor::new(Vec::new())).unwrap();
    assert_eq!(backup.copy_into(&mut writer, &Silent).unwrap_err().kind(), ErrorKind::Malformed);
}
