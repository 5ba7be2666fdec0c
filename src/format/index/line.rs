//! One line of an index (spec §9.2 to §9.6): a JSON object in its only form.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::format::entry::{Entry, Mtime, Node, NoteReason, Noted, Role, Root, SkipReason, Skipped, Source};
use crate::format::index::plain;
use crate::format::limits::LIMITS;
use crate::format::order::root_path;
use crate::format::text::{hex, unhex};
use crate::path::ArchivePath;

/// A line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// §9.2
    Head(Head),
    /// §9.3
    Entry(Entry),
    /// §9.4
    Skipped(Skipped),
    /// §9.4
    Noted(Noted),
    /// §9.5
    Frames(Vec<u64>),
    /// §9.6
    Totals(Totals),
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) archive: [u8; 16],
    pub(crate) role: Role,
    pub(crate) frame_size: u32,
    pub(crate) source: Source,
}

/// The last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Totals {
    pub(crate) entries: u64,
    pub(crate) skipped: u64,
    pub(crate) noted: u64,
    pub(crate) content: u64,
    pub(crate) tar: u64,
}

impl Line {
    /// Encodes the line with its line feed.
    ///
    /// # Errors
    ///
    /// `Invalid` when a text is longer than a line may be.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(256);
        self.write(&mut bytes).map_err(|_| Error::invalid("index: a line that JSON cannot hold"))?;
        if bytes.len() > LIMITS.index_line {
            return Err(Error::invalid("index: a line of more than 1 MiB"));
        }
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Writes the line without its line feed.
    fn write(&self, sink: impl Write) -> serde_json::Result<()> {
        match self {
            Self::Head(head) => serde_json::to_writer(sink, &RawHead::new(head)),
            Self::Entry(entry) => serde_json::to_writer(sink, &RawEntry::new(entry)),
            Self::Skipped(skipped) => {
                let (skipped_name, skipped_base64) = name(skipped.path.as_bytes());
                let (why, detail) = (skipped.why, Cow::Borrowed(&*skipped.detail));
                let raw = RawSkipped { skipped: skipped_name, skipped_base64, why, detail };
                serde_json::to_writer(sink, &raw)
            }
            Self::Noted(noted) => {
                let (noted_name, noted_base64) = name(noted.path.as_bytes());
                let (why, detail) = (noted.why, Cow::Borrowed(&*noted.detail));
                let raw = RawNoted { noted: noted_name, noted_base64, why, detail };
                serde_json::to_writer(sink, &raw)
            }
            Self::Frames(frames) => serde_json::to_writer(sink, &RawFrames { frames: Cow::Borrowed(frames) }),
            Self::Totals(totals) => serde_json::to_writer(sink, totals),
        }
    }

    /// Decodes a line without its line feed.
    ///
    /// # Errors
    ///
    /// `Malformed` for everything that [`Line::encode`] does not write.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        if let Some(entry) = plain::decode(bytes) {
            return Ok(Self::Entry(entry));
        }
        let bad = || Error::malformed("index: a line against the rules");
        let line = Self::understand(bytes).ok_or_else(bad)?;
        // §9.1: one form for each line.
        let mut rest = Rest(bytes);
        if line.write(&mut rest).is_ok() && rest.0.is_empty() && bytes.len() <= LIMITS.index_line {
            Ok(line)
        } else {
            Err(Error::malformed("index: a line that is not in canonical form"))
        }
    }

    fn understand(bytes: &[u8]) -> Option<Self> {
        let key = bytes.strip_prefix(b"{\"")?;
        let line = if key.starts_with(b"path") {
            Self::Entry(serde_json::from_slice::<RawEntry>(bytes).ok()?.parse()?)
        } else if key.starts_with(b"skipped") {
            let raw = serde_json::from_slice::<RawSkipped>(bytes).ok()?;
            Self::Skipped(Skipped {
                path: archive_path(raw.skipped, raw.skipped_base64)?,
                why: raw.why,
                detail: detail(raw.detail)?,
            })
        } else if key.starts_with(b"noted") {
            let raw = serde_json::from_slice::<RawNoted>(bytes).ok()?;
            Self::Noted(Noted {
                path: archive_path(raw.noted, raw.noted_base64)?,
                why: raw.why,
                detail: detail(raw.detail)?,
            })
        } else if key.starts_with(b"frames") {
            Self::Frames(serde_json::from_slice::<RawFrames>(bytes).ok()?.frames.into_owned())
        } else if key.starts_with(b"entries") {
            Self::Totals(serde_json::from_slice(bytes).ok()?)
        } else {
            Self::Head(serde_json::from_slice::<RawHead>(bytes).ok()?.parse()?)
        };
        Some(line)
    }
}

/// What is expected to be written yet; takes nothing else.
struct Rest<'a>(&'a [u8]);

impl Write for Rest<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHead<'a> {
    format: Cow<'a, str>,
    version: u64,
    archive: String,
    role: Role,
    frame_size: u32,
    #[serde(borrow)]
    roots: Vec<RawRoot<'a>>,
    facts: Cow<'a, BTreeMap<String, String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoot<'a> {
    root: String,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_base64: Option<String>,
    agents: Cow<'a, [String]>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    #[serde(rename = "type")]
    kind: Kind,
    mode: Cow<'a, str>,
    mtime: Cow<'a, str>,
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_base64: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    File,
    Directory,
    Symlink,
    Hardlink,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSkipped<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    skipped: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped_base64: Option<String>,
    why: SkipReason,
    detail: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNoted<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    noted: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    noted_base64: Option<String>,
    why: NoteReason,
    detail: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFrames<'a> {
    frames: Cow<'a, [u64]>,
}

