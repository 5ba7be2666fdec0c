//! The entries of a payload's tar (spec §8.3).
//!
//! One form for each entry: the decoder encodes what it understood and compares.

use std::io::Read;

use crate::error::{Error, Result};
use crate::format::block::{self, BLOCK, Header, OCTAL_END, octal_size, padding};
use crate::format::entry::{Entry, Item, ItemKind, Mtime, Node, Xattr};
use crate::format::layout::END;
use crate::format::limits::LIMITS;
use crate::format::text::decimal;
use crate::path::ArchivePath;

/// Encodes the blocks that stand before an entry's content.
///
/// # Errors
///
/// `Invalid` when the item breaks a rule of the spec.
pub(crate) fn encode(item: &Item<'_>) -> Result<Vec<u8>> {
    check(item).map_err(|what| Error::invalid(format!("`{}`: {what}", item.path)))?;
    let name = item.path.as_bytes();
    let (kind, link, size) = match item.kind {
        ItemKind::File { size } => (b'0', &b""[..], size),
        ItemKind::Directory => (b'5', &b""[..], 0),
        ItemKind::Symlink { target } => (b'2', target, 0),
        ItemKind::Hardlink { target } => (b'1', target.as_bytes(), 0),
    };
    let octal_seconds = u64::try_from(item.mtime.seconds).ok().filter(|seconds| *seconds < OCTAL_END);

    let mut records = Vec::new();
    let long = |value: &[u8]| value.len() > SHORT;
    if [name, link].iter().any(|value| long(value) && std::str::from_utf8(value).is_err()) {
        record(&mut records, "hdrcharset", b"BINARY");
    }
    if long(name) {
        record(&mut records, "path", name);
    }
    if long(link) {
        record(&mut records, "linkpath", link);
    }
    if size >= OCTAL_END {
        record(&mut records, "size", size.to_string().as_bytes());
    }
    if item.mtime.nanoseconds != 0 || octal_seconds.is_none() {
        record(&mut records, "mtime", item.mtime.to_text().as_bytes());
    }
    for xattr in item.xattrs {
        let key = format!("{XATTR}{}", xattr.name);
        record(&mut records, &key, &xattr.value);
    }
    if records.len() > LIMITS.pax_data {
        return Err(Error::invalid(format!("`{}`: extended attributes of more than 1 MiB", item.path)));
    }

    let mut blocks = Vec::with_capacity(USUAL);
    if !records.is_empty() {
        let pax = Header {
            name: b"PaxHeader",
            mode: 0o600,
            size: octal_size(records.len() as u64),
            mtime: 0,
            kind: b'x',
            link: b"",
        };
        blocks.extend_from_slice(&pax.encode());
        blocks.extend_from_slice(&records);
        blocks.resize(blocks.len().saturating_add(padding(records.len() as u64)), 0);
    }
    let main = Header {
        name,
        mode: item.mode,
        size: octal_size(if size < OCTAL_END { size } else { 0 }),
        mtime: octal_seconds.unwrap_or(0),
        kind,
        link,
    };
    blocks.extend_from_slice(&main.encode());
    Ok(blocks)
}

/// An entry as it stands in the tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TarEntry {
    /// Name.
    pub(crate) path: ArchivePath,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Modification time.
    pub(crate) mtime: Mtime,
    /// Extended attributes.
    pub(crate) xattrs: Vec<Xattr>,
    /// Kind.
    pub(crate) kind: TarKind,
    /// Length of the blocks before the content.
    pub(crate) head: u64,
}

/// What a [`TarEntry`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TarKind {
    /// A regular file of this many bytes.
    File(u64),
    /// A directory.
    Directory,
    /// A symbolic link to these bytes.
    Symlink(Vec<u8>),
    /// A further name of that file.
    Hardlink(ArchivePath),
}

