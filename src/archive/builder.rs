//! The settings of a new archive.

use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::archive::slots::Slots;
use crate::archive::writer::{ArchiveWriter, Frame};
use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::{Passphrase, Recipient};
use crate::error::{Error, Result};
use crate::format::limits::LIMITS;
use crate::payload::write::PayloadOptions;

/// Collects the settings of a new archive.
///
/// # Examples
///
/// ```
/// use std::io::Cursor;
/// use ocbak::{
///     ArchiveBuilder, ArchivePath, Item, ItemKind, Keys, Mtime, Passphrase, Role, Root, Sealed, Source,
/// };
///
/// # fn main() -> ocbak::Result<()> {
/// let passphrase = Passphrase::new("a tiger walks into a bar".to_owned());
/// let mut writer = ArchiveBuilder::new()
///     .passphrase(passphrase.clone())
///     .work_factor(2) // for the example's speed; leave this out
///     .create(Cursor::new(Vec::new()))?;
///
/// let state = ArchivePath::parse(b"state")?;
/// let root = Root { path: state.clone(), source: b"/home/alice/.openclaw".to_vec(), agents: vec![] };
/// writer.begin(Source { roots: vec![root], ..Source::default() }, Role::State)?;
/// let directory = Item { path: &state, mode: 0o700, mtime: Mtime::default(), xattrs: &[], kind: ItemKind::Directory };
/// writer.append(&directory, &mut std::io::empty())?;
/// let path = state.join(b"openclaw.json")?;
/// let file = Item { path: &path, kind: ItemKind::File { size: 2 }, mode: 0o600, ..directory };
/// writer.append(&file, &mut &b"{}"[..])?;
/// let (sink, summary) = writer.finish()?;
/// assert_eq!(summary.payloads[0].entries, 2);
///
/// let archive = Sealed::from_source(std::sync::Arc::new(sink.into_inner()))?
///     .unlock(&Keys::new().passphrase(passphrase))?;
/// let index = archive.index(Role::State)?;
/// let entry = index.find(&path).unwrap();
/// let mut content = String::new();
/// std::io::Read::read_to_string(&mut archive.read(&index, entry)?, &mut content).unwrap();
/// assert_eq!(content, "{}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct ArchiveBuilder {
    passphrase: Option<Passphrase>,
    recipients: Vec<Recipient>,
    work_factor: u8,
    payload: PayloadOptions,
    series: Option<[u8; 16]>,
    created: Option<i64>,
    parity: u8,
}

impl ArchiveBuilder {
    /// Starts with the defaults and without any key.
    pub fn new() -> Self {
        Self {
            passphrase: None,
            recipients: Vec::new(),
            work_factor: LIMITS.work_factor_written,
            payload: PayloadOptions { frame_size: FRAME_SIZE, level: LEVEL, threads: 0 },
            series: None,
            created: None,
            parity: 0,
        }
    }

    /// Adds a slot that opens with a passphrase.
    pub fn passphrase(mut self, passphrase: Passphrase) -> Self {
        self.passphrase = Some(passphrase);
        self
    }

    /// Adds a slot that opens with the key of any of these recipients.
    pub fn recipients(mut self, recipients: Vec<Recipient>) -> Self {
        self.recipients.extend(recipients);
        self
    }

    /// Sets the scrypt work factor, log2(N); 18 unless said.
    ///
    /// # Security
    ///
    /// Less than 18 is for tests: it makes guessing the passphrase cheap (spec §5.2).
    pub fn work_factor(mut self, log_n: u8) -> Self {
        self.work_factor = log_n;
        self
    }

    /// Sets the zstd level, 1 to 22; 3 unless said.
    pub fn level(mut self, level: i32) -> Self {
        self.payload.level = level;
        self
    }

    /// Sets how many threads compress; 0, the default, for all cores. Memory bounds them too.
    pub fn threads(mut self, threads: usize) -> Self {
        self.payload.threads = threads;
        self
    }

    /// Sets the bytes of tar in a frame: a power of two from 256 KiB to 16 MiB; 2 MiB unless said.
    pub fn frame_size(mut self, bytes: u32) -> Self {
        self.payload.frame_size = bytes;
        self
    }

    /// Sets the id that the archives of one installation share.
    pub fn series(mut self, id: [u8; 16]) -> Self {
        self.series = Some(id);
        self
    }

    /// Sets the time of creation in seconds since 1970; now unless said.
    pub fn created(mut self, seconds: i64) -> Self {
        self.created = Some(seconds);
        self
    }

    /// Adds what rebuilds damaged parts without a key: room for so many of a hundred of all blocks to be lost, at
    /// most 100; none, the default, for 0.
    pub fn parity(mut self, percent: u8) -> Self {
        self.parity = percent;
        self
    }

    /// Begins to make the key slots and starts the archive at the beginning of `sink`.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) without any key, with an empty passphrase or a setting out of range;
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) when the recipients do not fit the header;
    /// [`Io`](crate::ErrorKind::Io) of the sink.
    pub fn create<W: Write + Seek + Send + 'static>(self, mut sink: W) -> Result<ArchiveWriter<W>> {
        let size = self.payload.frame_size;
        let most = LIMITS.frame_size_most;
        if !size.is_power_of_two() || !(LIMITS.frame_size_least..=most).contains(&size) {
            return Err(Error::invalid(format!("a frame of {size} bytes is against the format")));
        }
        if !(1..=22).contains(&self.payload.level) {
            let level = self.payload.level;
            return Err(Error::invalid(format!("compression level {level} is not within 1 to 22")));
        }
        if !(1..=30).contains(&self.work_factor) {
            return Err(Error::invalid("the scrypt work factor is not within 1 to 30"));
        }
        if self.parity > 100 {
            return Err(Error::invalid(format!("parity of {} % is more than 100 %", self.parity)));
        }
        let created = created(self.created)?;
        let mut archive = [0; 16];
        getrandom::fill(&mut archive).map_err(|error| Error::stream("get random bytes", error.into()))?;
        let identity = Arc::new(ArchiveIdentity::generate());
        let slots = Slots::begin(&identity, self.passphrase, self.work_factor, &self.recipients)?;
        sink.seek(SeekFrom::Start(LIMITS.region as u64))
            .map_err(|error| Error::stream("write the archive", error))?;
        let (series, parity) = (self.series, self.parity);
        let frame = Frame { identity, slots, archive, series, created, parity };
        Ok(ArchiveWriter::new(sink, frame, self.payload))
    }
}

impl Default for ArchiveBuilder {
    fn default() -> Self {
        Self::new()
    }
}

fn created(seconds: Option<i64>) -> Result<String> {
    let now = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    };
    seconds
        .or_else(now)
        // The manifest has years of four digits.
        .filter(|seconds| (0..253_402_300_800).contains(seconds))
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map(|time| time.to_string())
        .ok_or_else(|| Error::invalid("the time of creation is beyond the year 9999 or before 1970"))
}

/// By measurement: at most 1.02 times the bytes of one stream, at little more CPU than smaller frames (spec §16.4).
const FRAME_SIZE: u32 = 2 * 1024 * 1024;
const LEVEL: i32 = 3;
