//! Reads from OpenClaw's configuration what decides where things lie.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::openclaw::include::Document;
use crate::openclaw::variables::Variables;

/// The parts of a configuration that matter here.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// Release that wrote the file last.
    pub(crate) version: Option<String>,
    /// The gateway runs on another machine: `gateway.mode` is `remote`.
    pub(crate) remote: bool,
    /// `agents.defaults.workspace`.
    pub(crate) default_workspace: Option<String>,
    /// Agents; none where the implicit `main` is the only one.
    pub(crate) agents: Vec<Agent>,
    /// Position in `agents` of the default agent.
    pub(crate) default_agent: usize,
    /// OpenClaw: none of several agents is the default one for its data.
    pub(crate) explicit: bool,
    /// `cron.store`, which old releases had.
    pub(crate) cron_store: Option<String>,
    /// Accounts of WhatsApp that are in use, with the directory of the login where one is named.
    pub(crate) whatsapp: Vec<(String, Option<String>)>,
    /// Every text that is an absolute path, behind the name of its setting.
    pub(crate) paths: Vec<(String, String)>,
    /// Files that are included.
    pub(crate) includes: Vec<PathBuf>,
    /// What does not hold, one line each.
    pub(crate) problems: Vec<String>,
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
    /// Reads the file with all that it includes; the error is a line for a person.
    pub(crate) fn read(path: &Path, variables: &Variables<'_>) -> Result<Self, String> {
        let Document { value, files, problems } = Document::read(path, &variables.include_roots())?;
        let mut config = Self::parse(value, variables);
        config.problems.splice(0..0, problems);
        config.includes = files;
        Ok(config)
    }

    fn parse(mut root: Value, variables: &Variables<'_>) -> Self {
        let mut missing = BTreeSet::new();
        let mut paths = Vec::new();
        fill_in(&mut root, &mut String::new(), variables, &mut missing, &mut paths);
        let mut config = Self {
            version: string(&root["meta"]["lastTouchedVersion"]),
            remote: string(&root["gateway"]["mode"]).as_deref() == Some("remote"),
            default_workspace: string(&root["agents"]["defaults"]["workspace"]),
            cron_store: string(&root["cron"]["store"]),
            whatsapp: whatsapp(&root["channels"]["whatsapp"]),
            paths,
            ..Self::default()
        };
        config.agents = agents(&root["agents"]);
        config.default_agent = default_agent(&root["agents"], &config.agents);
        config.explicit = root["agents"]["ownership"] == "explicit" && config.agents.len() > 1;
        let used = config.agents.iter().flat_map(|agent| [&agent.workspace, &agent.directory]);
        for path in used.chain([&config.default_workspace]).flatten() {
            // A key that is not set is no business of a backup; a place is.
            if let Some(name) = missing.iter().find(|name| path.contains(&format!("${{{name}}}"))) {
                config.problems.push(format!("the configured path `{path}` needs the variable `{name}`"));
            }
        }
        config
    }
}

/// Puts the variables into all texts, and collects those that are paths.
fn fill_in(
    value: &mut Value,
    key: &mut String,
    variables: &Variables<'_>,
    missing: &mut BTreeSet<String>,
    paths: &mut Vec<(String, String)>,
) {
    match value {
        Value::String(text) => {
            *text = variables.fill_in(text, missing);
            if text.starts_with('/') {
                paths.push((key.clone(), text.clone()));
            }
        }
        Value::Array(items) => {
            for item in items {
                fill_in(item, key, variables, missing, paths);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let length = key.len();
                if length > 0 {
                    key.push('.');
                }
                key.push_str(name);
                fill_in(member, key, variables, missing, paths);
                key.truncate(length);
            }
        }
        _ => {}
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

/// OpenClaw: without accounts there is the one called `default`.
fn whatsapp(channel: &Value) -> Vec<(String, Option<String>)> {
    let is_used = |settings: &Value| settings.is_object() && settings["enabled"] != false;
    if !is_used(channel) {
        return Vec::new();
    }
    match channel["accounts"].as_object() {
        Some(accounts) if !accounts.is_empty() => {
            let used = accounts.iter().filter(|(_, settings)| is_used(settings));
            used.map(|(id, settings)| (id.clone(), string(&settings["authDir"]))).collect()
        }
        _ => vec![("default".to_owned(), string(&channel["authDir"]))],
    }
}

fn string(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::Config;
    use crate::openclaw::Environment;
    use crate::openclaw::include::parse_text;
    use crate::openclaw::variables::Variables;

    fn parse(text: &str) -> Config {
        let environment = Environment::empty().with("PLACE", "/srv/a");
        let variables = Variables::new(&environment, "/h".as_ref(), "/none".as_ref());
        Config::parse(parse_text(text).unwrap(), &variables)
    }

    #[test]
    fn both_forms_of_agents_are_read() {
        let new = parse(
            "{ // comment\n agents: { defaults: { workspace: '~/ws' }, entries: {\
             a: { agentDir: '/x' }, Main: { workspace: '/m', }, }, }, meta: { lastTouchedVersion: '2026.9.6' } }",
        );
        assert_eq!(new.version.as_deref(), Some("2026.9.6"));
        assert_eq!(new.default_workspace.as_deref(), Some("~/ws"));
        let ids: Vec<_> = new.agents.iter().map(|agent| agent.id.as_str()).collect();
        assert_eq!(ids, ["main", "a"]);
        assert_eq!(new.agents[1].directory.as_deref(), Some("/x"));
        assert!(!new.remote);
        assert!(parse("{gateway:{mode:'remote',remote:{url:'wss://gw.example'}}}").remote);
        let legacy = parse("{agents:{list:[{id:'z'},{id:'b',default:true,workspace:' '},{}]}}");
        assert_eq!(legacy.agents.len(), 2);
        assert_eq!(legacy.default_agent, 1);
        assert_eq!(legacy.agents[1].workspace, None);
    }

    #[test]
    fn accounts_of_whatsapp_are_those_in_use() {
        let accounts = |text: &str| parse(&format!("{{channels:{text}}}")).whatsapp;
        let plain = |id: &str| (id.to_owned(), None);
        assert_eq!(accounts("{telegram:{}}"), []);
        assert_eq!(accounts("{whatsapp:{enabled:false}}"), []);
        assert_eq!(accounts("{whatsapp:{dmPolicy:'open'}}"), [plain("default")]);
        let several = "{whatsapp:{accounts:{a:{},b:{enabled:false},c:{authDir:'~/c'}}}}";
        assert_eq!(accounts(several), [plain("a"), ("c".to_owned(), Some("~/c".to_owned()))]);
    }

    #[test]
    fn values_of_another_type_are_as_good_as_none() {
        for text in ["[]", "3", "{agents:[]}", "{agents:{entries:[1],list:{}}}"] {
            assert!(parse(text).agents.is_empty(), "{text}");
        }
    }

    #[test]
    fn variables_stand_in_paths() {
        let config = parse("{agents:{defaults:{workspace:'${PLACE}/ws'}},x:[{y:'${NONE}'}],z:'$${PLACE}'}");
        assert_eq!(config.default_workspace.as_deref(), Some("/srv/a/ws"));
        assert_eq!(config.paths, [("agents.defaults.workspace".to_owned(), "/srv/a/ws".to_owned())]);
        assert_eq!(config.problems, [""; 0]);
        let config = parse("{agents:{entries:{a:{workspace:'${NONE}/ws'}}}}");
        assert_eq!(config.problems, ["the configured path `${NONE}/ws` needs the variable `NONE`"]);
    }
}