impl TarEntry {
    /// Decodes the next entry's blocks, or the end of the tar as `None`.
    ///
    /// # Errors
    ///
    /// `Malformed` for everything that [`encode`] does not write; errors of `tar` as they are.
    pub(crate) fn decode(tar: &mut impl Read) -> Result<Option<Self>> {
        let first = read_block(tar)?;
        if first == [0; BLOCK] {
            // §8.3: exactly two zero blocks end the tar; the caller knows whether anything follows.
            return if read_block(tar)? == [0; BLOCK] {
                Ok(None)
            } else {
                Err(Error::malformed("tar: one zero block alone"))
            };
        }
        let mut raw = Vec::with_capacity(USUAL);
        raw.extend_from_slice(&first);
        let mut main = first;
        let mut records = Records::default();
        if block::kind(&first) == b'x' {
            let size = block::size(&first)
                .and_then(|size| usize::try_from(size).ok())
                .filter(|size| *size <= LIMITS.pax_data)
                .ok_or_else(|| Error::malformed("tar: PAX data of more than 1 MiB"))?;
            let start = raw.len();
            raw.resize(start.saturating_add(size).saturating_add(padding(size as u64)), 0);
            tar.read_exact(&mut raw[start..]).map_err(ended)?;
            records = Records::parse(&raw[start..start.saturating_add(size)])
                .ok_or_else(|| Error::malformed("tar: PAX records against the rules"))?;
            main = read_block(tar)?;
            raw.extend_from_slice(&main);
        }
        let mut entry = Self::understand(&main, records)?;
        entry.head = raw.len() as u64;
        let again = encode(&entry.item()).map_err(|error| Error::malformed(format!("tar: {error}")))?;
        if again != raw {
            return Err(Error::malformed(format!(
                "tar: the header of `{}` is not in canonical form",
                entry.path
            )));
        }
        Ok(Some(entry))
    }

    fn understand(main: &[u8; BLOCK], records: Records) -> Result<Self> {
        let bad = |what: &str| Error::malformed(format!("tar: {what}"));
        let path = records.path.unwrap_or_else(|| block::name(main).to_vec());
        let path = ArchivePath::parse(&path)?;
        let link = records.linkpath.unwrap_or_else(|| block::link(main).to_vec());
        let size = match records.size {
            Some(size) => size,
            None => block::size(main).ok_or_else(|| bad("a size that is not octal"))?,
        };
        let kind = match block::kind(main) {
            b'0' => TarKind::File(size),
            b'1' => TarKind::Hardlink(ArchivePath::parse(&link)?),
            b'2' => TarKind::Symlink(link),
            b'5' => TarKind::Directory,
            other => {
                return Err(bad(&format!(
                    "`{path}` is of type `{}`, which no payload has",
                    other.escape_ascii()
                )));
            }
        };
        let mtime = match records.mtime {
            Some(mtime) => mtime,
            None => Mtime {
                seconds: block::mtime(main)
                    .and_then(|seconds| i64::try_from(seconds).ok())
                    .ok_or_else(|| bad("a time that is not octal"))?,
                nanoseconds: 0,
            },
        };
        Ok(Self {
            path,
            mode: block::mode(main).ok_or_else(|| bad("a mode that is not octal"))?,
            mtime,
            xattrs: records.xattrs,
            kind,
            head: 0,
        })
    }

    /// The facts, as they were given to the writer.
    pub(crate) fn item(&self) -> Item<'_> {
        Item {
            path: &self.path,
            mode: self.mode,
            mtime: self.mtime,
            xattrs: &self.xattrs,
            kind: match &self.kind {
                TarKind::File(size) => ItemKind::File { size: *size },
                TarKind::Directory => ItemKind::Directory,
                TarKind::Symlink(target) => ItemKind::Symlink { target },
                TarKind::Hardlink(target) => ItemKind::Hardlink { target },
            },
        }
    }

    /// Whether an index line says the same of this entry.
    pub(crate) fn agrees_with(&self, entry: &Entry) -> bool {
        let kind = match (&self.kind, &entry.node) {
            (TarKind::File(size), Node::File { size: listed, .. }) => size == listed,
            (TarKind::Directory, Node::Directory) => true,
            (TarKind::Symlink(target), Node::Symlink { target: listed }) => target == listed,
            (TarKind::Hardlink(target), Node::Hardlink { target: listed }) => target == listed,
            _ => false,
        };
        kind && self.path == entry.path && self.mode == entry.mode && self.mtime == entry.mtime
    }
}

