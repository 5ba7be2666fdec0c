//! The limits that readers enforce before they allocate (spec §12).

/// Every limit of the format.
pub(crate) const LIMITS: Limits = Limits {
    region: 32 * 1024,
    manifest: 8 * 1024,
    passphrase_slot: 1024,
    recipients_slot: 16 * 1024,
    recovery_text: 2 * 1024,
    age_header: 16 * 1024,
    age_stanzas: 32,
    slot_plaintext: 1024,
    work_factor_written: 18,
    work_factor_read: 20,
    link_target: 4096,
    detail: 4096,
    pax_data: 1024 * 1024,
    xattr_name: 255,
    frame_size_least: 256 * 1024,
    frame_size_most: 16 * 1024 * 1024,
    index_line: 1024 * 1024,
    index_window_log: 23,
    frames_in_line: 4096,
    entries: 1 << 26,
    frames: 1 << 32,
    length: 1 << 63,
    mtime_seconds: 1 << 55,
};

/// The values of spec §12, in bytes where they are lengths.
pub(crate) struct Limits {
    pub(crate) region: usize,
    pub(crate) manifest: usize,
    pub(crate) passphrase_slot: usize,
    pub(crate) recipients_slot: usize,
    pub(crate) recovery_text: usize,
    pub(crate) age_header: usize,
    pub(crate) age_stanzas: usize,
    pub(crate) slot_plaintext: usize,
    pub(crate) work_factor_written: u8,
    pub(crate) work_factor_read: u8,
    pub(crate) link_target: usize,
    pub(crate) detail: usize,
    pub(crate) pax_data: usize,
    pub(crate) xattr_name: usize,
    pub(crate) frame_size_least: u32,
    pub(crate) frame_size_most: u32,
    pub(crate) index_line: usize,
    pub(crate) index_window_log: u32,
    pub(crate) frames_in_line: usize,
    pub(crate) entries: u64,
    pub(crate) frames: u64,
    pub(crate) length: u64,
    pub(crate) mtime_seconds: i64,
}

/// Longest compressed frame for a frame size.
pub(crate) fn compressed_frame(frame_size: u32) -> u64 {
    let size = u64::from(frame_size);
    size.saturating_add(size >> 7).saturating_add(1024)
}
