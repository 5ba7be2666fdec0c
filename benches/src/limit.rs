//! The machine's limit: CPU seconds of the least that `create`, `verify` and `restore` must do, on one thread and
//! without any code of ocbak.
//!
//! `limit TREE SCRATCH` reads and hashes every file of TREE, compresses frames of 2 MiB of a tar of them, encrypts and
//! writes that; reads, decrypts, decompresses and hashes it again; and makes the tree a second time. What it leaves is in
//! the directory SCRATCH. It prints one JSON document: the seconds of each stage. Their sum divided by the cores is the
//! wall time that nothing goes below.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::iter::once;
use std::mem;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use age::stream::{StreamReader, StreamWriter};
use age::x25519::Identity;
use age::{Decryptor, Encryptor, Recipient};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use sha2::{Digest, Sha256};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let [tree, scratch] = &env::args_os().skip(1).map(PathBuf::from).collect::<Vec<_>>()[..] else {
        return Err("usage: limit TREE SCRATCH".into());
    };
    let (sealed, made) = (scratch.join("limit.tar.zst.age"), scratch.join("limit"));
    let identity = Identity::generate();

    let clock = Clock::new();
    let mut tar = TarWriter::new(&identity, &sealed, &clock)?;
    tar.tree(tree, Path::new(""))?;
    let written = tar.finish()?;
    let create = clock.take();
    unpack(Frames::open(&identity, &sealed, &written.frames, &clock)?, &written.entries, None)?;
    let verify = clock.take();
    unpack(Frames::open(&identity, &sealed, &written.frames, &clock)?, &written.entries, Some(&made))?;
    let restore = clock.take();

    let size = fs::metadata(&sealed)?.len();
    println!("{}", json!({ "create": create, "verify": verify, "restore": restore, "size": size }));
    Ok(())
}

/// CPU seconds of this process, charged to stages.
struct Clock(RefCell<(f64, BTreeMap<&'static str, f64>)>);

impl Clock {
    fn new() -> Self {
        Self(RefCell::new((seconds(), BTreeMap::new())))
    }

    /// Charges what has passed since the last call to a stage.
    fn lap(&self, stage: &'static str) {
        let (last, stages) = &mut *self.0.borrow_mut();
        let now = seconds();
        *stages.entry(stage).or_default() += now - *last;
        *last = now;
    }

    /// The stages so far; begins anew.
    fn take(&self) -> BTreeMap<&'static str, f64> {
        let (last, stages) = &mut *self.0.borrow_mut();
        *last = seconds();
        mem::take(stages)
    }
}

fn seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or_default()).as_secs_f64()
}

/// A file whose calls are charged to a stage of their own, and what happens between them to another.
struct Timed<'a> {
    file: File,
    clock: &'a Clock,
    between: &'static str,
    within: &'static str,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.clock.lap(self.between);
        let count = self.file.read(buffer);
        self.clock.lap(self.within);
        count
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.clock.lap(self.between);
        let count = self.file.write(bytes);
        self.clock.lap(self.within);
        count
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Something of the tree.
struct Entry {
    path: PathBuf,
    mode: u32,
    modified: SystemTime,
    content: Content,
}

enum Content {
    Directory,
    Link(PathBuf),
    File(u64, [u8; 32]),
}

/// Reads and hashes, compresses, encrypts and writes.
struct TarWriter<'a> {
    sink: StreamWriter<Timed<'a>>,
    compressor: Compressor<'static>,
    clock: &'a Clock,
    frame: Vec<u8>,
    compressed: Vec<u8>,
    written: Written,
}

/// What was written.
#[derive(Default)]
struct Written {
    entries: Vec<Entry>,
    /// Lengths of the compressed frames.
    frames: Vec<usize>,
}

impl<'a> TarWriter<'a> {
    fn new(identity: &Identity, sealed: &Path, clock: &'a Clock) -> Result<Self> {
        let mut compressor = Compressor::new(3)?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        let file = Timed { file: File::create(sealed)?, clock, between: "encrypt", within: "write" };
        let recipient = identity.to_public();
        let sink = Encryptor::with_recipients(once(&recipient as &dyn Recipient))?.wrap_output(file)?;
        Ok(Self {
            sink,
            compressor,
            clock,
            frame: Vec::with_capacity(FRAME),
            compressed: Vec::with_capacity(zstd::zstd_safe::compress_bound(FRAME)),
            written: Written::default(),
        })
    }

    /// Appends the directory `root`, whose name in the tar is `path`, and everything below it.
    fn tree(&mut self, root: &Path, path: &Path) -> Result<()> {
        let metadata = fs::symlink_metadata(root)?;
        let content = if metadata.is_dir() {
            self.append(&header(path, &metadata))?;
            Content::Directory
        } else if metadata.is_symlink() {
            self.append(&header(path, &metadata))?;
            Content::Link(fs::read_link(root)?)
        } else {
            self.append(&header(path, &metadata))?;
            Content::File(metadata.len(), self.file(File::open(root)?, metadata.len())?)
        };
        let modified = metadata.modified()?;
        let entry = Entry { path: path.to_owned(), mode: metadata.mode() & 0o777, modified, content };
        self.written.entries.push(entry);
        if metadata.is_dir() {
            let mut names =
                fs::read_dir(root)?.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
            names.sort_unstable();
            for name in names {
                self.tree(&root.join(&name), &path.join(&name))?;
            }
        }
        Ok(())
    }

