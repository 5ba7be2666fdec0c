//! Changes of passphrase, ended at every step, on whole and on damaged headers.

use std::io::{self, Cursor};
use std::sync::Mutex;

use super::{Made, REGION, large, make, open};
use crate::archive::source::Medium;
use crate::archive::{ArchiveBuilder, ReadAt, SlotChange};
use crate::crypto::{Keys, Passphrase};
use crate::error::{Error, ErrorKind, Result};
use crate::format::entry::{Role, Source};
use crate::observer::Silent;

/// A file on a medium that takes so many bytes and then no more.
struct Disk {
    bytes: Mutex<Vec<u8>>,
    takes: Mutex<usize>,
    /// Writes past the first so many are lost, and no error says so.
    lies: bool,
}

impl Disk {
    fn new(bytes: &[u8], takes: usize) -> Self {
        Self { bytes: Mutex::new(bytes.to_vec()), takes: Mutex::new(takes), lies: false }
    }

    fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_inner().unwrap()
    }
}

impl ReadAt for Disk {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.bytes.lock().unwrap().read_at(buffer, offset)
    }

    fn length(&self) -> io::Result<u64> {
        self.bytes.lock().unwrap().length()
    }
}

impl Medium for Disk {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut takes = self.takes.lock().unwrap();
        let count = bytes.len().min(*takes);
        *takes -= count;
        let at = offset as usize;
        self.bytes.lock().unwrap()[at..at + count].copy_from_slice(&bytes[..count]);
        if count < bytes.len() && !self.lies { Err(io::Error::other("pulled")) } else { Ok(()) }
    }

    fn settle(&self) -> io::Result<()> {
        Ok(())
    }
}

const ALL: usize = usize::MAX;
const LOW: u8 = 1;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned())
}

fn keys(text: &str) -> Keys {
    Keys::new().passphrase(passphrase(text))
}

fn locked() -> Made {
    make(
        ArchiveBuilder::new().passphrase(passphrase("old")).work_factor(LOW),
        &[("state/a", b"hello".to_vec())],
    )
}

fn opens(bytes: &[u8], text: &str) -> bool {
    let opened = open(bytes.to_vec(), &keys(text));
    opened.is_ok_and(|archive| archive.index(Role::State).is_ok_and(|index| index.entries.len() == 2))
}

/// Changes the passphrase with what a key opens, on a disk that takes so many bytes.
fn change(bytes: &[u8], with: &Keys, new: Option<&str>, takes: usize) -> (Vec<u8>, Result<SlotChange>) {
    let archive = open(bytes.to_vec(), with).unwrap();
    let disk = Disk::new(bytes, takes);
    let result = archive.change(&disk, new.map(passphrase).as_ref(), LOW);
    (disk.into_bytes(), result)
}

fn sound(bytes: &[u8], with: &Keys) {
    let archive = open(bytes.to_vec(), with).unwrap();
    assert!(archive.damage().is_empty(), "{:?}", archive.damage());
    assert!(archive.verify(1, &Silent).unwrap().damage.is_empty());
}

#[test]
fn the_new_one_opens_and_the_old_one_does_not() {
    let made = locked();
    let (bytes, result) = change(&made.bytes, &keys("old"), Some("new"), ALL);
    assert!(!result.unwrap().healed);
    sound(&bytes, &keys("new"));
    sound(&bytes, &made.keys());
    let error = open(bytes.clone(), &keys("old")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::WrongKey);
    // Only the header regions change.
    let tail = bytes.len() - 1024 - REGION;
    assert_eq!(bytes[REGION..tail], made.bytes[REGION..tail]);
}

#[test]
fn one_is_added_to_an_archive_for_recipients_and_removed_again() {
    let (made, _) = large(1);
    let (bytes, result) = change(&made.bytes, &made.keys(), Some("first"), ALL);
    assert!(!result.unwrap().healed);
    sound(&bytes, &keys("first"));
    sound(&bytes, &made.keys());
    let (bytes, result) = change(&bytes, &keys("first"), None, ALL);
    assert!(!result.unwrap().healed);
    sound(&bytes, &made.keys());
    let error = open(bytes, &keys("first")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::WrongKey);
}

#[test]
fn what_would_lock_everybody_out_is_refused_and_nothing_written() {
    let made = locked();
    let builder = ArchiveBuilder::new().passphrase(passphrase("old")).work_factor(LOW);
    let mut writer = builder.create(Cursor::new(Vec::new())).unwrap();
    writer.begin(Source::default(), Role::State).unwrap();
    let alone = writer.finish().unwrap().0.into_inner();
    let (bytes, result) = change(&alone, &keys("old"), None, ALL);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(bytes, alone);
    let (bytes, result) = change(&made.bytes, &keys("old"), Some(""), ALL);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(bytes, made.bytes);
}

