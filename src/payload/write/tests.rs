//! What a payload costs, in what can be counted.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::{Frame, PayloadOptions, PayloadWriter, Tap};
use crate::crypto::identity::ArchiveIdentity;
use crate::error::Result;

const SIZE: usize = 256 * 1024;
const FRAMES: usize = 200;

/// Notes where the frames lie.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<BTreeSet<usize>>>);

impl Tap for Places {
    fn content(&mut self, _: Range<usize>) {}

    fn frame(&mut self, frame: Frame) {
        self.0.lock().unwrap().insert(frame.as_ptr().addr());
    }

    fn relieve(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Content that notes where it is read to: text and noise by turns.
#[derive(Default)]
struct Content {
    places: BTreeSet<usize>,
    frames: u32,
    state: u64,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.places.insert(buffer.as_ptr().addr());
        self.frames += 1;
        for byte in buffer.iter_mut() {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = if self.frames % 8 < 4 { b'a' } else { self.state.to_be_bytes()[0] };
        }
        Ok(buffer.len())
    }
}

#[test]
fn few_frames_are_in_flight_and_their_memory_is_used_again() {
    for threads in [1, 2, 4] {
        let (places, mut content) = (Places::default(), Content::default());
        let options = PayloadOptions { frame_size: 256 * 1024, level: 3, threads };
        let identity = ArchiveIdentity::generate();
        let mut writer = PayloadWriter::new(&identity, io::sink(), options, places.clone()).unwrap();
        let size = (FRAMES * SIZE) as u64;
        assert_eq!(writer.copy(&mut content, size).unwrap(), size);
        let (written, _) = writer.finish().unwrap();
        assert_eq!(written.frames.len(), FRAMES);
        // The one being filled; of each thread one that waits, one in work, one that is done and one that waits to be
        // taken; the one being encrypted.
        let places = places.0.lock().unwrap();
        assert!(places.len() <= 2 + 4 * threads, "{threads} threads: {} frames", places.len());
        // Content is read into the frames themselves, once.
        assert_eq!(content.places, *places, "{threads} threads");
    }
}
