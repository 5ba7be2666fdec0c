//! Finds the OpenClaw program that is installed, without running it.

use std::cmp::Ordering;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::openclaw::environment::Environment;
use crate::openclaw::release;

/// The program `openclaw` that a user's shell would start, as its package describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// What a shell would start.
    pub program: PathBuf,
    /// Release, such as `2026.9.6`.
    pub version: String,
    /// Directory of the package.
    pub package: PathBuf,
    /// Version of the shared database's schema that it writes, where it says so.
    pub state_schema: Option<u32>,
    /// Version of the agents' databases' schema that it writes, where it says so.
    pub agent_schema: Option<u32>,
}

impl Installed {
    /// Looks in `PATH`, then where installers put it for the user of a home directory; `None`
    /// where there is none, or one that cannot be told.
    #[must_use]
    pub fn find(home: &Path, environment: &Environment) -> Option<Self> {
        let path = environment.value("PATH").unwrap_or_default();
        let searched = std::env::split_paths(&path).filter(|directory| directory.is_absolute());
        let usual = USUAL.iter().map(|directory| home.join(directory));
        searched.chain(usual).find_map(|directory| Self::started_by(&directory.join("openclaw")))
    }

    /// Compares it to another release; `None` where one of the two is no release.
    #[must_use]
    pub fn compared_to(&self, release: &str) -> Option<Ordering> {
        release::compare(&self.version, release)
    }

    /// Follows a program, a link to it or a wrapper around it to the package that it lies in.
    fn started_by(program: &Path) -> Option<Self> {
        let facts = fs::metadata(program).ok()?;
        if !facts.is_file() || facts.permissions().mode() & 0o111 == 0 {
            return None;
        }
        let real = fs::canonicalize(program).ok()?;
        let found = Self::around(&real).or_else(|| {
            let text = read_small(&real)?;
            scripts(&text, program.parent()?).iter().find_map(|script| Self::around(script))
        })?;
        Some(Self { program: program.to_owned(), ..found })
    }

    /// The package that a file lies in.
    fn around(file: &Path) -> Option<Self> {
        file.ancestors().skip(1).take(MAX_DEPTH).find_map(Self::at)
    }

    fn at(package: &Path) -> Option<Self> {
        let text = read_small(&package.join("package.json"))?;
        let facts: Value = serde_json::from_str(&text).ok()?;
        let schema = |name: &str| {
            let version = facts["openclaw"]["schemaVersions"][name].as_u64()?;
            u32::try_from(version).ok()
        };
        (facts["name"] == "openclaw").then_some(())?;
        Some(Self {
            program: PathBuf::new(),
            version: facts["version"].as_str()?.to_owned(),
            package: package.to_owned(),
            state_schema: schema("state"),
            agent_schema: schema("agent"),
        })
    }
}

/// The scripts of a package that a wrapper names: pnpm's relative to its own `$basedir`, that of
/// OpenClaw's installer in full.
fn scripts(wrapper: &str, directory: &Path) -> Vec<PathBuf> {
    let words = wrapper.split(|character: char| character.is_whitespace() || "\"'".contains(character));
    let scripts = words.filter(|word| SCRIPTS.iter().any(|name| word.ends_with(name)));
    let places = scripts.map(|word| match word.strip_prefix("$basedir/") {
        Some(below) => directory.join(below),
        None => PathBuf::from(word),
    });
    places.filter_map(|script| fs::canonicalize(script).ok()).collect()
}

fn read_small(path: &Path) -> Option<String> {
    let facts = fs::metadata(path).ok()?;
    (facts.is_file() && facts.len() <= MAX_SIZE).then(|| fs::read_to_string(path).ok()).flatten()
}

/// Below the home directory: OpenClaw's own installer, pipx and others, npm without root, pnpm.
const USUAL: [&str; 4] = [".openclaw/bin", ".local/bin", ".npm-global/bin", ".local/share/pnpm"];

/// What a wrapper hands to node.
const SCRIPTS: [&str; 3] = ["/openclaw.mjs", "/dist/entry.js", "/dist/index.js"];