impl<'a> RawHead<'a> {
    fn new(head: &'a Head) -> Self {
        let roots = head.source.roots.iter().map(|root| {
            let (source, source_base64) = name(&root.source);
            RawRoot {
                root: String::from_utf8_lossy(root.path.as_bytes()).into_owned(),
                source,
                source_base64,
                agents: Cow::Borrowed(&root.agents),
            }
        });
        Self {
            format: Cow::Borrowed(FORMAT),
            version: 1,
            archive: hex(&head.archive),
            role: head.role,
            frame_size: head.frame_size,
            roots: roots.collect(),
            facts: Cow::Borrowed(&head.source.facts),
        }
    }

    fn parse(self) -> Option<Head> {
        let frame_size = self.frame_size;
        let fits = frame_size.is_power_of_two()
            && (LIMITS.frame_size_least..=LIMITS.frame_size_most).contains(&frame_size);
        if self.format != FORMAT || self.version != 1 || !fits {
            return None;
        }
        let mut roots = Vec::with_capacity(self.roots.len());
        for raw in self.roots {
            let source = bytes(raw.source, raw.source_base64)?;
            // §9.2: absolute, without NUL.
            if !source.starts_with(b"/") || source.contains(&0) {
                return None;
            }
            roots.push(Root {
                path: root_path(&raw.root, self.role)?,
                source,
                agents: raw.agents.into_owned(),
            });
        }
        Some(Head {
            archive: unhex(&self.archive)?,
            role: self.role,
            frame_size,
            source: Source { roots, facts: self.facts.into_owned() },
        })
    }
}

impl<'a> RawEntry<'a> {
    fn new(entry: &'a Entry) -> Self {
        let (path, path_base64) = name(entry.path.as_bytes());
        let mut raw = Self {
            path,
            path_base64,
            kind: Kind::Directory,
            mode: Cow::Owned(format!("{:04o}", entry.mode)),
            mtime: Cow::Owned(entry.mtime.to_text()),
            offset: entry.offset,
            size: None,
            sha256: None,
            target: None,
            target_base64: None,
        };
        match &entry.node {
            Node::File { size, sha256 } => {
                raw.kind = Kind::File;
                raw.size = Some(*size);
                raw.sha256 = Some(Cow::Owned(hex(sha256)));
            }
            Node::Directory => {}
            Node::Symlink { target } => {
                raw.kind = Kind::Symlink;
                (raw.target, raw.target_base64) = name(target);
            }
            Node::Hardlink { target } => {
                raw.kind = Kind::Hardlink;
                (raw.target, raw.target_base64) = name(target.as_bytes());
            }
        }
        raw
    }

    fn parse(self) -> Option<Entry> {
        let no_target = self.target.is_none() && self.target_base64.is_none();
        let node = match (self.kind, self.size, self.sha256) {
            (Kind::File, Some(size), Some(sha256)) if no_target => {
                Node::File { size, sha256: unhex(&sha256)? }
            }
            (Kind::Directory, None, None) if no_target => Node::Directory,
            (Kind::Symlink, None, None) => {
                let target = bytes(self.target, self.target_base64)?;
                let fits = (1..=LIMITS.link_target).contains(&target.len()) && !target.contains(&0);
                fits.then_some(Node::Symlink { target })?
            }
            (Kind::Hardlink, None, None) => {
                Node::Hardlink { target: archive_path(self.target, self.target_base64)? }
            }
            _ => return None,
        };
        let digits = self.mode.len() == 4 && self.mode.bytes().all(|byte| byte.is_ascii_digit());
        Some(Entry {
            path: archive_path(self.path, self.path_base64)?,
            mode: u32::from_str_radix(digits.then_some(&self.mode)?, 8).ok()?,
            mtime: Mtime::from_text(&self.mtime)?,
            offset: self.offset,
            node,
        })
    }
}

/// The plain text of bytes, or their Base64 where they are not UTF-8.
fn name(bytes: &[u8]) -> (Option<Cow<'_, str>>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(Cow::Borrowed(text)), None),
        Err(_) => (None, Some(STANDARD.encode(bytes))),
    }
}

fn bytes(text: Option<Cow<'_, str>>, base64: Option<String>) -> Option<Vec<u8>> {
    match (text, base64) {
        (Some(text), None) => Some(text.into_owned().into_bytes()),
        (None, Some(base64)) => STANDARD.decode(base64).ok(),
        _ => None,
    }
}

fn archive_path(text: Option<Cow<'_, str>>, base64: Option<String>) -> Option<ArchivePath> {
    match (text, base64) {
        (Some(text), None) => ArchivePath::parse(text.as_bytes()).ok(),
        (text, base64) => ArchivePath::parse(&bytes(text, base64)?).ok(),
    }
}

fn detail(text: Cow<'_, str>) -> Option<String> {
    (text.len() <= LIMITS.detail).then(|| text.into_owned())
}

const FORMAT: &str = "ocbak-index";
