//! Writes the content of the parity member behind an archive that is otherwise complete.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::archive::parity::shards::{Checks, Data, batches, count, fold};
use crate::error::{Error, Result};
use crate::format::block::BLOCK;
use crate::format::manifest::Member;
use crate::format::parity::{CARRIED, DIGESTS, Geometry, SHARD, digest};
use crate::observer::{Observer, Silent};
use crate::payload::digest::DigestReader;

/// Appends the content of the member, after room for its header block, where the sink stands; leaves the sink at
/// its end. The observer hears of the bytes protected.
pub(in crate::archive) fn append<S: Read + Write + Seek>(
    sink: &mut S,
    archive: [u8; 16],
    percent: u8,
    observer: &dyn Observer,
) -> Result<Member> {
    let header = sink.stream_position().map_err(failed)?;
    let content = header + BLOCK as u64;
    let geometry = Geometry::for_percent(archive, content, percent)
        .ok_or_else(|| Error::invalid("a member longer than any file"))?;
    sink.write_all(&[0; BLOCK]).map_err(failed)?;
    write(sink, &geometry, observer)?;
    sink.seek(SeekFrom::Start(content)).map_err(failed)?;
    let length = geometry.member_end() - content;
    let mut member = DigestReader::new(sink.take(length));
    io::copy(&mut member, &mut io::sink()).map_err(failed)?;
    let (length, sha256) = member.finish();
    Ok(Member { length, sha256 })
}

/// Writes the whole content for what stands before it. The observer hears of the bytes protected.
pub(in crate::archive) fn write<S: Read + Write + Seek>(
    sink: &mut S,
    geometry: &Geometry,
    observer: &dyn Observer,
) -> Result<()> {
    let spread = geometry.data;
    let content = geometry.end + BLOCK as u64;
    // §18.2: shorter than a shard.
    write_at(sink, content, &[0; SHARD][..usize::try_from(geometry.start() - content).unwrap_or(0)])?;
    let mut table = Table { geometry, digests: Vec::new(), number: 0 };
    for groups in batches(spread, SHARD) {
        let mut digests = vec![0; count(&groups) * spread.positions()];
        let mut put = |position: usize, run: &[u8]| {
            for (group, shard) in run.chunks_exact(SHARD).enumerate() {
                digests[group * spread.positions() + position] = digest(shard);
            }
        };
        let recovery = fold(&mut Data::new(sink, geometry), &groups, observer, |row, run, _| put(row, run))?;
        for place in 0..spread.recovery {
            let shards = (0..count(&groups)).map(|group| recovery.shard(group, place));
            let run = shards.collect::<Vec<_>>().concat();
            put(spread.rows + place, &run);
            write_at(sink, geometry.recovery_offset(place, groups.start), &run)?;
        }
        table.append(sink, &digests)?;
    }
    table.finish(sink)?;
    for groups in batches(geometry.checks, CARRIED) {
        let recovery = fold(&mut Checks::new(sink, geometry), &groups, &Silent, |_, _, _| {})?;
        for place in 0..geometry.checks.recovery {
            for (at, group) in groups.clone().enumerate() {
                let number = geometry.check_recovery(place, group);
                let block = geometry.check_block(number, recovery.shard(at, place));
                write_at(sink, geometry.check_offset(number), &block)?;
            }
        }
    }
    Ok(())
}

/// Digests on their way into check blocks.
struct Table<'a> {
    geometry: &'a Geometry,
    digests: Vec<u64>,
    number: u64,
}

impl Table<'_> {
    fn append<S: Write + Seek>(&mut self, sink: &mut S, digests: &[u64]) -> Result<()> {
        self.digests.extend_from_slice(digests);
        let whole = self.digests.len() / DIGESTS * DIGESTS;
        let rest = self.digests.split_off(whole);
        let full = std::mem::replace(&mut self.digests, rest);
        full.chunks_exact(DIGESTS).try_for_each(|digests| self.block(sink, digests))
    }

    fn finish<S: Write + Seek>(mut self, sink: &mut S) -> Result<()> {
        let mut digests = std::mem::take(&mut self.digests);
        if !digests.is_empty() {
            digests.resize(DIGESTS, 0);
            self.block(sink, &digests)?;
        }
        Ok(())
    }

    fn block<S: Write + Seek>(&mut self, sink: &mut S, digests: &[u64]) -> Result<()> {
        let carried: Vec<u8> = digests.iter().flat_map(|digest| digest.to_le_bytes()).collect();
        let block = self.geometry.check_block(self.number, &carried);
        write_at(sink, self.geometry.check_offset(self.number), &block)?;
        self.number += 1;
        Ok(())
    }
}

pub(super) fn write_at<S: Write + Seek>(sink: &mut S, offset: u64, bytes: &[u8]) -> Result<()> {
    sink.seek(SeekFrom::Start(offset)).and_then(|_| sink.write_all(bytes)).map_err(failed)
}

fn failed(error: io::Error) -> Error {
    Error::stream("write the archive", error)
}
