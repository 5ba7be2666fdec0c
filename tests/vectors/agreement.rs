//! What one reader accepts, all accept, and alike: streaming on one thread and on several, seeking, `verify`, restoring, and the
//! writer, which makes the same index of it.
//!
//! The fuzz targets `payload` and `archive` give the bytes; the tests below give some too, and so keep this code alive.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use ocbak::{
    Adaptation, Archive, ArchiveBuilder, Entry, Error, ErrorKind, Identity, Index, Item, ItemKind, Keys,
    Node, Plan, Recipient, Role, Sealed, Selection, Silent, Target, Xattr, restore,
};
use sha2::{Digest, Sha256};

use crate::script;
use crate::support::age_keys::{IDENTITY, RECIPIENT};

/// Builds what the bytes tell of and reads it in every way; says whether it was accepted.
///
/// # Panics
///
/// When the readers disagree.
pub fn agree(bytes: &[u8]) -> bool {
    let archive = open(script::build(bytes));
    let scratch = tempfile::tempdir().unwrap();
    let target = scratch.path().join("out");
    let verified = archive.verify(1, &Silent).unwrap().damage.is_empty();
    let Ok(index) = archive.index(Role::State).map_err(|error| is_damage(&error)) else {
        assert!(!verified, "`verify` takes an index that cannot be read");
        restored(&archive, &target).unwrap_err();
        assert!(!target.exists());
        return false;
    };
    let streamed = streamed(&archive, &index, 1);
    assert_eq!(streamed, self::streamed(&archive, &index, 3), "the number of threads matters");
    assert_eq!(streamed.is_ok(), verified, "`verify` and streaming disagree");
    let sought: Vec<_> = index.entries.iter().map(|entry| sought(&archive, &index, entry)).collect();
    let restored = restored(&archive, &target);
    let Ok(streamed) = streamed else {
        restored.unwrap_err();
        assert!(!target.exists(), "something damaged was restored");
        return false;
    };
    for (entry, (streamed, sought)) in index.entries.iter().zip(streamed.iter().zip(sought)) {
        assert_eq!(Ok(streamed), sought.as_ref(), "`{}` comes out in two ways", entry.path);
    }
    assert_eq!(written(&index, &streamed).entries, index.entries, "another archive is written of it");
    match restored {
        Ok(()) => same_files(&index, &streamed, &target),
        // Names that this place cannot hold.
        Err(_) => assert!(!target.exists(), "something is left of a restore that failed"),
    }
    true
}

/// Reads anything in every way; says whether the key opened it.
///
/// # Panics
///
/// When a reader comes to another end than a value, or an error that a damaged archive may have.
pub fn survive(bytes: &[u8]) -> bool {
    let Ok(sealed) = Sealed::from_source(Arc::new(bytes.to_vec())) else {
        return false;
    };
    sealed.verify_digests(&Silent).unwrap();
    let Ok(archive) = sealed.unlock(&KEYS) else {
        return false;
    };
    for role in archive.roles() {
        if let Ok(index) = archive.index(role).map_err(|error| is_damage(&error)) {
            for entry in &index.entries {
                let _ = sought(&archive, &index, entry);
            }
        }
    }
    archive.verify(1, &Silent).unwrap();
    true
}

/// The content and the attributes of an entry.
type Content = (Vec<u8>, Vec<Xattr>);

fn open(archive: Vec<u8>) -> Archive {
    let sealed = Sealed::from_source(Arc::new(archive)).unwrap();
    assert_eq!(sealed.verify_digests(&Silent).unwrap(), []);
    let archive = sealed.unlock(&KEYS).unwrap();
    assert_eq!(archive.damage(), []);
    archive
}

fn streamed(archive: &Archive, index: &Index, threads: usize) -> Result<Vec<Content>, ErrorKind> {
    let mut all = Vec::new();
    let mut stream = archive.stream(index, threads).unwrap();
    while let Some((_, xattrs)) = stream.next_entry().map_err(|error| is_damage(&error))? {
        let (mut content, mut part) = (Vec::new(), [0; 4096]);
        loop {
            match stream.read(&mut part).map_err(|error| is_damage(&error))? {
                0 => break,
                count => content.extend(&part[..count]),
            }
        }
        all.push((content, xattrs));
    }
    Ok(all)
}

