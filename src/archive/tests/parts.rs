//! Archives in several files: read as one, and what is said when they are not all there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::*;

const SIZE: usize = 50_000;

/// An archive in parts, and the directory that they lie in.
struct Set {
    made: Made,
    directory: tempfile::TempDir,
}

impl Set {
    fn new() -> Self {
        let made = make(ArchiveBuilder::new(), &[("state/a", noise(180_000, 3)), ("state/b", noise(700, 5))]);
        let set = Self { made, directory: tempfile::tempdir().unwrap() };
        for (number, part) in set.made.bytes.chunks(SIZE).enumerate() {
            fs::write(set.part(number + 1), part).unwrap();
        }
        set
    }

    fn part(&self, number: usize) -> PathBuf {
        self.directory.path().join(format!("a.ocbak.{number:03}"))
    }

    fn count(&self) -> usize {
        self.made.bytes.len().div_ceil(SIZE)
    }

    fn resize(&self, number: usize, length: usize) {
        let file = File::options().write(true).create(true).truncate(false).open(self.part(number)).unwrap();
        file.set_len(length as u64).unwrap();
    }

    /// What opening by the first part finds damaged; checking everything finds it too.
    fn damage(&self) -> Vec<String> {
        let sealed = Sealed::open(&self.part(1)).unwrap();
        let found: Vec<_> = sealed.damage().iter().map(ToString::to_string).collect();
        let quick = sealed.verify_digests(&Silent).unwrap();
        assert!(quick.len() >= found.len());
        let archive = Archive::open(&self.part(1), &self.made.keys()).unwrap();
        assert_ne!(archive.verify(1, &Silent).unwrap().damage, []);
        let name = |line: String| line.replace(&format!("{}/", self.directory.path().display()), "");
        found.into_iter().map(name).filter(|line| line.contains("a.ocbak")).collect()
    }

    /// What reading the large file says.
    fn read(&self) -> Result<Vec<u8>> {
        let archive = Archive::open(&self.part(1), &self.made.keys())?;
        let index = archive.index(Role::State)?;
        let entry = index.find(&path("state/a")).unwrap();
        let mut content = Vec::new();
        let read = archive.read(&index, entry)?.read_to_end(&mut content);
        read.map(|_| content).map_err(|error| crate::error::Error::stream("read", error))
    }
}

#[test]
fn parts_are_read_as_the_archive_that_they_are() {
    let set = Set::new();
    assert_eq!(set.count(), 6);
    let sealed = Sealed::open(&set.part(1)).unwrap();
    assert_eq!((sealed.length(), sealed.damage()), (set.made.bytes.len() as u64, vec![]));
    assert_eq!(sealed.verify_digests(&Silent).unwrap(), []);
    let archive = sealed.unlock(&set.made.keys()).unwrap();
    assert_eq!(archive.verify(2, &Silent).unwrap().damage, []);
    assert!(set.read().unwrap() == noise(180_000, 3));
}

#[test]
fn of_two_parts_the_short_one_is_found_by_the_manifest() {
    let set = Set::new();
    (2..=set.count()).for_each(|number| fs::remove_file(set.part(number)).unwrap());
    let (first, second) = set.made.bytes.split_at(200_000);
    for (short, expected) in [(1, "`a.ocbak.001` ends early"), (2, "`a.ocbak.002` ends early")] {
        fs::write(set.part(1), &first[..first.len() - usize::from(short == 1)]).unwrap();
        fs::write(set.part(2), &second[..second.len() - usize::from(short == 2)]).unwrap();
        let damage = set.damage();
        assert!(damage.len() == 1 && damage[0].starts_with(expected), "{damage:?}");
        // What lies behind the loss is where it was.
        let archive = Archive::open(&set.part(1), &set.made.keys()).unwrap();
        archive.index(Role::State).unwrap();
        archive.index(Role::Workspace).unwrap();
    }
}

#[test]
fn a_pipe_or_a_directory_named_like_a_part_is_none() {
    let set = Set::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, set.part(7), rustix::fs::Mode::RWXU).unwrap();
    fs::create_dir(set.part(8)).unwrap();
    assert!(set.read().unwrap() == noise(180_000, 3));
    let pipe = set.directory.path().join("pipe.ocbak");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    assert_eq!(Sealed::open(&pipe).err().unwrap().kind(), ErrorKind::Invalid);
}

#[test]
fn a_missing_part_is_named_whichever_it_is() {
    for number in 1..=6 {
        let set = Set::new();
        fs::remove_file(set.part(number)).unwrap();
        assert_eq!(set.damage()[0], format!("`a.ocbak.{number:03}` is missing"));
    }
    let set = Set::new();
    for number in 4..=6 {
        fs::remove_file(set.part(number)).unwrap();
    }
    assert_eq!(set.damage(), ["`a.ocbak.004` is missing, and the 2 parts after it"]);
}

