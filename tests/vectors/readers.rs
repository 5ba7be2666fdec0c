//! What every reader makes of an archive.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ocbak::{
    Adaptation, Archive, ArchiveBuilder, Entry, Error, ErrorKind, Identity, IdentityFile, Index, Keys, Node,
    Passphrase, Plan, Result, Sealed, Selection, Silent, Target, extract, restore,
};

use crate::forge::Key;
use crate::suite::STEPS;

/// What came of all steps, and the contents of the files that were whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub steps: Vec<&'static str>,
    pub released: Vec<u8>,
}

/// Opens an archive with a key.
pub fn open(bytes: &[u8], key: Key) -> Result<Archive> {
    Sealed::from_source(Arc::new(bytes.to_vec()))?.unlock(&keys(key))
}

/// Takes all steps of reading (spec §10).
pub fn read(bytes: &[u8], key: Key) -> Seen {
    let mut seen = Seen::default();
    // An error of a step ends it, and is the last step there.
    if let Err(error) = steps(bytes, key, &mut seen) {
        seen.steps.push(name(error.kind()));
    }
    seen
}

fn steps(bytes: &[u8], key: Key, seen: &mut Seen) -> Result<()> {
    let report = |damaged: bool| if damaged { "damage" } else { "ok" };
    let sealed = Sealed::from_source(Arc::new(bytes.to_vec()))?;
    seen.steps.push(report(!sealed.damage().is_empty()));
    seen.steps.push(report(!sealed.verify_digests(&Silent)?.is_empty()));
    let archive = sealed.unlock(&keys(key))?;
    seen.steps.push(report(!archive.damage().is_empty()));
    let indexes = indexes(&archive)?;
    seen.steps.push("ok");
    seen.steps.push(name_of(&one_by_one(&archive, &indexes)));
    let all = all_in_order(&archive, &indexes, &mut seen.released);
    // `verify` reads the same, and looks at what no payload covers.
    let report = archive.verify(1, &Silent)?;
    assert!(all.is_ok() || !report.damage.is_empty(), "`verify` misses `{all:?}`");
    seen.steps.push(match all {
        Ok(()) if !report.damage.is_empty() => "damage",
        all => name_of(&all),
    });
    Ok(())
}

fn indexes(archive: &Archive) -> Result<Vec<Index>> {
    archive.roles().map(|role| archive.index(role)).collect()
}

/// Reads every file by seeking; the first error counts.
fn one_by_one(archive: &Archive, indexes: &[Index]) -> Result<()> {
    let mut result = Ok(());
    for index in indexes {
        for entry in index.entries.iter().filter(|entry| matches!(entry.node, Node::File { .. })) {
            let read = archive.read(index, entry).and_then(|mut content| {
                let read = io::copy(&mut content, &mut io::sink());
                read.map(drop).map_err(|error| error.downcast::<Error>().unwrap())
            });
            result = result.and(read);
        }
    }
    result
}

/// Reads the payloads from their start to their end.
fn all_in_order(archive: &Archive, indexes: &[Index], released: &mut Vec<u8>) -> Result<()> {
    for index in indexes {
        let mut stream = archive.stream(index, 1)?;
        while stream.next_entry()?.is_some() {
            let mut content = Vec::new();
            loop {
                let mut part = [0; 4096];
                let count = stream.read(&mut part)?;
                if count == 0 {
                    break;
                }
                content.extend(&part[..count]);
            }
            released.append(&mut content);
        }
    }
    Ok(())
}

/// Restores everything to a new directory.
pub fn restored(bytes: &[u8], key: Key, target: &Path) -> &'static str {
    let result = open(bytes, key).and_then(|archive| {
        let to = Target::Directory(target.to_owned());
        let plan = Plan::new(&archive, &Selection::default(), &to, &Adaptation::default())?;
        restore(&archive, &plan, 1, &Silent)
    });
    name_of(&result)
}

/// Extracts everything beside what is in a directory.
pub fn extracted(bytes: &[u8], key: Key, directory: &Path) -> &'static str {
    let result = open(bytes, key).and_then(|archive| {
        let indexes = indexes(&archive)?;
        let roots = indexes.iter().flat_map(|index| &index.source.roots);
        // Roots without entries cannot be asked for.
        let there = |root: &&ocbak::Root| indexes.iter().any(|index| index.find(&root.path).is_some());
        let paths: Vec<_> = roots.filter(there).map(|root| root.path.clone()).collect();
        extract(&archive, &paths, directory, &Silent)
    });
    name_of(&result)
}

/// The names of everything below a directory.
pub fn everything_in(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found
}

/// Tells whether an archive lists the same when it was encrypted anew. The hashes in the lists prove the contents.
pub fn survives_rekeying(archive: &[u8], key: Key) -> bool {
    let open =
        |bytes: Vec<u8>, keys: &Keys| Sealed::from_source(Arc::new(bytes)).unwrap().unlock(keys).unwrap();
    let fresh = Identity::generate();
    let before = open(archive.to_vec(), &keys(key));
    let builder = ArchiveBuilder::new().recipients(vec![fresh.recipient()]);
    let mut writer = before.successor(builder).unwrap().create(io::Cursor::new(Vec::new())).unwrap();
    before.copy_into(&mut writer, 1, &Silent).unwrap();
    let verifier = writer.verifier();
    let bytes = writer.finish().unwrap().0.into_inner();
    assert_eq!(verifier.verify(Arc::new(bytes.clone()), 1, &Silent).unwrap().damage, []);
    let after = open(bytes, &Keys::new().identities(vec![fresh]));
    let facts = |archive: &Archive| {
        let indexes = archive.roles().map(|role| archive.index(role).unwrap());
        let entries = |index: &Index| -> Vec<Entry> {
            index.entries.iter().map(|entry| Entry { offset: 0, ..entry.clone() }).collect()
        };
        let facts = indexes.map(|index| (entries(&index), index.source, index.skipped, index.noted));
        (facts.collect::<Vec<_>>(), archive.manifest().series, archive.manifest().created.clone())
    };
    facts(&before) == facts(&after)
}

fn keys(key: Key) -> Keys {
    match key {
        Key::Identity(identity) => Keys::new().identities(Identity::parse_file(identity).unwrap()),
        Key::Ssh(file) => match IdentityFile::parse(file.as_bytes()).unwrap() {
            IdentityFile::Plain(identities) => Keys::new().identities(identities),
            IdentityFile::Protected(_) => panic!("the key is protected"),
        },
        Key::Passphrase(passphrase) => Keys::new().passphrase(Passphrase::new(passphrase.to_owned())),
    }
}

fn name_of<T>(result: &Result<T>) -> &'static str {
    result.as_ref().map_or_else(|error| name(error.kind()), |_| "ok")
}

/// The word of a vector's header.
fn name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotAnArchive => "not-an-archive",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Malformed => "malformed",
        ErrorKind::Truncated => "truncated",
        ErrorKind::Tampered => "tampered",
        ErrorKind::WrongKey => "wrong-key",
        ErrorKind::LimitExceeded => "limit-exceeded",
        other => panic!("a vector leads to {other:?}"),
    }
}

/// What a reader that does everything ends with.
pub fn end(steps: &[&'static str]) -> &'static str {
    let last = *steps.last().unwrap();
    if last == "damage" || steps.len() == STEPS.len() && last == "ok" { "ok" } else { last }
}
