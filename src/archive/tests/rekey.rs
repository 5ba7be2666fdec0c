//! A new identity for the same content.

use super::*;
use crate::archive::Summary;
use crate::format::entry::Entry;
use crate::observer::Observer;

fn archive() -> Made {
    let files = [("state/a", noise(300_000, 3)), ("state/b", Vec::new()), ("state/c", b"text".repeat(99))];
    make(ArchiveBuilder::new().series([7; 16]).parity(5), &files)
}

fn rekey(archive: &Archive, builder: ArchiveBuilder, observer: &dyn Observer) -> Result<(Vec<u8>, Summary)> {
    let mut writer = archive.successor(builder)?.create(Cursor::new(Vec::new()))?;
    archive.copy_into(&mut writer, 1, observer)?;
    let verifier = writer.verifier();
    let (sink, summary) = writer.finish()?;
    let bytes = sink.into_inner();
    let report = verifier.verify(Arc::new(bytes.clone()), 1, &Silent).unwrap();
    assert_eq!(report.damage, []);
    Ok((bytes, summary))
}

/// Everything that an index says but for where things lie.
fn facts(archive: &Archive, role: Role) -> (Source, Vec<Entry>, Vec<Skipped>, Vec<Noted>) {
    let index = archive.index(role).unwrap();
    let entries = index.entries.iter().map(|entry| Entry { offset: 0, ..entry.clone() }).collect();
    (index.source, entries, index.skipped, index.noted)
}

#[test]
fn the_content_is_the_same_and_nothing_of_the_old_keys_opens_it() {
    let old = archive();
    let fresh = Identity::generate();
    let before = old.open();
    let builder = || ArchiveBuilder::new().recipients(vec![fresh.recipient()]).level(9);
    let (bytes, summary) = rekey(&before, builder(), &Silent).unwrap();
    let after = open(bytes.clone(), &Keys::new().identities(vec![fresh.clone()])).unwrap();
    for role in Role::ALL {
        assert_eq!(facts(&after, role), facts(&before, role));
    }
    let mut content = Vec::new();
    let index = after.index(Role::State).unwrap();
    let entry = index.find(&path("state/a")).unwrap();
    after.read(&index, entry).unwrap().read_to_end(&mut content).unwrap();
    assert!(content == noise(300_000, 3));

    let (old_manifest, new_manifest) = (before.manifest(), after.manifest());
    assert_eq!((old_manifest.series, &old_manifest.created), (new_manifest.series, &new_manifest.created));
    assert_eq!(summary.archive_id, new_manifest.archive);
    assert_ne!(old_manifest.archive, new_manifest.archive);
    assert!(old_manifest.parity.is_some() && new_manifest.parity.is_none());
    assert_eq!(open(bytes.clone(), &old.keys()).err().unwrap().kind(), ErrorKind::WrongKey);

    // Neither does the archive identity itself, which whoever had the old archive may know.
    let sealed = Sealed::from_source(Arc::new(bytes)).unwrap();
    let error = sealed.unlock_as_writer(before.identity.clone()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Tampered);
    let (again, _) = rekey(&before, builder(), &Silent).unwrap();
    let again = open(again, &Keys::new().identities(vec![fresh])).unwrap();
    assert_ne!(again.manifest().archive, after.manifest().archive);
}

#[test]
fn one_without_a_series_and_without_workspaces_stays_so() {
    let identity = Identity::generate();
    let mut writer = ArchiveBuilder::new()
        .recipients(vec![identity.recipient()])
        .created(1_000_000_000)
        .create(Cursor::new(Vec::new()))
        .unwrap();
    writer.begin(Source::default(), Role::State).unwrap();
    let (sink, _) = writer.finish().unwrap();
    let keys = Keys::new().identities(vec![identity.clone()]);
    let before = open(sink.into_inner(), &keys).unwrap();
    let builder = ArchiveBuilder::new().recipients(vec![identity.recipient()]).parity(2);
    let after = open(rekey(&before, builder, &Silent).unwrap().0, &keys).unwrap();
    assert_eq!(after.manifest().series, None);
    assert_eq!(after.manifest().created, "2001-09-09T01:46:40Z");
    assert_eq!(after.roles().collect::<Vec<_>>(), [Role::State]);
    assert!(after.manifest().parity.is_some());
}

#[test]
fn damage_anywhere_in_the_content_ends_it() {
    let old = archive();
    let places = old.open();
    for place in &places.layout.places {
        if place.name == "ocbak/parity" {
            continue;
        }
        for at in [0, place.member.length / 2, place.member.length - 1] {
            let mut bytes = old.bytes.clone();
            bytes[(place.content + at) as usize] ^= 1;
            let damaged = open(bytes, &old.keys()).unwrap();
            let builder = ArchiveBuilder::new().recipients(vec![old.identity.recipient()]);
            let error = rekey(&damaged, builder, &Silent).err().unwrap();
            assert!(error.is_damage(), "{} {at}: {error}", place.name);
        }
    }
}

/// Counts bytes, and stops at a number of them.
struct Until(AtomicU64, u64);

impl Observer for Until {
    fn advance(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= self.1
    }
}

#[test]
fn it_tells_how_far_it_is_and_stops_when_asked() {
    let old = archive();
    let builder = || ArchiveBuilder::new().recipients(vec![old.identity.recipient()]);
    let all = Until(AtomicU64::new(0), u64::MAX);
    rekey(&old.open(), builder(), &all).unwrap();
    assert_eq!(all.0.into_inner(), 300_396);
    let part = Until(AtomicU64::new(0), 1);
    let error = rekey(&old.open(), builder(), &part).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(part.0.into_inner() <= 300_000, "no file after the first is begun");
}
