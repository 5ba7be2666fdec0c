//! Rewrites the paths in a configuration file, comments and formatting kept.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::openclaw::include::{MAX_NESTING, nesting};
use crate::openclaw::relocate::{Relocation, strings};

/// A configuration file, or one that it includes.
pub(crate) struct Text<'a> {
    text: &'a str,
    value: Value,
}

impl<'a> Text<'a> {
    /// Reads the content of a file; the error says what keeps it from being one.
    pub(crate) fn parse(content: &'a [u8]) -> Result<Self, String> {
        let text = str::from_utf8(content).map_err(|_| "is not UTF-8".to_owned())?;
        // The parser recurses without limit.
        if nesting(content) > MAX_NESTING {
            return Err(format!("is nested deeper than {MAX_NESTING} levels"));
        }
        // JavaScript reads a byte order mark as white space; the crate does not.
        let value = json5::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| format!("does not parse: {error}"))?;
        Ok(Self { text, value })
    }

    /// Returns the text with every path that moves replaced, and how many were.
    pub(crate) fn relocated(&self, relocation: &Relocation) -> (String, u64) {
        strings::rewrite(self.text, |value| relocation.text(value))
    }

    /// The files that this one includes, `file` being its own place.
    ///
    /// OpenClaw: `$include` is a name or a list of names, at any depth, relative to the file.
    pub(crate) fn includes(&self, file: &Path) -> Vec<PathBuf> {
        let mut names = Vec::new();
        collect(&self.value, &mut names);
        let directory = file.parent().unwrap_or(file);
        names.into_iter().map(|name| directory.join(name).components().collect()).collect()
    }

    /// Every absolute path that the configuration has for agents.
    pub(crate) fn agent_paths(&self) -> Vec<PathBuf> {
        let agents = &self.value["agents"];
        let entries = agents["entries"].as_object().into_iter().flatten().map(|(_, entry)| entry);
        let list = agents["list"].as_array().into_iter().flatten();
        entries
            .chain(list)
            .flat_map(|entry| [&entry["agentDir"], &entry["workspace"]])
            .chain([&agents["defaults"]["workspace"]])
            .filter_map(|path| path.as_str().map(PathBuf::from))
            .filter(|path| path.is_absolute())
            .collect()
    }
}

fn collect<'a>(value: &'a Value, names: &mut Vec<&'a str>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(name) if key == "$include" => names.push(name),
                    Value::Array(list) if key == "$include" => {
                        names.extend(list.iter().filter_map(Value::as_str));
                    }
                    value => collect(value, names),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Relocation, Text};

    const CONFIG: &str = "// Ours. Stays.
{
  agents: { defaults: { workspace: '/home/al/ws' }, /* /home/al */
    entries: { a: { agentDir: \"/home/al/.openclaw/agents/a/agent\", workspace: '~/a' } } },
  tools: { '/home/al/bin': 'run /home/al/x', note: '/home/alice' },
  channels: { $include: ['./inc/a.json5', '/etc/b.json5'] }, more: [{ $include: '../c.json' }],
}
";

    #[test]
    fn comments_and_formatting_stay() {
        let mut relocation = Relocation::default();
        relocation.add("/home/al".as_ref(), "/Users/bo".as_ref(), "/Users/bo".as_ref());
        let (text, count) = Text::parse(CONFIG.as_bytes()).unwrap().relocated(&relocation);
        assert_eq!(count, 3);
        let expected = CONFIG
            .replace("'/home/al/ws'", "'/Users/bo/ws'")
            .replace("\"/home/al/", "\"/Users/bo/")
            .replace("'/home/al/bin'", "'/Users/bo/bin'");
        assert_eq!(text, expected);
    }

    #[test]
    fn included_files_and_agents_paths_are_found() {
        let text = Text::parse(CONFIG.as_bytes()).unwrap();
        let mut includes = text.includes(Path::new("/s/.openclaw/openclaw.json"));
        includes.sort();
        let expected = ["/etc/b.json5", "/s/.openclaw/../c.json", "/s/.openclaw/inc/a.json5"];
        assert_eq!(includes, expected.map(PathBuf::from));
        assert_eq!(text.agent_paths().len(), 2);
    }

    #[test]
    fn what_is_no_configuration_is_said() {
        for (content, what) in
            [(&b"\xff"[..], "is not UTF-8"), (b"{ a: ", "does not parse"), (&[b'['; 99], "is nested")]
        {
            assert!(Text::parse(content).err().unwrap().starts_with(what));
        }
    }
}