#[test]
fn reading_what_is_not_there_names_the_part() {
    for number in 2..=3 {
        let set = Set::new();
        fs::remove_file(set.part(number)).unwrap();
        let error = set.read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
        assert_eq!(error.to_string(), format!("`{}` is missing", set.part(number).display()));
        let set = Set::new();
        set.resize(number, 10);
        let error = set.read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated);
        let expected = format!("`{}` ends early: 10 bytes of {SIZE}", set.part(number).display());
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn what_does_not_need_a_missing_part_is_read() {
    let set = Set::new();
    fs::remove_file(set.part(2)).unwrap();
    let archive = Archive::open(&set.part(1), &set.made.keys()).unwrap();
    // The indexes lie behind it.
    assert_eq!(archive.index(Role::State).unwrap().entries.len(), 3);
    assert_eq!(archive.index(Role::Workspace).unwrap().entries.len(), 2);
}

#[test]
fn a_part_of_a_wrong_length_is_named() {
    for (number, length, expected) in [
        (1, 40_000, "`a.ocbak.001` ends early: 40000 bytes of 50000"),
        (3, 49_999, "`a.ocbak.003` ends early: 49999 bytes of 50000"),
        (3, 0, "`a.ocbak.003` ends early: 0 bytes of 50000"),
        (2, 50_001, "`a.ocbak.002` is too long: 50001 bytes of 50000"),
    ] {
        let set = Set::new();
        set.resize(number, length);
        assert_eq!(set.damage(), [expected]);
    }
    let set = Set::new();
    let rest = set.made.bytes.len() % SIZE;
    set.resize(6, rest - 1);
    assert_eq!(set.damage(), [format!("`a.ocbak.006` ends early: {} bytes of {rest}", rest - 1)]);
    set.resize(6, rest + 1);
    assert_eq!(set.damage(), [format!("`a.ocbak.006` is too long: {} bytes of {rest}", rest + 1)]);
    fs::write(set.part(6), &set.made.bytes[5 * SIZE..]).unwrap();
    set.resize(7, 10);
    assert_eq!(set.damage(), ["`a.ocbak.007` does not belong to this archive"]);
}

#[test]
fn the_passphrase_of_parts_is_changed_in_place() {
    let old = Passphrase::new("an old passphrase".to_owned());
    let new = Passphrase::new("a new passphrase".to_owned());
    let made = make(ArchiveBuilder::new().passphrase(old.clone()).work_factor(2), &[]);
    let tail = made.bytes.len() - REGION - 1024;
    // The tail copy lies in the last part, across two, and across three.
    for size in [tail, tail - 20_000, tail + 20_000, tail / 2 + 5_000, 20_000] {
        let directory = tempfile::tempdir().unwrap();
        let name = |number: usize| directory.path().join(format!("a.ocbak.{number:03}"));
        for (number, part) in made.bytes.chunks(size).enumerate() {
            fs::write(name(number + 1), part).unwrap();
        }
        let archive = Archive::open(&name(1), &Keys::new().passphrase(old.clone())).unwrap();
        archive.change_passphrase(&name(1), Some(&new), 2).unwrap();
        let open = |key: &Passphrase| Archive::open(&name(1), &Keys::new().passphrase(key.clone()));
        assert_eq!(open(&old).err().unwrap().kind(), ErrorKind::WrongKey);
        assert_eq!(open(&new).unwrap().verify(1, &Silent).unwrap().damage, [], "{size}");
        let lengths = |number: usize| fs::metadata(name(number)).unwrap().len();
        let total: u64 = (1..=made.bytes.len().div_ceil(size)).map(lengths).sum();
        assert_eq!(total, made.bytes.len() as u64);
        fs::remove_file(name(made.bytes.len().div_ceil(size))).unwrap();
        let broken = archive.change_passphrase(&name(1), Some(&old), 2).unwrap_err();
        assert!(matches!(broken.kind(), ErrorKind::Truncated | ErrorKind::Malformed), "{broken}");
    }
}

#[test]
fn whole_archives_may_be_named_like_parts() {
    let directory = tempfile::tempdir().unwrap();
    let name = |number: usize| directory.path().join(format!("backup.{number:03}"));
    let all = [small(), small(), small()];
    for (number, made) in all.iter().enumerate() {
        fs::write(name(number + 1), &made.bytes).unwrap();
    }
    for (number, made) in all.iter().enumerate() {
        let archive = Archive::open(&name(number + 1), &made.keys()).unwrap();
        assert_eq!(archive.verify(1, &Silent).unwrap().damage, []);
    }
}

#[test]
fn a_set_of_nothing_is_not_found() {
    let directory = tempfile::tempdir().unwrap();
    let missing = |name: &str| Sealed::open(&directory.path().join(name)).err().unwrap().kind();
    assert_eq!(missing("a.ocbak.001"), ErrorKind::Io);
    assert_eq!(missing("none/a.ocbak.001"), ErrorKind::Io);
    assert!(Sealed::open(Path::new("/")).is_err());
}
