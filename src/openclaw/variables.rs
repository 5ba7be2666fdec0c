//! The variables that a configuration may name: `${NAME}`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::openclaw::environment::{Environment, expand};

/// The process's variables, and behind them those of `.env`.
pub(crate) struct Variables<'a> {
    environment: &'a Environment,
    home: &'a Path,
    file: BTreeMap<String, String>,
}

impl<'a> Variables<'a> {
    /// Reads `.env` in the configuration's directory; one that cannot be read has no variables.
    pub(crate) fn new(environment: &'a Environment, home: &'a Path, directory: &Path) -> Self {
        Self { environment, home, file: assignments(&directory.join(".env")) }
    }

    /// Replaces `${NAME}`; names without a value stay as they stand and go into `missing`.
    ///
    /// OpenClaw: names are of `A-Z 0-9 _`, and `$${NAME}` means the text `${NAME}`.
    pub(crate) fn fill_in(&self, text: &str, missing: &mut BTreeSet<String>) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            let name = from[2..].split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
            let Some(name) = name else {
                filled.push_str(before);
                filled.push_str("${");
                rest = &from[2..];
                continue;
            };
            let reference = &from[..name.len() + 3];
            if let Some(before) = before.strip_suffix('$') {
                filled.push_str(before);
                filled.push_str(reference);
            } else {
                filled.push_str(before);
                let value = self.value(name);
                if value.is_none() {
                    missing.insert(name.to_owned());
                }
                filled.push_str(value.as_deref().unwrap_or(reference));
            }
            rest = &from[reference.len()..];
        }
        filled + rest
    }

    /// OpenClaw: directories in which included files may lie, beside the configuration's own.
    pub(crate) fn include_roots(&self) -> Vec<PathBuf> {
        let value = self.environment.value("OPENCLAW_INCLUDE_ROOTS").unwrap_or_default();
        let roots = std::env::split_paths(&value).filter(|root| !root.as_os_str().is_empty());
        roots.map(|root| expand(root.as_os_str(), self.home)).collect()
    }

    fn value(&self, name: &str) -> Option<String> {
        let own = self.environment.any(name).and_then(|value| value.into_string().ok());
        own.filter(|value| !value.is_empty()).or_else(|| self.file.get(name).cloned())
    }
}

/// What a file of variables sets; one that cannot be read sets nothing.
pub(crate) fn assignments(file: &Path) -> BTreeMap<String, String> {
    // A FIFO would block.
    let small = fs::metadata(file).is_ok_and(|facts| facts.is_file() && facts.len() <= MAX_SIZE);
    let text = if small { fs::read_to_string(file).unwrap_or_default() } else { String::new() };
    text.lines().filter_map(assignment).collect()
}

/// A line `NAME=value`, with or without `export` and quotes.
fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.split(quote).next());
    let value = quoted.unwrap_or_else(|| value.split(" #").next().unwrap_or_default().trim_end());
    (!name.starts_with('#')).then(|| (name.to_owned(), value.to_owned()))
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Larger ones are something else.
const MAX_SIZE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::Variables;
    use crate::openclaw::Environment;

    #[test]
    fn the_process_wins_over_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = "A=file\nexport B='two words' # x\n#C=1\nD=plain # x\n E = \"e\" \n";
        fs::write(directory.path().join(".env"), file).unwrap();
        let environment = Environment::empty().with("A", "process");
        let variables = Variables::new(&environment, "/h".as_ref(), directory.path());
        let mut missing = BTreeSet::new();
        for (text, filled) in [
            ("${A}/${B}", "process/two words"),
            ("${C}", "${C}"),
            ("${D}${E}", "plaine"),
            ("$${A}", "${A}"),
            ("${a} ${ $ {A}", "${a} ${ $ {A}"),
            ("x${A", "x${A"),
        ] {
            assert_eq!(variables.fill_in(text, &mut missing), filled, "{text}");
        }
        assert_eq!(missing.into_iter().collect::<Vec<_>>(), ["C"]);
    }
}
