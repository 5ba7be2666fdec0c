//! A directory with a home, key files and room for archives: where most tests begin.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::age_keys::{IDENTITY, RECIPIENT, STRANGER};
use super::cli::{Ran, Run, ocbak};
use super::home::write_home;
use super::listing::Listing;
use super::rich::make_rich;

/// A temporary directory that is gone after the test.
pub struct Scene {
    directory: TempDir,
}

impl Scene {
    /// Makes a scene without a home.
    pub fn bare() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, key) in [("recipient.txt", RECIPIENT), ("key.txt", IDENTITY), ("stranger.txt", STRANGER)] {
            let file = directory.path().join(name);
            fs::write(&file, format!("# FAKE\n{key}\n")).unwrap();
            fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
        }
        Self { directory }
    }

    /// Makes a scene with the sample home as git holds it, with the modes of OpenClaw's state.
    pub fn plain() -> Self {
        let scene = Self::bare();
        write_home(&scene.home());
        make_private(&scene.state());
        scene
    }

    /// Makes a scene with the sample home and everything that git cannot hold.
    pub fn rich() -> Self {
        let scene = Self::plain();
        make_rich(&scene.home());
        scene
    }

    /// A path in the scene.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The sample home.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// The sample home's state directory.
    pub fn state(&self) -> PathBuf {
        self.path("home/.openclaw")
    }

    /// The archive that [`Scene::create`] writes.
    pub fn archive(&self) -> PathBuf {
        self.path("backup.ocbak")
    }

    /// The file with the identity that opens the scene's archives.
    pub fn key(&self) -> PathBuf {
        self.path("key.txt")
    }

    /// Begins `ocbak create` of the sample home for the scene's recipient.
    pub fn creation(&self, output: &Path) -> Run {
        ocbak(["create", "--quiet", "--home"])
            .arg(self.home())
            .arg("-R")
            .arg(self.path("recipient.txt"))
            .arg("-o")
            .arg(output)
    }

    /// Creates the archive.
    #[track_caller]
    pub fn create(&self) -> Ran {
        self.creation(&self.archive()).success()
    }

    /// Begins a command that opens the archive.
    pub fn with_key(&self, command: &str) -> Run {
        ocbak([command]).arg(self.archive()).arg("-i").arg(self.key())
    }

    /// Begins a restore into a directory of the scene.
    pub fn restoring(&self, to: &str) -> Run {
        self.with_key("restore").arg("--quiet").arg("--to").arg(self.path(to))
    }

    /// Reads the index of the archive, with what was left out.
    #[track_caller]
    pub fn listing(&self) -> Listing {
        let list = |run: Run| run.arg("--json").success().json();
        let stored = list(self.with_key("list"));
        let left_out = list(self.with_key("list").arg("--skipped"));
        Listing::parse(&stored, &left_out)
    }
}

/// Gives everything the modes that OpenClaw does.
fn make_private(path: &Path) {
    let facts = fs::symlink_metadata(path).unwrap();
    if facts.is_dir() {
        fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
        for entry in fs::read_dir(path).unwrap() {
            make_private(&entry.unwrap().path());
        }
    } else if facts.is_file() {
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }
}

/// Lists the names in a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
