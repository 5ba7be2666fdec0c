//! Writes an archive: payloads and indexes first, the head copy of the header region last (spec §11).

use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use crate::archive::entries::Entries;
use crate::archive::parity;
use crate::archive::slots::Slots;
use crate::archive::verify::Verifier;
use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::stream::Encrypt;
use crate::error::{Error, Result};
use crate::format::block::{BLOCK, padded, padding};
use crate::format::entry::{Entry, Item, ItemKind, Node, Noted, Role, Skipped, Source};
use crate::format::index::line::{Head, Line, Totals};
use crate::format::layout::{END, member_header};
use crate::format::limits::LIMITS;
use crate::format::manifest::{Manifest, Member, PARITY_NAME, PayloadMembers, index_name, payload_name};
use crate::format::order::{EntryOrder, root_path};
use crate::format::region::Region;
use crate::format::tar::{self, TAR_END};
use crate::observer::{Observer, Silent};
use crate::path::ArchivePath;
use crate::payload::digest::DigestWriter;
use crate::payload::write::{PayloadOptions, PayloadWriter};

/// An archive being written.
pub struct ArchiveWriter<W> {
    frame: Frame,
    options: PayloadOptions,
    stage: Stage<W>,
    members: Vec<PayloadMembers>,
    payloads: Vec<PayloadSummary>,
}

/// What the header will say.
pub(super) struct Frame {
    pub(super) identity: Arc<ArchiveIdentity>,
    pub(super) slots: Slots,
    pub(super) archive: [u8; 16],
    pub(super) series: Option<[u8; 16]>,
    pub(super) created: String,
    /// Recovery shards for so many of a hundred; none for 0.
    pub(super) parity: u8,
}

/// Who has the sink.
enum Stage<W> {
    /// Nobody: between payloads.
    Between(W),
    /// The payload being written.
    Within(Box<Current<W>>),
    /// It was lost with an error.
    Broken,
}

/// The payload being written.
struct Current<W> {
    payload: PayloadWriter<W, Entries>,
    order: EntryOrder,
    /// Names that a hard link may refer to.
    files: HashSet<ArchivePath>,
    summary: PayloadSummary,
    noted: u64,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Id of the archive.
    pub archive_id: [u8; 16],
    /// Length of the archive in bytes.
    pub length: u64,
    /// The payloads in order.
    pub payloads: Vec<PayloadSummary>,
    /// Length of the parity member in bytes; 0 where there is none.
    pub parity: u64,
}

/// What a payload holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadSummary {
    /// What it is for.
    pub role: Role,
    /// Number of entries.
    pub entries: u64,
    /// Number of things left out.
    pub skipped: u64,
    /// Number of things that should have been stored and were not, or should be looked at.
    pub attention: u64,
    /// Sum of the sizes of all files in bytes.
    pub content: u64,
    /// Length of the encrypted payload in bytes.
    pub stored: u64,
}