fn sought(archive: &Archive, index: &Index, entry: &Entry) -> Result<Content, ErrorKind> {
    let mut reader = archive.read(index, entry).map_err(|error| is_damage(&error))?;
    let xattrs = reader.xattrs().to_vec();
    let mut content = Vec::new();
    reader.read_to_end(&mut content).map_err(|error| is_damage(&error.downcast().unwrap()))?;
    if let Node::File { sha256, .. } = entry.node {
        assert_eq!(
            <[u8; 32]>::from(Sha256::digest(&content)),
            sha256,
            "`{}` is not what the index says",
            entry.path
        );
    }
    Ok((content, xattrs))
}

/// Every error must be one of a damaged archive.
fn is_damage(error: &Error) -> ErrorKind {
    let kind = error.kind();
    let damage = [ErrorKind::Malformed, ErrorKind::Truncated, ErrorKind::Tampered, ErrorKind::LimitExceeded];
    assert!(damage.contains(&kind), "{error}");
    kind
}

/// The index that the writer makes of the same entries.
fn written(index: &Index, contents: &[Content]) -> Index {
    let builder = ArchiveBuilder::new().recipients(vec![Recipient::parse(RECIPIENT).unwrap()]);
    let mut writer = builder.create(Cursor::new(Vec::new())).unwrap();
    writer.begin(index.source.clone(), Role::State).unwrap();
    for (entry, (content, xattrs)) in index.entries.iter().zip(contents) {
        let kind = match &entry.node {
            Node::File { size, .. } => ItemKind::File { size: *size },
            Node::Directory => ItemKind::Directory,
            Node::Symlink { target } => ItemKind::Symlink { target },
            Node::Hardlink { target } => ItemKind::Hardlink { target },
        };
        let item = Item { path: &entry.path, mode: entry.mode, mtime: entry.mtime, xattrs, kind };
        assert_eq!(writer.append(&item, &mut &content[..]).unwrap(), 0);
    }
    open(writer.finish().unwrap().0.into_inner()).index(Role::State).unwrap()
}

fn restored(archive: &Archive, target: &Path) -> ocbak::Result<()> {
    let to = Target::Directory(target.to_owned());
    let plan = Plan::new(archive, &Selection::default(), &to, &Adaptation::default())?;
    restore(archive, &plan, 1, &Silent).map(drop)
}

fn same_files(index: &Index, contents: &[Content], target: &Path) {
    for (entry, (content, _)) in index.entries.iter().zip(contents) {
        let path = entry.path.components().fold(target.to_owned(), |path, name| {
            path.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name))
        });
        let facts = fs::symlink_metadata(&path).unwrap();
        match &entry.node {
            // One that the mode closes is read by nobody but root.
            Node::File { .. } => assert!(fs::read(&path).map_or(facts.is_file(), |found| found == *content)),
            Node::Hardlink { .. } => assert!(facts.is_file()),
            Node::Directory => assert!(facts.is_dir()),
            Node::Symlink { .. } => assert!(facts.is_symlink()),
        }
    }
}

static KEYS: LazyLock<Keys> =
    LazyLock::new(|| Keys::new().identities(Identity::parse_file(IDENTITY).unwrap()));

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{agree, survive};
    use crate::forge::Forge;

    #[test]
    fn what_nothing_changed_is_accepted() {
        // A file, a symbolic link and a hard link, and no edits.
        let file = [4, 0, 1, 0, 8, 7, 0, 0, 0];
        let symlink = [2, 0, 1, 1, 0, 0, 0, 0, 0];
        let hardlink = [3, 0, 1, 2, 0, 1, 0, 0, 0, 0];
        assert!(agree(&[&[3][..], &file, &symlink, &hardlink].concat()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn readers_agree_on_whatever_is_in_an_archive(bytes in vec(any::<u8>(), 0..120)) {
            agree(&bytes);
        }

        #[test]
        fn readers_survive_whatever_is_an_archive(
            edits in vec((any::<prop::sample::Index>(), 0..4_usize, vec(any::<u8>(), 0..4)), 0..4),
        ) {
            let mut bytes = Forge::new().build();
            for (at, out, put) in &edits {
                let at = at.index(bytes.len());
                bytes.splice(at..(at + out).min(bytes.len()), put.iter().copied());
            }
            prop_assert!(survive(&bytes) || !edits.is_empty(), "the sound one is refused");
        }
    }
}
