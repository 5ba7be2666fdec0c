//! Whether a drive has room for an archive, and for files of its size, known before the work starts.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use rustix::process::geteuid;

use ocbak::{Error, Estimate, NewArchive};

use super::failure::Failure;
use super::ui::{Ui, size};

/// Refuses a directory whose file system cannot hold the archive, and warns where it may not.
pub(crate) fn check(directory: &Path, estimate: &Estimate, ui: &Ui) -> Result<(), Failure> {
    let Some(free) = free(directory) else {
        return Ok(());
    };
    if free < estimate.least {
        let directory = directory.to_owned();
        return Err(Failure::NoRoom { directory, needed: estimate.about.max(estimate.least), free });
    }
    if free < estimate.about {
        ui.warn(format_args!(
            "the archive may not fit: it needs about {}, and {} are free in `{}`",
            size(estimate.about),
            size(free),
            directory.display()
        ));
    }
    Ok(())
}

/// Bytes of an archive for which neither room nor parts can run out.
pub(crate) fn enough(directory: &Path, part: Option<u64>) -> u64 {
    let parts = part.map_or(u64::MAX, |size| size.saturating_mul(NewArchive::MOST_PARTS));
    free(directory).unwrap_or(u64::MAX).min(parts)
}

/// Refuses parts that are so small that they would be too many.
pub(crate) fn few_enough(path: &Path, part: Option<u64>, estimate: &Estimate) -> Result<(), Failure> {
    let limit = NewArchive::MOST_PARTS;
    match part.map(|size| estimate.least.div_ceil(size)) {
        Some(found) if found > limit => {
            let what = "the number of parts".to_owned();
            Err(Error::LimitExceeded { what, limit, found }.within(path).into())
        }
        _ => Ok(()),
    }
}

/// Warns where the copies of databases may not fit; at most two are there at a time.
pub(crate) fn check_scratch(estimate: &Estimate, ui: &Ui) {
    let directory = env::var_os("TMPDIR").filter(|name| !name.is_empty());
    let directory = directory.map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    let needed = estimate.copies;
    if let Some(free) = free(&directory)
        && free < needed
    {
        ui.warn(format_args!(
            "copies of databases of {} may not fit into `{}`, where {} are free: `TMPDIR` names another place",
            size(needed),
            directory.display(),
            size(free)
        ));
    }
}

/// The largest files that a file system holds, where it has an old limit.
pub(crate) fn largest_file(directory: &Path) -> Option<u64> {
    is_fat(directory).then_some(FAT_LIMIT)
}

/// Bytes that this user may still write; `None` where the file system does not tell.
fn free(directory: &Path) -> Option<u64> {
    let facts = statvfs(directory).ok().filter(|facts| facts.f_blocks > 0)?;
    // Root may take what is kept back for it.
    let blocks = if geteuid().is_root() { facts.f_bfree } else { facts.f_bavail };
    Some(blocks.saturating_mul(facts.f_frsize))
}

#[cfg(target_os = "linux")]
fn is_fat(directory: &Path) -> bool {
    match rustix::fs::statfs(directory).map(|facts| facts.f_type) {
        // The magic of FAT; exFAT has one of its own, and no such limit.
        Ok(0x4d44) => true,
        // FUSE: what is behind it, its mount says, or nothing does.
        Ok(0x6573_5546) => fs::metadata(directory).is_ok_and(|facts| {
            let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            kind(&mounts, std::os::linux::fs::MetadataExt::st_dev(&facts)).is_some_and(is_fat_by_name)
        }),
        _ => false,
    }
}

#[cfg(not(target_os = "linux"))]
fn is_fat(_: &Path) -> bool {
    false
}

/// Finds the type of the file system of a device in the list of mounts.
fn kind(mounts: &str, device: u64) -> Option<&str> {
    let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(&device))?;
    line.split_once(" - ")?.1.split(' ').next()
}

/// Tells by the name of a type, `fuse.fusefat` for instance.
fn is_fat_by_name(kind: &str) -> bool {
    let kind = kind.rsplit('.').next().unwrap_or(kind);
    kind.ends_with("fat") && !kind.contains("exfat") || kind == "msdos"
}

/// One byte less than 4 GiB is the limit; a whole number of mebibytes is easier to recognise.
const FAT_LIMIT: u64 = 4095 << 20;

#[cfg(test)]
mod tests {
    use ocbak::Estimate;

    use super::{few_enough, is_fat_by_name, kind};

    #[test]
    fn too_many_parts_are_known_before() {
        let of = |part, least| {
            let estimate = Estimate { least, about: least, copies: 0 };
            few_enough("box.ocbak".as_ref(), part, &estimate)
        };
        assert!(of(Some(1 << 20), 999 << 20).is_ok());
        assert!(of(None, 999 << 40).is_ok());
        let failure = of(Some(1 << 20), (999 << 20) + 1).unwrap_err().to_string();
        assert_eq!(failure, "`box.ocbak`: the number of parts is 1000, more than the limit of 999");
    }

    #[test]
    fn the_mount_tells_what_is_behind_it() {
        let mounts = "29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      40 29 0:52 / /media/a\\040b rw shared:2 - fuse.fusefat fusefat rw,user_id=0\n\
                      41 29 8:17 / /media/c rw - fuseblk /dev/sdb1 rw\n";
        let of = |major, minor| kind(mounts, rustix::fs::makedev(major, minor));
        assert_eq!(of(0, 52), Some("fuse.fusefat"));
        assert_eq!(of(8, 17), Some("fuseblk"));
        assert_eq!(of(8, 18), None);
    }

    #[test]
    fn old_fat_is_told_from_what_has_no_limit() {
        for name in ["vfat", "msdos", "fuse.fusefat", "fuse.vfat", "fat"] {
            assert!(is_fat_by_name(name), "{name}");
        }
        for name in ["exfat", "fuse.exfat", "fuse.exfat-fuse", "fuseblk", "ext4", "fuse.sshfs"] {
            assert!(!is_fat_by_name(name), "{name}");
        }
    }
}
