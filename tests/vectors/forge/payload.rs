//! A payload and its index.

use super::age::Age;
use super::tar::Entry;
use super::{ARCHIVE, SECRET, no_change, zstd};

/// One payload with its index.
pub struct Payload {
    pub role: &'static str,
    /// Roots: name and source.
    pub roots: Vec<(&'static str, &'static str)>,
    pub entries: Vec<Entry>,
    pub frame_size: usize,
    /// Changes the tar before it is cut; the index has the offsets of before.
    pub tar: fn(&mut Vec<u8>),
    /// Changes the frames before the index lists their lengths.
    pub frames: fn(&mut Vec<Vec<u8>>),
    /// Changes the frames when the index has their lengths.
    pub stream: fn(&mut Vec<u8>),
    pub age: Age,
    /// Changes the lines of the index.
    pub lines: fn(&mut Vec<String>),
    /// Changes the text of the index.
    pub text: fn(&mut Vec<u8>),
    /// Changes the frame of the index.
    pub index_frame: fn(&mut Vec<u8>),
    pub index_age: Age,
}

impl Payload {
    /// A small `state` payload.
    pub fn state() -> Self {
        let entries = vec![
            Entry::directory("state"),
            Entry::file("state/a", "FAKE first file\n"),
            Entry::file("state/b", "FAKE second file\n"),
            Entry::directory("state/c"),
            Entry::file("state/c/d", "FAKE third file\n"),
        ];
        Self::new("state", vec![("state", "/home/sam/.openclaw")], entries, 3)
    }

    /// A small `workspace` payload.
    pub fn workspace() -> Self {
        let entries =
            vec![Entry::directory("workspace/main"), Entry::file("workspace/main/SOUL.md", "FAKE soul\n")];
        Self::new("workspace", vec![("workspace/main", "/home/sam/ws")], entries, 5)
    }

    fn new(
        role: &'static str,
        roots: Vec<(&'static str, &'static str)>,
        entries: Vec<Entry>,
        label: u8,
    ) -> Self {
        Self {
            role,
            roots,
            entries,
            frame_size: 256 * 1024,
            tar: no_change,
            frames: no_change,
            stream: no_change,
            age: Age::new(label).for_secret(SECRET),
            lines: no_change,
            text: no_change,
            index_frame: no_change,
            index_age: Age::new(label + 1).for_secret(SECRET),
        }
    }

    /// The contents of the two members.
    pub fn build(&self) -> (Vec<u8>, Vec<u8>) {
        let (stream, text) = self.plain();
        let mut frame = zstd::frame(&text);
        (self.index_frame)(&mut frame);
        (self.age.seal(&stream), self.index_age.seal(&frame))
    }

    /// The frames of the payload, and the text of the index.
    pub fn plain(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut tar, mut lines) = (Vec::new(), vec![self.head()]);
        for entry in &self.entries {
            lines.push(entry.line(tar.len()));
            entry.append(&mut tar);
        }
        tar.resize(tar.len() + 1024, 0);
        (self.tar)(&mut tar);
        let mut frames: Vec<_> = tar.chunks(self.frame_size).map(zstd::frame).collect();
        (self.frames)(&mut frames);
        let lengths: Vec<_> = frames.iter().map(|frame| frame.len().to_string()).collect();
        lines.push(format!(r#"{{"frames":[{}]}}"#, lengths.join(",")));
        let content: usize = self.entries.iter().map(|entry| entry.content.len()).sum();
        lines.push(format!(
            r#"{{"entries":{},"skipped":0,"noted":0,"content":{content},"tar":{}}}"#,
            self.entries.len(),
            tar.len()
        ));
        let mut stream = frames.concat();
        (self.stream)(&mut stream);

        (self.lines)(&mut lines);
        let mut text: Vec<u8> = lines.iter().flat_map(|line| line.bytes().chain([b'\n'])).collect();
        (self.text)(&mut text);
        (stream, text)
    }

    fn head(&self) -> String {
        let archive = hex::encode(ARCHIVE);
        let root =
            |(name, source): &(_, _)| format!(r#"{{"root":"{name}","source":"{source}","agents":[]}}"#);
        let roots: Vec<_> = self.roots.iter().map(root).collect();
        format!(
            r#"{{"format":"ocbak-index","version":1,"archive":"{archive}","role":"{}","frame_size":{},"roots":[{}],"facts":{{"home":"/home/sam"}}}}"#,
            self.role,
            self.frame_size,
            roots.join(",")
        )
    }
}
