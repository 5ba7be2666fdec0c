//! A configuration as one document: `$include` followed, JSON5 parsed.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// A configuration with everything that it includes.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) value: Value,
    /// Files that `$include` names, each once, in the order in which they were met.
    pub(crate) files: Vec<PathBuf>,
    /// Includes that could not be followed, one line each.
    pub(crate) problems: Vec<String>,
}

impl Document {
    /// Reads a file and what it includes; the error is a line for a person, about the file itself.
    ///
    /// OpenClaw: an included file lies in the configuration's own directory or below one of `roots`.
    pub(crate) fn read(path: &Path, roots: &[PathBuf]) -> Result<Self, String> {
        let value = parse(path)?;
        let own = path.parent().unwrap_or(Path::new("/"));
        let mut roots: Vec<PathBuf> = roots.iter().filter_map(|root| fs::canonicalize(root).ok()).collect();
        roots.extend(fs::canonicalize(own));
        // A link in the state directory leads to where its includes are looked for, too.
        roots.extend(fs::canonicalize(path).ok().and_then(|real| real.parent().map(Path::to_owned)));
        let mut reader = Reader { roots, files: Vec::new(), problems: Vec::new(), reads: 0 };
        let value = reader.follow(value, own, 0);
        Ok(Self { value, files: reader.files, problems: reader.problems })
    }
}

struct Reader {
    roots: Vec<PathBuf>,
    files: Vec<PathBuf>,
    problems: Vec<String>,
    reads: usize,
}

impl Reader {
    /// Puts the included documents into their places in `value`, which stands in `directory`.
    fn follow(&mut self, value: Value, directory: &Path, depth: usize) -> Value {
        match value {
            Value::Array(items) => {
                items.into_iter().map(|item| self.follow(item, directory, depth)).collect()
            }
            Value::Object(mut members) => {
                let Some(include) = members.remove(INCLUDE) else {
                    return self.members(members, directory, depth);
                };
                let names = match include {
                    Value::Array(names) => names,
                    name => vec![name],
                };
                let mut merged = Value::Object(Map::new());
                for name in &names {
                    let Some(name) = name.as_str() else {
                        self.problems.push("`$include` names something that is no file".to_owned());
                        continue;
                    };
                    if let Some(value) = self.include(&directory.join(name), depth + 1) {
                        merged = merge(merged, value);
                    }
                }
                // OpenClaw: what stands beside it wins.
                let beside = self.members(members, directory, depth);
                merge(merged, beside)
            }
            other => other,
        }
    }

    fn members(&mut self, members: Map<String, Value>, directory: &Path, depth: usize) -> Value {
        let members = members.into_iter().map(|(key, value)| (key, self.follow(value, directory, depth)));
        Value::Object(members.collect())
    }

    fn include(&mut self, path: &Path, depth: usize) -> Option<Value> {
        let mut problem = |what: &str| {
            self.problems.push(format!("included configuration `{}` {what}", path.display()));
        };
        if depth > MAX_DEPTH {
            problem(&format!("is included deeper than {MAX_DEPTH} levels"));
            return None;
        }
        let Ok(real) = fs::canonicalize(path) else {
            problem("does not exist");
            return None;
        };
        if !self.roots.iter().any(|root| real.starts_with(root)) {
            problem("lies outside the configuration's directory and `OPENCLAW_INCLUDE_ROOTS`");
            return None;
        }
        self.reads += 1;
        if self.reads > MAX_READS {
            problem(&format!("is one of more than {MAX_READS}"));
            return None;
        }
        if !self.files.contains(&real) {
            self.files.push(real.clone());
        }
        match parse(&real) {
            Ok(value) => Some(self.follow(value, path.parent().unwrap_or(path), depth)),
            Err(text) => {
                self.problems.push(text);
                None
            }
        }
    }
}

/// OpenClaw: objects are merged, lists are joined, and of anything else the later one stays.
fn merge(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            for (key, value) in other {
                let value = match one.remove(&key) {
                    Some(before) => merge(before, value),
                    None => value,
                };
                one.insert(key, value);
            }
            Value::Object(one)
        }
        (Value::Array(mut one), Value::Array(other)) => {
            one.extend(other);
            Value::Array(one)
        }
        (_, other) => other,
    }
}

/// Reads one file; the error is a line for a person.
fn parse(path: &Path) -> Result<Value, String> {
    let describe = |what: &str| format!("configuration `{}` {what}", path.display());
    let mut bytes = Vec::new();
    // A FIFO would block.
    if !path.is_file() {
        return Err(describe("is no file"));
    }
    File::open(path)
        .and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut bytes))
        .map_err(|error| describe(&format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(describe("is larger than 16 MiB and was not looked at"));
    }
    // JavaScript reads a byte order mark as white space; the crate does not.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = str::from_utf8(text).map_err(|_| describe("is not UTF-8"))?;
    parse_text(text).map_err(|problem| describe(&problem))
}