/// From a script up to its package.
const MAX_DEPTH: usize = 3;
/// A description or a wrapper is never larger.
const MAX_SIZE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::{Path, PathBuf};

    use super::{Environment, Installed};

    /// Makes a package; returns its start script.
    fn package(root: &Path, version: &str) -> PathBuf {
        let package = root.join("node_modules/openclaw");
        fs::create_dir_all(package.join("dist")).unwrap();
        let facts = format!(
            r#"{{"name":"openclaw","version":"{version}","openclaw":{{"schemaVersions":{{"state":18,"agent":23}}}}}}"#
        );
        fs::write(package.join("package.json"), facts).unwrap();
        for name in ["openclaw.mjs", "dist/entry.js"] {
            program(&package.join(name), "#!/usr/bin/env node\n");
        }
        package.join("openclaw.mjs")
    }

    fn program(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }

    fn version(home: &Path, path: &str) -> Option<String> {
        Installed::find(home, &Environment::empty().with("PATH", path)).map(|found| found.version)
    }

    #[test]
    fn a_link_of_npm_leads_to_the_package() {
        let root = tempfile::tempdir().unwrap();
        let script = package(&root.path().join("lib"), "2026.9.6");
        let bin = root.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(&script, bin.join("openclaw")).unwrap();
        let path = format!("/nowhere:{}", bin.display());
        let found = Installed::find(Path::new("/none"), &Environment::empty().with("PATH", path)).unwrap();
        let package = fs::canonicalize(script.parent().unwrap()).unwrap();
        let expected = Installed {
            program: bin.join("openclaw"),
            version: "2026.9.6".to_owned(),
            package,
            state_schema: Some(18),
            agent_schema: Some(23),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn wrappers_are_read_and_not_run() {
        let root = tempfile::tempdir().unwrap();
        let lib = root.path().join("lib");
        package(&lib, "2026.9.6");
        let bin = root.path().join("bin");
        let wrapper = |text: &str| {
            program(&bin.join("openclaw"), text);
            version(Path::new("/none"), bin.to_str().unwrap())
        };
        let ran = root.path().join("ran");
        let run = format!("#!/bin/sh\ntouch {}\n", ran.display());
        let installer = format!(
            "{run}exec \"/usr/bin/node\" \"{}/node_modules/openclaw/dist/entry.js\" \"$@\"\n",
            lib.display()
        );
        assert_eq!(wrapper(&installer).as_deref(), Some("2026.9.6"));
        let pnpm = format!("{run}exec node  \"$basedir/../lib/node_modules/openclaw/openclaw.mjs\" \"$@\"\n");
        assert_eq!(wrapper(&pnpm).as_deref(), Some("2026.9.6"));
        assert_eq!(wrapper(&format!("{run}exec something else\n")), None);
        assert!(!ran.exists());
    }

    #[test]
    fn the_first_in_the_path_decides_and_the_home_comes_last() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        let link = |version: &str, bin: &str| {
            let bin = root.path().join(bin);
            fs::create_dir_all(&bin).unwrap();
            symlink(package(&root.path().join(version), version), bin.join("openclaw")).unwrap();
            bin.to_str().unwrap().to_owned()
        };
        let (one, other) = (link("2026.9.6", "one"), link("2026.3.13", "other"));
        link("2026.5.1", "home/.npm-global/bin");
        assert_eq!(version(&home, &format!("{one}:{other}")).as_deref(), Some("2026.9.6"));
        assert_eq!(version(&home, &format!("{other}:{one}")).as_deref(), Some("2026.3.13"));
        assert_eq!(version(&home, "/nowhere").as_deref(), Some("2026.5.1"));
    }

    #[test]
    fn what_is_no_package_of_openclaw_is_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("bin");
        let find = || version(Path::new("/none"), bin.to_str().unwrap());
        assert_eq!(find(), None);
        program(&bin.join("openclaw"), "\u{7f}ELF");
        assert_eq!(find(), None);
        fs::write(root.path().join("package.json"), r#"{"name":"another","version":"1.0.0"}"#).unwrap();
        assert_eq!(find(), None);
        fs::write(root.path().join("package.json"), r#"{"name":"openclaw","version":"1.0.0"}"#).unwrap();
        assert_eq!(find().as_deref(), Some("1.0.0"));
        fs::set_permissions(bin.join("openclaw"), Permissions::from_mode(0o644)).unwrap();
        assert_eq!(find(), None);
    }
}