/// The damages beforehand after which one copy is still intact.
fn damaged(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let tail = bytes.len() - 1024 - REGION;
    let spoil = |at: usize, length: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at..at + length].iter_mut().for_each(|byte| *byte ^= 0xa5);
        bytes
    };
    let interrupted = change(bytes, &keys("old"), Some("between"), REGION).0;
    vec![
        ("whole", bytes.to_vec()),
        ("head wiped", spoil(0, REGION)),
        ("head's manifest hit", spoil(700, 1)),
        ("head's slots hit", spoil(2600, 900)),
        ("tail wiped", spoil(tail, REGION)),
        ("tail's manifest hit", spoil(tail + 700, 1)),
        ("tail's slots hit", spoil(tail + 2600, 900)),
        ("interrupted before", interrupted),
    ]
}

#[test]
fn ended_at_every_sector_it_opens_with_the_old_or_the_new() {
    let made = locked();
    for (what, before) in damaged(&made.bytes) {
        let (after, result) = change(&before, &keys("old"), Some("new"), ALL);
        assert_eq!(result.unwrap(), SlotChange { replaced: true, healed: what != "whole" }, "{what}");
        sound(&after, &keys("new"));
        for takes in (0..3 * REGION).step_by(512).chain([1, 100, REGION - 1, REGION + 1, 2 * REGION - 1]) {
            let (bytes, result) = change(&before, &keys("old"), Some("new"), takes);
            assert!(opens(&bytes, "old") || opens(&bytes, "new"), "{what}, {takes} bytes written");
            assert!(open(bytes.clone(), &made.keys()).is_ok(), "{what}, {takes} bytes written");
            if result.is_ok() {
                assert!(opens(&bytes, "new"), "{what}, {takes} bytes written");
                assert!(takes >= 2 * REGION, "{what}");
            }
            // Whatever stood still, the same again brings it to its end.
            if takes % (16 * 512) == 0 {
                let with = if opens(&bytes, "old") { "old" } else { "new" };
                let (bytes, result) = change(&bytes, &keys(with), Some("new"), ALL);
                result.unwrap();
                sound(&bytes, &keys("new"));
            }
        }
    }
}

#[test]
fn the_key_that_opened_decides_which_of_two_headers_goes_on() {
    let made = locked();
    let interrupted = change(&made.bytes, &keys("old"), Some("between"), REGION).0;
    assert!(opens(&interrupted, "old") && opens(&interrupted, "between"));
    for with in ["old", "between"] {
        // One copy takes over the other; nothing else is written yet.
        let (bytes, result) = change(&interrupted, &keys(with), Some("new"), REGION);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Io);
        assert!(opens(&bytes, with));
        sound(&bytes, &keys(with));
    }
    // A recipient's key opens both: the tail is the newer one.
    let (bytes, _) = change(&interrupted, &made.keys(), Some("new"), REGION);
    sound(&bytes, &keys("between"));
}

#[test]
fn where_no_copy_is_intact_nothing_is_written() {
    let made = locked();
    let tail = made.bytes.len() - 1024 - REGION;
    let mut bytes = made.bytes.clone();
    bytes[700] ^= 1;
    bytes[tail + 2600] ^= 1;
    let (after, result) = change(&bytes, &keys("old"), Some("new"), ALL);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Malformed);
    assert_eq!(after, bytes);
}

#[test]
fn a_file_that_ends_early_is_not_made_longer() {
    let made = locked();
    let cut = &made.bytes[..made.bytes.len() - 20_000];
    let (after, result) = change(cut, &keys("old"), Some("new"), ALL);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Truncated);
    assert_eq!(after, cut);
}

#[test]
fn another_file_under_the_name_is_left_alone() {
    let (made, other) = (locked(), locked());
    let archive = open(made.bytes.clone(), &keys("old")).unwrap();
    let disk = Disk::new(&other.bytes, ALL);
    let error = archive.change(&disk, Some(&passphrase("new")), LOW).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(disk.into_bytes(), other.bytes);
}

#[test]
fn a_medium_that_loses_writes_is_noticed_before_the_last_good_copy_is_given_up() {
    let made = locked();
    for takes in [0, 512, REGION - 512] {
        let archive = open(made.bytes.clone(), &keys("old")).unwrap();
        let disk = Disk { lies: true, ..Disk::new(&made.bytes, takes) };
        let error = archive.change(&disk, Some(&passphrase("new")), LOW).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
        let bytes = disk.into_bytes();
        assert_eq!(bytes[..REGION], made.bytes[..REGION]);
        assert!(opens(&bytes, "old"));
    }
}
