//! What the index reader accepts and refuses.

use super::Index;
use super::line::{Head, Line, Totals};
use crate::format::entry::{Entry, Mtime, Node, NoteReason, Noted, Role, Root, SkipReason, Skipped, Source};
use crate::path::ArchivePath;

fn path(bytes: &[u8]) -> ArchivePath {
    ArchivePath::parse(bytes).unwrap()
}

fn entry(name: &[u8], offset: u64, node: Node) -> Line {
    Line::Entry(Entry {
        path: path(name),
        mode: 0o700,
        mtime: Mtime { seconds: 7, nanoseconds: 500_000_000 },
        offset,
        node,
    })
}

pub(crate) fn sample() -> Vec<Line> {
    let file = Node::File { size: 5, sha256: [1; 32] };
    vec![
        Line::Head(Head {
            archive: [7; 16],
            role: Role::State,
            frame_size: 1 << 20,
            source: Source {
                roots: vec![Root {
                    path: path(b"state"),
                    source: b"/home/\xff/.openclaw".to_vec(),
                    agents: vec![],
                }],
                facts: [("home".to_owned(), "/home/\u{1}\"\\é".to_owned())].into(),
            },
        }),
        entry(b"state", 0, Node::Directory),
        entry(b"state/a\n\x7f", 1536, file),
        Line::Noted(Noted {
            path: path(b"state/a\n\x7f"),
            why: NoteReason::Changed,
            detail: "grew".to_owned(),
        }),
        entry(b"state/b\xff", 3072, Node::Hardlink { target: path(b"state/a\n\x7f") }),
        entry(b"state/c", 4096, Node::Symlink { target: b"\xfe".to_vec() }),
        Line::Skipped(Skipped {
            path: path(b"state/d"),
            why: SkipReason::Unreadable,
            detail: "permission denied".to_owned(),
        }),
        Line::Frames(vec![900]),
        Line::Totals(Totals { entries: 4, skipped: 1, noted: 1, content: 5, tar: 5632 }),
    ]
}

pub(crate) fn encode(lines: &[Line]) -> Vec<u8> {
    lines.iter().flat_map(|line| line.encode().unwrap()).collect()
}

fn read(lines: &[Line]) -> crate::Result<Index> {
    Index::read(&encode(lines)[..], &[7; 16], Role::State)
}

#[test]
fn an_index_comes_back() {
    let index = read(&sample()).unwrap();
    assert_eq!(index.entries.len(), 4);
    assert_eq!(index.frame(0), Some((0..900, 5632)));
    assert_eq!(index.frame(1), None);
    assert!(index.needs_attention());
    assert!(index.find(&path(b"state/b\xff")).is_some());
    for line in sample() {
        let bytes = line.encode().unwrap();
        assert_eq!(Line::decode(&bytes[..bytes.len() - 1]).unwrap(), line);
    }
}

#[test]
fn the_text_is_the_one_of_the_spec() {
    let lines = String::from_utf8(encode(&sample()[1..3])).unwrap();
    assert_eq!(
        lines,
        "{\"path\":\"state\",\"type\":\"directory\",\"mode\":\"0700\",\"mtime\":\"7.5\",\"offset\":0}\n\
         {\"path\":\"state/a\\n\u{7f}\",\"type\":\"file\",\"mode\":\"0700\",\"mtime\":\"7.5\",\"offset\":1536,\
         \"size\":5,\"sha256\":\"0101010101010101010101010101010101010101010101010101010101010101\"}\n"
    );
}