    /// Reads a file straight into frames and hashes it there.
    fn file(&mut self, mut file: File, length: u64) -> Result<[u8; 32]> {
        let mut hash = Sha256::new();
        let mut left = usize::try_from(length)?;
        while left > 0 {
            let at = self.frame.len();
            let end = (at + left.min(PIECE)).min(FRAME);
            self.frame.resize(end, 0);
            file.read_exact(&mut self.frame[at..end])?;
            hash.update(&self.frame[at..end]);
            left -= end - at;
            self.full()?;
        }
        self.append(&[0; BLOCK][..padding(length)])?;
        Ok(hash.finalize().into())
    }

    fn append(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(FRAME - self.frame.len()));
            self.frame.extend_from_slice(now);
            bytes = later;
            self.full()?;
        }
        Ok(())
    }

    fn full(&mut self) -> Result<()> {
        if self.frame.len() == FRAME { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.clock.lap("read and hash");
        self.compressed.clear();
        let length = self.compressor.compress_to_buffer(&self.frame, &mut self.compressed)?;
        self.frame.clear();
        self.clock.lap("compress");
        self.sink.write_all(&self.compressed)?;
        self.clock.lap("encrypt");
        self.written.frames.push(length);
        Ok(())
    }

    fn finish(mut self) -> Result<Written> {
        self.flush()?;
        self.sink.finish()?;
        self.clock.lap("encrypt");
        Ok(self.written)
    }
}

/// As much of a tar's header as makes it compress like one.
fn header(path: &Path, metadata: &fs::Metadata) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let name = path.as_os_str().as_encoded_bytes();
    let name = &name[..name.len().min(100)];
    header[..name.len()].copy_from_slice(name);
    let numbers = format!("{:07o}\0{:011o}\0{:011o}\0", metadata.mode(), metadata.len(), metadata.mtime());
    header[100..100 + numbers.len()].copy_from_slice(numbers.as_bytes());
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header[257..265].copy_from_slice(b"ustar\x0000");
    header
}

/// Reads, decrypts and decompresses.
struct Frames<'a> {
    source: StreamReader<io::BufReader<Timed<'a>>>,
    decompressor: Decompressor<'static>,
    clock: &'a Clock,
    lengths: &'a [usize],
    compressed: Vec<u8>,
    frame: Vec<u8>,
    position: usize,
}

impl<'a> Frames<'a> {
    fn open(identity: &Identity, sealed: &Path, lengths: &'a [usize], clock: &'a Clock) -> Result<Self> {
        let file = Timed { file: File::open(sealed)?, clock, between: "decrypt", within: "read" };
        let decryptor = Decryptor::new_buffered(io::BufReader::new(file))?;
        let source = decryptor.decrypt(once(identity as &dyn age::Identity))?;
        let decompressor = Decompressor::new()?;
        let (compressed, frame) = (Vec::new(), Vec::with_capacity(FRAME));
        Ok(Self { source, decompressor, clock, lengths, compressed, frame, position: 0 })
    }

    /// The next bytes of the tar, at most `most` and at least one.
    fn next(&mut self, most: usize) -> Result<&[u8]> {
        if self.position == self.frame.len() {
            self.clock.lap("hash");
            let (length, rest) = self.lengths.split_first().ok_or("the tar ends too early")?;
            self.lengths = rest;
            self.compressed.resize(*length, 0);
            self.source.read_exact(&mut self.compressed)?;
            self.clock.lap("decrypt");
            self.frame.clear();
            self.decompressor.decompress_to_buffer(&self.compressed, &mut self.frame)?;
            self.position = 0;
            self.clock.lap("decompress");
        }
        let start = self.position;
        self.position = self.frame.len().min(start + most);
        Ok(&self.frame[start..self.position])
    }

    fn skip(&mut self, mut count: usize) -> Result<()> {
        while count > 0 {
            count -= self.next(count)?.len();
        }
        Ok(())
    }
}

/// Hashes what was written, and makes the tree `to`, if there is one.
fn unpack(mut frames: Frames<'_>, entries: &[Entry], to: Option<&Path>) -> Result<()> {
    let clock = frames.clock;
    for entry in entries {
        frames.skip(BLOCK)?;
        clock.lap("hash");
        let path = to.map(|to| to.join(&entry.path));
        match (&entry.content, &path) {
            (Content::File(length, digest), _) => {
                let mut file = path.as_ref().map(|path| make(path, entry.mode, clock)).transpose()?;
                let mut hash = Sha256::new();
                let mut left = usize::try_from(*length)?;
                while left > 0 {
                    let piece = frames.next(left.min(PIECE))?;
                    hash.update(piece);
                    left -= piece.len();
                    if let Some(file) = &mut file {
                        clock.lap("hash");
                        file.write_all(piece)?;
                        clock.lap("make");
                    }
                }
                if hash.finalize()[..] != digest[..] {
                    return Err(format!("`{}` came out otherwise", entry.path.display()).into());
                }
                frames.skip(padding(*length))?;
                clock.lap("hash");
                file.map_or(Ok(()), |file| file.set_modified(entry.modified))?;
            }
            (Content::Directory, Some(path)) => DirBuilder::new().mode(entry.mode).create(path)?,
            (Content::Link(target), Some(path)) => symlink(target, path)?,
            _ => {}
        }
        if to.is_some() {
            clock.lap("make");
        }
    }
    Ok(())
}

fn make(path: &Path, mode: u32, clock: &Clock) -> Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    clock.lap("make");
    Ok(file)
}

fn padding(length: u64) -> usize {
    usize::try_from(length.wrapping_neg() % BLOCK as u64).unwrap_or_default()
}

const FRAME: usize = 2 << 20;
/// Small enough to stay in the cache between reading and hashing.
const PIECE: usize = 128 << 10;
const BLOCK: usize = 512;