/// Parses JSON5.
pub(crate) fn parse_text(text: &str) -> Result<Value, String> {
    // The crate recurses without limit and would overflow the stack.
    if nesting(text.as_bytes()) > MAX_NESTING {
        return Err(format!("is nested deeper than {MAX_NESTING} levels"));
    }
    json5::from_str(text).map_err(|error| format!("does not parse: {error}"))
}

/// How deep objects and arrays nest; strings and comments do not count.
pub(crate) fn nesting(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        at += match byte {
            b'"' | b'\'' => string_length(rest),
            b'/' if rest.starts_with(b"//") => line_length(rest),
            b'/' if rest.starts_with(b"/*") => comment_length(rest),
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
                1
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                1
            }
            _ => 1,
        };
    }
    deepest
}

pub(crate) fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        at += match byte {
            b'\\' => 2,
            _ if byte == text[0] => return at + 1,
            _ => 1,
        };
    }
    text.len()
}

/// A line comment ends where JavaScript says that a line does.
pub(crate) fn line_length(text: &[u8]) -> usize {
    let ends: [&[u8]; 4] = [b"\n", b"\r", b"\xe2\x80\xa8", b"\xe2\x80\xa9"];
    (0..text.len()).find(|&at| ends.iter().any(|end| text[at..].starts_with(end))).unwrap_or(text.len())
}

pub(crate) fn comment_length(text: &[u8]) -> usize {
    let end = text[2..].windows(2).position(|two| two == b"*/");
    end.map_or(text.len(), |end| end + 4)
}

const INCLUDE: &str = "$include";
pub(crate) const MAX_SIZE: u64 = 16 << 20;
pub(crate) const MAX_NESTING: usize = 64;
/// OpenClaw's own limit.
const MAX_DEPTH: usize = 10;
/// More than anybody has, and few enough to be read at once.
const MAX_READS: usize = 256;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::{Document, nesting};

    #[test]
    fn included_files_are_merged_below_what_stands_beside_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("sub")).unwrap();
        let root = "{ $include: ['./a.json5', 'sub/b.json'], x: 3, deep: { $include: 'sub/c.json' } }";
        fs::write(path("openclaw.json"), root).unwrap();
        fs::write(path("a.json5"), "{ x: 1, y: 1, list: [1], /* a */ }").unwrap();
        fs::write(path("sub/b.json"), "{ y: 2, list: [2] }").unwrap();
        // Relative to the file that includes.
        fs::write(path("sub/c.json"), "{ $include: './d.json' }").unwrap();
        fs::write(path("sub/d.json"), "{ z: 'z' }").unwrap();
        let document = Document::read(&path("openclaw.json"), &[]).unwrap();
        let expected = json!({ "x": 3, "y": 2, "list": [1, 2], "deep": { "z": "z" } });
        assert_eq!(document.value, expected);
        assert_eq!(document.files.len(), 4);
        assert_eq!(document.problems, [""; 0]);
    }

    #[test]
    fn what_cannot_be_included_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let other = outside.path().join("other.json");
        fs::write(&other, "{ a: 1 }").unwrap();
        symlink(&other, path("link.json")).unwrap();
        fs::write(path("loop.json"), "{ $include: 'loop.json' }").unwrap();
        fs::write(path("bad.json"), "{").unwrap();
        let read = |names: &str, roots: &[std::path::PathBuf]| {
            fs::write(path("openclaw.json"), format!("{{ b: 2, $include: {names} }}")).unwrap();
            Document::read(&path("openclaw.json"), roots).unwrap()
        };
        for (names, part) in [
            ("'none.json'", "does not exist"),
            ("['link.json']", "lies outside"),
            ("'loop.json'", "deeper than 10"),
            ("'bad.json'", "does not parse"),
            ("7", "no file"),
        ] {
            let document = read(names, &[]);
            assert_eq!(document.problems.len(), 1, "{names}: {:?}", document.problems);
            assert!(document.problems[0].contains(part), "{names}: {:?}", document.problems);
            assert_eq!(document.value["b"], 2);
        }
        let allowed = read("['link.json']", &[outside.path().to_owned()]);
        assert_eq!(allowed.value["a"], 1);
        assert_eq!(allowed.files, [fs::canonicalize(other).unwrap()]);
    }

    #[test]
    fn nesting_counts_neither_strings_nor_comments() {
        for (text, depth) in [
            ("", 0),
            ("{a:[1,{}]}", 3),
            (r#"{a:"[[[\"[[",b:'[[\'[['}"#, 1),
            ("// [[[\n[/* [[ */[]]", 2),
            ("// [[\u{2028}[", 1),
            ("/*/ [[ */ []", 1),
            ("\"[[", 0),
            ("]]]][", 1),
        ] {
            assert_eq!(nesting(text.as_bytes()), depth, "{text}");
        }
        assert!(super::parse_text(&"[".repeat(65)).unwrap_err().contains("64"));
        let allowed = ["[".repeat(64), "]".repeat(64)].concat();
        assert!(super::parse_text(&allowed).is_ok());
    }
}