/// The zero blocks that end a tar.
pub(crate) const TAR_END: [u8; END] = [0; END];

fn check(item: &Item<'_>) -> Result<(), &'static str> {
    if item.mode > 0o7777 {
        return Err("a mode of more than twelve bits");
    }
    if item.mtime.seconds.unsigned_abs() > LIMITS.mtime_seconds.unsigned_abs()
        || item.mtime.nanoseconds >= 1_000_000_000
    {
        return Err("a time beyond the limits");
    }
    match item.kind {
        ItemKind::File { size } if size >= LIMITS.length => return Err("a size beyond the limits"),
        ItemKind::Symlink { target }
            if target.is_empty() || target.len() > LIMITS.link_target || target.contains(&0) =>
        {
            return Err("a link target that is empty, too long or has a NUL byte");
        }
        ItemKind::Symlink { .. } | ItemKind::Hardlink { .. } if !item.xattrs.is_empty() => {
            return Err("a link with extended attributes");
        }
        _ => {}
    }
    if !item.xattrs.is_sorted_by(|a, b| a.name.as_bytes() < b.name.as_bytes()) {
        return Err("extended attributes out of order");
    }
    let fits = |name: &str| (1..=LIMITS.xattr_name).contains(&name.len()) && !name.contains(['=', '\0']);
    if !item.xattrs.iter().all(|xattr| fits(&xattr.name)) {
        return Err("an extended attribute with a name against the rules");
    }
    Ok(())
}

/// Appends a PAX record; its length counts its own digits.
fn record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len().saturating_add(value.len()).saturating_add(3);
    let mut length = rest;
    loop {
        let digits = length.checked_ilog10().unwrap_or(0).saturating_add(1);
        let total = rest.saturating_add(digits as usize);
        if total == length {
            break;
        }
        length = total;
    }
    records.extend_from_slice(length.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key.as_bytes());
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// The PAX records of an entry. Order and need are not looked at: encoding again does that.
#[derive(Default)]
struct Records {
    path: Option<Vec<u8>>,
    linkpath: Option<Vec<u8>>,
    size: Option<u64>,
    mtime: Option<Mtime>,
    xattrs: Vec<Xattr>,
}

impl Records {
    fn parse(mut data: &[u8]) -> Option<Self> {
        let mut records = Self::default();
        while !data.is_empty() {
            let space = data.iter().position(|&byte| byte == b' ')?;
            let length = decimal(std::str::from_utf8(&data[..space]).ok()?)?;
            let whole = data.get(..usize::try_from(length).ok()?)?;
            data = data.get(whole.len()..)?;
            let body = whole.get(space.checked_add(1)?..)?.strip_suffix(b"\n")?;
            let equals = body.iter().position(|&byte| byte == b'=')?;
            let key = std::str::from_utf8(&body[..equals]).ok()?;
            let value = body.get(equals.checked_add(1)?..)?;
            let text = || std::str::from_utf8(value).ok();
            match key {
                "hdrcharset" => {}
                "path" => records.path = Some(value.to_vec()),
                "linkpath" => records.linkpath = Some(value.to_vec()),
                "size" => records.size = Some(decimal(text()?)?),
                "mtime" => records.mtime = Some(Mtime::from_text(text()?)?),
                _ => records
                    .xattrs
                    .push(Xattr { name: key.strip_prefix(XATTR)?.to_owned(), value: value.to_vec() }),
            }
        }
        Some(records)
    }
}

fn read_block(tar: &mut impl Read) -> Result<[u8; BLOCK]> {
    let mut block = [0; BLOCK];
    tar.read_exact(&mut block).map_err(ended)?;
    Ok(block)
}

fn ended(error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        Error::malformed("tar: ends in the middle of an entry")
    } else {
        Error::stream("read the payload", error)
    }
}

/// What the name fields of a header block hold.
const SHORT: usize = 100;
/// A block of PAX records between two headers: nearly no entry has more.
const USUAL: usize = 3 * BLOCK;

const XATTR: &str = "SCHILY.xattr.";

#[cfg(test)]
mod tests;
