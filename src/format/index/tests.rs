//! What the index reader accepts and refuses.

use proptest::prelude::*;

use super::line::{Head, Line, Totals};
use super::{Index, next_line};
use crate::error::ErrorKind;
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

fn sample() -> Vec<Line> {
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

fn encode(lines: &[Line]) -> Vec<u8> {
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

#[test]
fn lines_against_the_rules_are_refused() {
    type Change = fn(&mut Vec<Line>);
    let cases: [(&str, Change); 12] = [
        ("no head", |lines| drop(lines.remove(0))),
        ("no totals", |lines| drop(lines.pop())),
        ("two totals", |lines| lines.push(lines[8].clone())),
        ("no frames", |lines| drop(lines.remove(7))),
        ("an entry after the frames", |lines| lines.swap(5, 7)),
        ("entries out of order", |lines| lines.swap(4, 5)),
        ("a duplicate", |lines| lines.insert(2, lines[2].clone())),
        ("a missing entry", |lines| drop(lines.remove(5))),
        ("a missing remark", |lines| drop(lines.remove(6))),
        ("a hard link before its file", |lines| {
            lines.insert(2, entry(b"state/0", 512, Node::Hardlink { target: path(b"state/a\n\x7f") }));
        }),
        ("an overlap", |lines| lines[4] = entry(b"state/b", 2048, Node::Directory)),
        ("an odd offset", |lines| lines[5] = entry(b"state/c", 4097, Node::Directory)),
    ];
    for (name, change) in cases {
        let mut lines = sample();
        change(&mut lines);
        assert_eq!(read(&lines).unwrap_err().kind(), ErrorKind::Malformed, "{name}");
    }
}

#[test]
fn an_index_of_another_archive_or_role_is_refused() {
    let bytes = encode(&sample());
    for (archive, role) in [([8; 16], Role::State), ([7; 16], Role::Workspace)] {
        let error = Index::read(&bytes[..], &archive, role).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tampered);
    }
}

#[test]
fn another_json_form_is_refused() {
    for bad in [
        r#"{ "path":"state","type":"directory","mode":"0700","mtime":"7.5","offset":0}"#,
        r#"{"path":"state","type":"directory","mode":"700","mtime":"7.5","offset":0}"#,
        r#"{"path":"state","type":"directory","mode":"0700","mtime":"7.50","offset":0}"#,
        r#"{"path":"state","type":"directory","mode":"0700","mtime":"7.5","offset":0.0}"#,
        r#"{"path":"state","type":"directory","mode":"0700","mtime":"7.5","offset":0,"x":1}"#,
        r#"{"path":"state","type":"directory","mtime":"7.5","mode":"0700","offset":0}"#,
        r#"{"path":"\u0073tate","type":"directory","mode":"0700","mtime":"7.5","offset":0}"#,
        r#"{"path_base64":"c3RhdGU=","type":"directory","mode":"0700","mtime":"7.5","offset":0}"#,
        r#"{"path":"state","path_base64":"/w==","type":"directory","mode":"0700","mtime":"7","offset":0}"#,
        r#"{"path":"../x","type":"directory","mode":"0700","mtime":"7.5","offset":0}"#,
        r#"{"path":"state","type":"device","mode":"0700","mtime":"7.5","offset":0}"#,
        r#"{"path":"state","type":"directory","mode":"0700","mtime":"7.5","offset":0,"size":1}"#,
        r#"{"path":"state","type":"file","mode":"0700","mtime":"7.5","offset":0,"size":1}"#,
        r#"{"skipped":"state","why":"other","detail":""}"#,
        r#"{"frames":[1,]}"#,
        "",
    ] {
        assert!(Line::decode(bad.as_bytes()).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn arbitrary_lines_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Line::decode(&bytes);
        let _ = next_line(&mut &bytes[..], &mut Vec::new());
    }

    #[test]
    fn damaged_indexes_never_panic(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = encode(&sample());
        let at = at.index(bytes.len());
        bytes[at] = to;
        let _ = Index::read(&bytes[..], &[7; 16], Role::State);
    }
}