impl<W: Write + Seek + Send + 'static> ArchiveWriter<W> {
    pub(super) fn new(sink: W, frame: Frame, options: PayloadOptions) -> Self {
        Self { frame, options, stage: Stage::Between(sink), members: Vec::new(), payloads: Vec::new() }
    }

    /// Ends the payload before and starts the one of `role`: `State` first, then `Workspace` if there is one.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a role out of turn or roots that its payload cannot have;
    /// [`Io`](crate::ErrorKind::Io).
    pub fn begin(&mut self, source: Source, role: Role) -> Result<()> {
        let mut sink = self.end_payload()?;
        if Role::ALL.get(self.members.len()) != Some(&role) {
            return Err(Error::invalid(format!("the `{role}` payload is out of turn")));
        }
        for root in &source.roots {
            let known =
                std::str::from_utf8(root.path.as_bytes()).is_ok_and(|name| root_path(name, role).is_some());
            if !root.source.starts_with(b"/") || root.source.contains(&0) {
                let root = &root.path;
                return Err(Error::invalid(format!("the source of root `{root}` is no absolute path")));
            }
            if !known {
                return Err(Error::invalid(format!("`{}` is no root of a {role} payload", root.path)));
            }
        }
        let order = EntryOrder::new(&source.roots)?;
        let mut index = zstd::Encoder::new(Vec::new(), INDEX_LEVEL).map_err(failed)?;
        index.include_checksum(true).map_err(failed)?;
        let head = Line::Head(Head {
            archive: self.frame.archive,
            role,
            frame_size: self.options.frame_size,
            source,
        });
        index.write_all(&head.encode()?).map_err(failed)?;
        // The header block is written when the length is known.
        sink.write_all(&[0; BLOCK]).map_err(failed)?;
        let entries = Entries::new(index)?;
        let payload = PayloadWriter::new(&self.frame.identity, sink, self.options, entries)?;
        self.stage = Stage::Within(Box::new(Current {
            payload,
            order,
            files: HashSet::new(),
            noted: 0,
            summary: PayloadSummary { role, entries: 0, skipped: 0, attention: 0, content: 0, stored: 0 },
        }));
        Ok(())
    }

    /// Appends an entry; names ascend, and parents come before what is in them.
    ///
    /// Exactly `size` bytes of `content` are stored: what is missing is filled with zeros, and its length returned.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) and [`Malformed`](crate::ErrorKind::Malformed) for an entry that the
    /// format does not allow here; [`Io`](crate::ErrorKind::Io), also of `content`. After an error of reading or writing the
    /// archive cannot go on.
    pub fn append(&mut self, item: &Item<'_>, content: &mut dyn Read) -> Result<u64> {
        let current = self.current()?;
        let blocks = tar::encode(item)?;
        if let ItemKind::Hardlink { target } = item.kind
            && !current.files.contains(target)
        {
            return Err(Error::invalid(format!(
                "`{}` is a hard link to `{target}`, which was not appended as a file",
                item.path
            )));
        }
        current.order.accept(item.path, item.kind == ItemKind::Directory)?;
        let result = current.store(item, &blocks, content);
        if result.is_err() {
            self.stage = Stage::Broken;
        }
        result
    }

    /// Records something that is not stored.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) outside a payload or for a detail of more than 4,096 bytes.
    pub fn skip(&mut self, skipped: Skipped) -> Result<()> {
        fits(&skipped.detail)?;
        let current = self.current()?;
        current.summary.skipped += 1;
        current.summary.attention += u64::from(skipped.why.needs_attention());
        current.line(Line::Skipped(skipped))
    }

    /// Records a remark about something that is stored.
    ///
    /// # Errors
    ///
    /// As [`ArchiveWriter::skip`].
    pub fn note(&mut self, noted: Noted) -> Result<()> {
        fits(&noted.detail)?;
        let current = self.current()?;
        current.noted += 1;
        current.summary.attention += u64::from(noted.why.needs_attention());
        current.line(Line::Noted(noted))
    }

    /// Returns what can check the archive when it is finished.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier::new(self.frame.identity.clone())
    }

    fn current(&mut self) -> Result<&mut Current<W>> {
        match &mut self.stage {
            Stage::Within(current) => Ok(current),
            Stage::Between(_) => Err(Error::invalid("no payload was begun")),
            Stage::Broken => Err(broken()),
        }
    }

    /// Ends the payload being written, if there is one, and takes the sink back.
    fn end_payload(&mut self) -> Result<W> {
        let mut current = match std::mem::replace(&mut self.stage, Stage::Broken) {
            Stage::Between(sink) => return Ok(sink),
            Stage::Broken => return Err(broken()),
            Stage::Within(current) => current,
        };
        let end = current.payload.position();
        current.payload.write(&TAR_END)?;
        let (written, entries) = current.payload.finish()?;
        let mut sink = written.sink;
        let payload = Member { length: written.length, sha256: written.sha256 };
        let role = current.summary.role;
        seal_member(&mut sink, &payload_name(role), payload.length)?;

        let mut index = entries.finish()?;
        for frames in written.frames.chunks(LIMITS.frames_in_line) {
            index.write_all(&Line::Frames(frames.to_vec()).encode()?).map_err(failed)?;
        }
        let totals = Line::Totals(Totals {
            entries: current.summary.entries,
            skipped: current.summary.skipped,
            noted: current.noted,
            content: current.summary.content,
            tar: end + END as u64,
        });
        index.write_all(&totals.encode()?).map_err(failed)?;
        let index = index.finish().map_err(failed)?;
        sink.write_all(&[0; BLOCK]).map_err(failed)?;
        let mut encrypt = Encrypt::new(&self.frame.identity, DigestWriter::new(sink))?;
        encrypt.write_all(&index).map_err(failed)?;
        let (mut sink, length, sha256) = encrypt.finish()?.finish();
        seal_member(&mut sink, &index_name(role), length)?;

        current.summary.stored = payload.length;
        self.payloads.push(current.summary);
        self.members.push(PayloadMembers { role, payload, index: Member { length, sha256 } });
        Ok(sink)
    }
}

