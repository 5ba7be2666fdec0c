//! Reads from OpenClaw's configuration what decides where things lie.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

/// The parts of a configuration that matter here.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// Release that wrote the file last.
    pub(crate) version: Option<String>,
    /// `agents.defaults.workspace`.
    pub(crate) default_workspace: Option<String>,
    /// Agents; none where the implicit `main` is the only one.
    pub(crate) agents: Vec<Agent>,
    /// Position in `agents` of the default agent.
    pub(crate) default_agent: usize,
}

/// An agent's entry.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) workspace: Option<String>,
    pub(crate) directory: Option<String>,
    /// Stands in `agents.list`, as releases up to 2026.7 wrote it.
    pub(crate) legacy: bool,
}

impl Config {
    /// Reads the file; the error is a line for a person.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let describe = |what: &str| format!("configuration `{}` {what}", path.display());
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut bytes))
            .map_err(|error| describe(&format!("cannot be read: {error}")))?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(describe("is larger than 16 MiB and was not looked at"));
        }
        // JavaScript reads a byte order mark as white space; the crate does not.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let text = str::from_utf8(text).map_err(|_| describe("is not UTF-8"))?;
        Self::parse(text).map_err(|problem| describe(&problem))
    }

    fn parse(text: &str) -> Result<Self, String> {
        // The crate recurses without limit and would overflow the stack.
        if nesting(text.as_bytes()) > MAX_NESTING {
            return Err(format!("is nested deeper than {MAX_NESTING} levels"));
        }
        let root: Value = json5::from_str(text).map_err(|error| format!("does not parse: {error}"))?;
        let agents = agents(&root["agents"]);
        Ok(Self {
            version: string(&root["meta"]["lastTouchedVersion"]),
            default_workspace: string(&root["agents"]["defaults"]["workspace"]),
            default_agent: default_agent(&root["agents"], &agents),
            agents,
        })
    }
}

/// OpenClaw: `entries` is an object by id; `list`, the older form, an array.
fn agents(agents: &Value) -> Vec<Agent> {
    let entries = agents["entries"].as_object().into_iter().flatten();
    let entries = entries.map(|(id, entry)| (id.as_str(), entry, false));
    let list = agents["list"].as_array().into_iter().flatten();
    let list = list.filter_map(|entry| Some((entry["id"].as_str()?, entry, true)));
    let mut found: Vec<Agent> = Vec::new();
    for (id, entry, legacy) in entries.chain(list) {
        let id = super::agent_id(id);
        if found.iter().all(|other| other.id != id) {
            found.push(Agent {
                id,
                workspace: string(&entry["workspace"]),
                directory: string(&entry["agentDir"]),
                legacy,
            });
        }
    }
    found
}

/// OpenClaw: the agent marked so, else the system agent, else `main`, else the first.
fn default_agent(settings: &Value, agents: &[Agent]) -> usize {
    let marked = |entry: &Value| entry["default"] == true;
    let entries = settings["entries"].as_object().into_iter().flatten();
    let list = settings["list"].as_array().into_iter().flatten();
    let marked = entries
        .filter(|(_, entry)| marked(entry))
        .map(|(id, _)| id.as_str())
        .chain(list.filter(|entry| marked(entry)).filter_map(|entry| entry["id"].as_str()))
        .next();
    let system = settings["defaults"]["systemAgent"]["agentId"].as_str();
    let legacy_order = agents.first().is_some_and(|agent| agent.legacy);
    let main = (!legacy_order).then_some("main");
    [marked, system, main]
        .into_iter()
        .flatten()
        .map(super::agent_id)
        .find_map(|id| agents.iter().position(|agent| agent.id == id))
        .unwrap_or(0)
}

fn string(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
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

pub(crate) const MAX_SIZE: u64 = 16 << 20;
pub(crate) const MAX_NESTING: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Config, nesting};

    #[test]
    fn both_forms_of_agents_are_read() {
        let new = Config::parse(
            "{ // comment\n agents: { defaults: { workspace: '~/ws' }, entries: {\
             a: { agentDir: '/x' }, Main: { workspace: '/m', }, }, }, meta: { lastTouchedVersion: '2026.9.6' } }",
        )
        .unwrap();
        assert_eq!(new.version.as_deref(), Some("2026.9.6"));
        assert_eq!(new.default_workspace.as_deref(), Some("~/ws"));
        let ids: Vec<_> = new.agents.iter().map(|agent| agent.id.as_str()).collect();
        assert_eq!(ids, ["main", "a"]);
        assert_eq!(new.agents[1].directory.as_deref(), Some("/x"));
        let legacy =
            Config::parse("{agents:{list:[{id:'z'},{id:'b',default:true,workspace:' '},{}]}}").unwrap();
        assert_eq!(legacy.agents.len(), 2);
        assert_eq!(legacy.default_agent, 1);
        assert_eq!(legacy.agents[1].workspace, None);
    }

    #[test]
    fn values_of_another_type_are_as_good_as_none() {
        for text in ["[]", "3", "{agents:[]}", "{agents:{entries:[1],list:{}}}"] {
            assert!(Config::parse(text).unwrap().agents.is_empty(), "{text}");
        }
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
        assert!(Config::parse(&"[".repeat(65)).unwrap_err().contains("64"));
        let allowed = ["[".repeat(64), "]".repeat(64)].concat();
        assert!(Config::parse(&allowed).is_ok());
    }
}
