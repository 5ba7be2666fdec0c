//! The header blocks of both tars, and the entries of a payload with their index lines.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// One entry, for the tar and for the index.
#[derive(Clone)]
pub struct Entry {
    pub path: Vec<u8>,
    /// Type flag of the header block.
    pub kind: u8,
    pub mode: u32,
    /// As in the index.
    pub mtime: &'static str,
    pub link: Vec<u8>,
    pub content: Vec<u8>,
    /// Further PAX records, after those that are needed.
    pub records: Vec<(&'static str, Vec<u8>)>,
}

impl Entry {
    pub fn directory(path: impl AsRef<[u8]>) -> Self {
        Self { mode: 0o700, ..Self::new(b'5', path) }
    }

    pub fn file(path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        Self { content: content.as_ref().to_vec(), ..Self::new(b'0', path) }
    }

    pub fn symlink(path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self { link: target.as_ref().to_vec(), mode: 0o777, ..Self::new(b'2', path) }
    }

    pub fn hardlink(path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self { link: target.as_ref().to_vec(), ..Self::new(b'1', path) }
    }

    fn new(kind: u8, path: impl AsRef<[u8]>) -> Self {
        let path = path.as_ref().to_vec();
        let mtime = "1763791200";
        Self { path, kind, mode: 0o600, mtime, link: vec![], content: vec![], records: vec![] }
    }

    /// Appends the entry to a tar.
    pub fn append(&self, tar: &mut Vec<u8>) {
        let mut data = Vec::new();
        let needed = self.needed();
        let further = self.records.iter().map(|(key, value)| (*key, value.clone()));
        for (key, value) in needed.into_iter().chain(further) {
            data.extend(record(key, &value));
        }
        if !data.is_empty() {
            tar.extend(header(b"PaxHeader", 0o600, data.len(), 0, b'x', b""));
            tar.extend(&data);
            pad(tar);
        }
        let whole = self.seconds();
        let seconds = if self.mtime.starts_with('-') || whole >= 1 << 33 { 0 } else { whole };
        let size = self.content.len();
        tar.extend(header(&self.path, self.mode, size, seconds.unsigned_abs(), self.kind, &self.link));
        tar.extend(&self.content);
        pad(tar);
    }

    /// The line of the index.
    pub fn line(&self, offset: usize) -> String {
        let kind = match self.kind {
            b'1' => "hardlink",
            b'2' => "symlink",
            b'5' => "directory",
            _ => "file",
        };
        let path = text("path", &self.path);
        let facts = match self.kind {
            b'1' | b'2' => format!(",{}", text("target", &self.link)),
            b'5' => String::new(),
            _ => format!(r#","size":{},"sha256":"{:x}""#, self.content.len(), Sha256::digest(&self.content)),
        };
        let (mode, time) = (self.mode, self.mtime);
        format!(r#"{{{path},"type":"{kind}","mode":"{mode:04o}","mtime":"{time}","offset":{offset}{facts}}}"#)
    }

    fn seconds(&self) -> i64 {
        self.mtime.split('.').next().unwrap().parse().unwrap()
    }

    fn needed(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut records = Vec::new();
        let long = |value: &[u8]| value.len() > 100;
        if [&self.path, &self.link].iter().any(|value| long(value) && std::str::from_utf8(value).is_err()) {
            records.push(("hdrcharset", b"BINARY".to_vec()));
        }
        if long(&self.path) {
            records.push(("path", self.path.clone()));
        }
        if long(&self.link) {
            records.push(("linkpath", self.link.clone()));
        }
        if self.mtime.contains(['.', '-']) || self.seconds() >= 1 << 33 {
            records.push(("mtime", self.mtime.into()));
        }
        records
    }
}

/// A key of an index line with a value that need not be UTF-8.
fn text(key: &str, value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(value) => format!(r#""{key}":{}"#, serde_json::to_string(value).unwrap()),
        Err(_) => format!(r#""{key}_base64":"{}""#, STANDARD.encode(value)),
    }
}

/// A header block.
pub fn header(name: &[u8], mode: u32, size: usize, mtime: u64, kind: u8, link: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name[..name.len().min(100)]);
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{size:011o}").as_bytes());
    put(136, format!("{mtime:011o}").as_bytes());
    put(156, &[kind]);
    put(157, &link[..link.len().min(100)]);
    put(257, b"ustar\x0000");
    put(329, b"0000000");
    put(337, b"0000000");
    sum(&mut block);
    block
}

/// Sets the checksum of a block.
pub fn sum(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// Pads to a multiple of 512.
pub fn pad(tar: &mut Vec<u8>) {
    tar.resize(tar.len().next_multiple_of(512), 0);
}

/// Changes the header block with a name, and its checksum.
pub fn patch(tar: &mut [u8], name: &str, change: impl FnOnce(&mut [u8])) {
    let at = find(tar, name);
    let block = &mut tar[at..at + 512];
    change(block);
    sum(block);
}

/// Where the header block with a name stands.
pub fn find(tar: &[u8], name: &str) -> usize {
    let wanted = [name.as_bytes(), b"\0"].concat();
    (0..tar.len()).step_by(512).find(|at| tar[*at..].starts_with(&wanted)).unwrap()
}

fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (rest..rest + 9).find(|length| rest + length.to_string().len() == *length).unwrap();
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}
