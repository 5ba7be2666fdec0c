//! Small files that several threads make.

use std::fs;

use sha2::{Digest as _, Sha256};

use super::{Job, Payload, STAMP, Target, list, scratch};
use crate::error::{ErrorKind, Result};
use crate::format::entry::{Node, Xattr};
use crate::observer::Silent;
use crate::restore::feed::Feed;
use crate::restore::{Restored, run};

/// Gives contents whose hashes are still to be compared.
struct Unproven<'a> {
    payload: &'a Payload,
    next: usize,
}

impl Feed for Unproven<'_> {
    fn next(&mut self) -> Result<Option<(usize, Vec<Xattr>)>> {
        self.next += 1;
        Ok((self.next <= self.payload.entries.len()).then(|| (self.next - 1, Vec::new())))
    }

    fn read(&mut self, _buffer: &mut [u8]) -> Result<usize> {
        unreachable!("all files are small")
    }

    fn read_whole(&mut self, _size: usize, content: &mut Vec<u8>) -> Result<Option<[u8; 32]>> {
        content.extend_from_slice(&self.payload.contents[self.next - 1]);
        match self.payload.entries[self.next - 1].node {
            Node::File { sha256, .. } => Ok(Some(sha256)),
            _ => Ok(None),
        }
    }
}

fn payload() -> Payload {
    let mut payload = Payload::state();
    for directory in 10..40 {
        payload = payload.directory(format!("state/{directory}"), 0o755);
        for file in 10..60 {
            let content = format!("{directory} {file}").repeat(file);
            payload = payload.file(format!("state/{directory}/{file}"), content.as_bytes());
            let node = &mut payload.entries.last_mut().unwrap().node;
            let sha256 = Sha256::digest(content.as_bytes()).into();
            *node = Node::File { size: content.len() as u64, sha256 };
        }
    }
    payload
}

fn restore(payload: &Payload, target: &std::path::Path, threads: usize) -> Result<Restored> {
    let payloads = std::slice::from_ref(payload);
    let layout = Job::new(payloads).layout(&Target::Directory(target.to_owned()))?;
    run(&[payload.contents()], &layout, STAMP, threads, &Silent, |_| {
        Ok(Box::new(Unproven { payload, next: 0 }) as Box<dyn Feed>)
    })
}

#[test]
fn whatever_the_threads_the_tree_is_the_same() {
    let payload = payload();
    let (_scratch, base) = scratch();
    let trees = [1, 2, 8].map(|threads| {
        let target = base.join(threads.to_string());
        let restored = restore(&payload, &target, threads).unwrap();
        assert_eq!(restored.entries, payload.entries.len() as u64);
        list(&target)
    });
    assert_eq!(trees[0].len(), payload.entries.len());
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[0], trees[2]);
}

#[test]
fn the_first_file_with_another_hash_is_named_and_nothing_stays() {
    let mut payload = payload();
    let (_scratch, base) = scratch();
    for content in payload.contents[700..].iter_mut().filter(|content| !content.is_empty()) {
        content[0] ^= 1;
    }
    let first = (700..payload.contents.len()).find(|number| !payload.contents[*number].is_empty()).unwrap();
    for threads in [1, 2, 3, 8] {
        for _ in 0..20 {
            let error = restore(&payload, &base.join("target"), threads).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Tampered);
            assert!(error.to_string().contains(&format!("`{}`", payload.entries[first].path)), "{error}");
            assert_eq!(fs::read_dir(&base).unwrap().count(), 0, "{:?}", list(&base));
        }
    }
}