impl<W: Read + Write + Seek + Send + 'static> ArchiveWriter<W> {
    /// Ends the archive and returns the sink, flushed.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) without a state payload; [`Io`](crate::ErrorKind::Io).
    pub fn finish(self) -> Result<(W, Summary)> {
        self.finish_with(&Silent)
    }

    /// The same with an observer of the parity member's making: it hears of the bytes that are read back for it.
    ///
    /// # Errors
    ///
    /// As [`ArchiveWriter::finish`]; [`Interrupted`](crate::ErrorKind::Interrupted).
    pub fn finish_with(mut self, observer: &dyn Observer) -> Result<(W, Summary)> {
        let mut sink = self.end_payload()?;
        if self.members.is_empty() {
            return Err(Error::invalid("an archive needs a state payload"));
        }
        let parity = if self.frame.parity > 0 {
            let member = parity::append(&mut sink, self.frame.archive, self.frame.parity, observer)?;
            seal_member(&mut sink, PARITY_NAME, member.length)?;
            Some(member)
        } else {
            None
        };
        let manifest = Manifest {
            archive: self.frame.archive,
            series: self.frame.series,
            created: self.frame.created,
            writer: concat!("ocbak ", env!("CARGO_PKG_VERSION")).to_owned(),
            payloads: self.members,
            parity,
        }
        .encode()
        .into_bytes();
        let region = Region {
            mac: self.frame.identity.manifest_mac(&self.frame.archive, &manifest),
            manifest,
            slots: self.frame.slots.finish()?,
        }
        .encode()?;
        sink.write_all(&region).map_err(failed)?;
        sink.write_all(&[0; END]).map_err(failed)?;
        let length = sink.stream_position().map_err(failed)?;
        sink.seek(SeekFrom::Start(0)).map_err(failed)?;
        sink.write_all(&region).map_err(failed)?;
        sink.flush().map_err(failed)?;
        let parity = parity.map_or(0, |member| member.length);
        Ok((sink, Summary { archive_id: self.frame.archive, length, payloads: self.payloads, parity }))
    }
}

impl<W: Write + Send + 'static> Current<W> {
    fn store(&mut self, item: &Item<'_>, blocks: &[u8], content: &mut dyn Read) -> Result<u64> {
        let offset = self.payload.position();
        self.payload.write(blocks)?;
        let mut missing = 0;
        let node = match item.kind {
            ItemKind::Directory => Node::Directory,
            ItemKind::Symlink { target } => Node::Symlink { target: target.to_vec() },
            ItemKind::Hardlink { target } => Node::Hardlink { target: target.clone() },
            ItemKind::File { size } => {
                missing = size - self.payload.copy(content, size)?;
                self.payload.copy(&mut std::io::repeat(0), missing)?;
                self.payload.write(&[0; BLOCK][..padding(size)])?;
                self.summary.content += size;
                self.files.insert(item.path.clone());
                // The hash is put in when it is known.
                Node::File { size, sha256: [0; 32] }
            }
        };
        self.summary.entries += 1;
        let (path, mode, mtime) = (item.path.clone(), item.mode, item.mtime);
        self.payload.tap().entry(Entry { path, mode, mtime, offset, node });
        self.payload.relieve()?;
        Ok(missing)
    }

    fn line(&mut self, line: Line) -> Result<()> {
        self.payload.tap().line(line);
        self.payload.relieve()
    }
}

/// Pads the member that ends where `sink` stands, and writes its header block before it.
fn seal_member<W: Write + Seek>(sink: &mut W, name: &str, length: u64) -> Result<()> {
    sink.write_all(&[0; BLOCK][..padding(length)]).map_err(failed)?;
    let back = padded(length)
        .and_then(|padded| i64::try_from(padded).ok())
        .ok_or_else(|| Error::invalid("a member longer than any file"))?;
    // From the end of the padding back over content and header block.
    sink.seek(SeekFrom::Current(-back)).map_err(failed)?;
    sink.seek(SeekFrom::Current(-HEADER)).map_err(failed)?;
    sink.write_all(&member_header(name, length)).map_err(failed)?;
    sink.seek(SeekFrom::Current(back)).map(drop).map_err(failed)
}

fn fits(detail: &str) -> Result<()> {
    if detail.len() > LIMITS.detail {
        return Err(Error::invalid("a detail of more than 4,096 bytes"));
    }
    Ok(())
}

fn broken() -> Error {
    Error::invalid("the archive cannot go on after an error")
}

fn failed(error: std::io::Error) -> Error {
    Error::stream("write the archive", error)
}

const HEADER: i64 = 512;
/// Names that are alike and digests that are not: of higher levels the text becomes slower to make, and larger.
const INDEX_LEVEL: i32 = 1;
