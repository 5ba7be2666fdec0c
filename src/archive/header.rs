//! Finds the two copies of the header region in a file (spec §3.4, §4.3).

use crate::archive::source::{ReadAt, is_gap};
use crate::error::{Error, Lookalike, Result};
use crate::format::block::{self, BLOCK};
use crate::format::entry::Role;
use crate::format::layout::{END, Layout, member_header};
use crate::format::limits::LIMITS;
use crate::format::manifest::{Manifest, payload_name};
use crate::format::region::Found;
use crate::format::sniff::lookalike;

/// Reads what both copies give.
///
/// # Errors
///
/// `NotAnArchive`, `Truncated` when not even the head region is there, `Io`.
pub(super) fn read(source: &dyn ReadAt, length: u64) -> Result<Found> {
    let head = read_up_to(source, 0, LIMITS.region)?;
    let from_end = length.checked_sub((LIMITS.region + END) as u64).filter(|at| *at >= LIMITS.region as u64);
    let alone = Found::merge(&head, &[]);
    let by_head =
        alone.manifests.iter().find_map(|manifest| Layout::new(&Manifest::decode(manifest).ok()?).ok());

    // An intact head says where the tail is; else the end of the file does.
    let mut found = None;
    if !alone.some_intact
        && let Some(at) = from_end
    {
        let tail = read_up_to(source, at, LIMITS.region)?;
        found = Some(Found::merge(&head, &tail)).filter(|found| found.some_intact);
    }
    let found = match (found, by_head, from_end) {
        (Some(found), _, _) => found,
        (None, Some(layout), _) => {
            let tail = read_up_to(source, layout.tail, LIMITS.region)?;
            Found::merge(&head, &tail)
        }
        (None, None, Some(at)) => {
            let tail = read_up_to(source, at, LIMITS.region)?;
            Found::merge(&head, &tail)
        }
        (None, None, None) => alone,
    };
    if found.manifests.is_empty() {
        let nothing = found.slots.is_empty() && found.macs.is_empty();
        return Err(match lookalike(&head) {
            // §3.4: with any member of a header region it is an archive, however damaged.
            Some(_) if nothing && is_first_payload(&read_up_to(source, LIMITS.region as u64, BLOCK)?) => {
                Error::NotAnArchive(Lookalike::Headless)
            }
            Some(other) if nothing => Error::NotAnArchive(other),
            None if head.len() < LIMITS.region => Error::Truncated {
                what: "the archive".to_owned(),
                expected: (2 * LIMITS.region + END) as u64,
                found: length,
            },
            _ => Error::malformed("both copies of the header region are damaged: the manifest is lost"),
        });
    }
    Ok(found)
}

/// Whether a block is the header of what follows the head region in every archive.
fn is_first_payload(bytes: &[u8]) -> bool {
    let size = bytes.first_chunk().and_then(block::size);
    size.is_some_and(|size| bytes == member_header(&payload_name(Role::State), size))
}

pub(super) fn read_up_to(source: &dyn ReadAt, offset: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match source.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // The other copy may be there.
            Err(error) if is_gap(&error) => break,
            Err(error) => return Err(Error::stream("read the archive", error)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
