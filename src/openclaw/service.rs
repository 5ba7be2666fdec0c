//! The services by which a user's system starts the gateway: units of systemd, agents of launchd.
//!
//! OpenClaw: one for each profile, with its variables written into it, absolute paths among them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::openclaw::variables::assignments;

/// A service that starts a gateway.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// The file that defines it.
    pub(crate) file: PathBuf,
    /// The variables that it sets.
    pub(crate) variables: BTreeMap<String, String>,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
}

impl Service {
    /// The services of a profile in a home.
    pub(crate) fn of(home: &Path, profile: Option<&str>) -> Vec<Self> {
        let unit = match profile {
            Some(profile) => format!(".config/systemd/user/openclaw-gateway-{profile}.service"),
            None => ".config/systemd/user/openclaw-gateway.service".to_owned(),
        };
        let agent = format!("Library/LaunchAgents/ai.openclaw.{}.plist", profile.unwrap_or("gateway"));
        let systemd = read(&home.join(unit)).map(|(file, text)| Self::unit(file, text, home));
        let launchd = read(&home.join(agent)).map(|(file, text)| Self::agent(file, &text));
        systemd.into_iter().chain(launchd).collect()
    }

    fn unit(file: PathBuf, mut text: String, home: &Path) -> Self {
        // What users add themselves stands in a directory beside it, and comes after it.
        let mut directory = file.clone().into_os_string();
        directory.push(".d");
        let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut more: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|extension| extension == "conf")).collect();
        more.sort();
        for (_, added) in more.iter().filter_map(|path| read(path)) {
            text.push('\n');
            text.push_str(&added);
        }
        let mut service = Self { file, ..Self::default() };
        for line in text.replace("\\\n", " ").lines() {
            let Some((key, value)) = line.trim().split_once('=') else { continue };
            let value = value.trim();
            match key.trim() {
                "Environment" if value.is_empty() => service.variables.clear(),
                "Environment" => {
                    let words = words(value, home);
                    let pairs = words.iter().filter_map(|word| word.split_once('='));
                    service.variables.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
                }
                "EnvironmentFile" => {
                    let name = expand(value.trim_start_matches('-'), home);
                    // Systemd: what stands in the file wins over what stands in the unit.
                    service.variables.extend(assignments(Path::new(&name)));
                }
                // The characters before a program's name change how it is started.
                "ExecStart" => {
                    service.command = words(value.trim_start_matches(['-', '@', ':', '+', '!']), home);
                }
                _ => {}
            }
        }
        service
    }

    /// A property list as OpenClaw writes it: one key or value a line.
    fn agent(file: PathBuf, text: &str) -> Self {
        let mut service = Self { file, ..Self::default() };
        let mut key = "";
        let mut arguments = false;
        for line in text.lines().map(str::trim) {
            if let Some(name) = between(line, "<key>", "</key>") {
                arguments = name == "ProgramArguments";
                key = name;
            } else if let Some(value) = between(line, "<string>", "</string>").map(unescape) {
                if arguments {
                    service.command.push(value);
                } else {
                    service.variables.insert(key.to_owned(), value);
                }
            }
        }
        // OpenClaw: a wrapper may read the variables from a file.
        let files = service.command.iter().map(Path::new);
        for file in files.filter(|path| path.extension().is_some_and(|extension| extension == "env")) {
            service.variables.extend(assignments(file));
        }
        service
    }

    /// The profile that the command names.
    pub(crate) fn profile(&self) -> Option<&str> {
        let mut arguments = self.command.iter();
        arguments.find_map(|argument| argument.strip_prefix("--profile=")).or_else(|| {
            let at = self.command.iter().position(|argument| argument == "--profile")?;
            self.command.get(at.checked_add(1)?).map(String::as_str)
        })
    }

    /// Files of the command that are not there.
    pub(crate) fn missing(&self) -> Vec<&Path> {
        // Behind the first option stand settings.
        let files = self.command.iter().take_while(|argument| !argument.starts_with('-')).map(Path::new);
        files.filter(|path| path.is_absolute() && !path.exists()).collect()
    }
}

fn read(file: &Path) -> Option<(PathBuf, String)> {
    // A FIFO would block.
    let small = fs::metadata(file).is_ok_and(|facts| facts.is_file() && facts.len() <= MAX_SIZE);
    Some((file.to_owned(), small.then(|| fs::read_to_string(file).ok())??))
}

/// Systemd: words with white space between, in quotes or not, with escapes.
fn words(text: &str, home: &Path) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut quote, mut inside) = (None, false);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('"' | '\'', None) => quote = Some(character),
            (_, Some(open)) if character == open => quote = None,
            (_, None) if character.is_whitespace() => {
                inside = false;
                continue;
            }
            _ => {
                let literal = if character == '\\' { characters.next() } else { Some(character) };
                if !inside {
                    words.push(String::new());
                }
                if let Some(word) = words.last_mut() {
                    word.extend(literal);
                }
            }
        }
        if !inside && quote.is_some() {
            words.push(String::new());
        }
        inside = true;
    }
    words.iter().map(|word| expand(word, home)).collect()
}

/// Systemd: `%h` is the home directory, and `%%` a percent sign.
fn expand(text: &str, home: &Path) -> String {
    let parts = text.split("%%").map(|part| part.replace("%h", &home.to_string_lossy()));
    parts.collect::<Vec<_>>().join("%")
}

fn between<'a>(line: &'a str, before: &str, after: &str) -> Option<&'a str> {
    line.strip_prefix(before)?.strip_suffix(after)
}

fn unescape(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.into_iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

/// Larger ones are something else.
const MAX_SIZE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Service, words};

    fn one(name: &str, text: &str, profile: Option<&str>) -> Service {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        let mut found = Service::of(home.path(), profile);
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    #[test]
    fn a_unit_tells_its_variables_and_its_command() {
        let unit = "[Service]\nExecStart=\"/opt/my node/bin/node\" /opt/openclaw/dist/index.js gateway \\\n\
                    --port 18789\nEnvironmentFile=-/nowhere.env\nEnvironment=HOME=/home/al\n\
                    Environment=\"OPENCLAW_STATE_DIR=/data/two words\" A=100%%\nEnvironment=B=%h/x\n";
        let service = one(".config/systemd/user/openclaw-gateway.service", unit, None);
        let command = ["/opt/my node/bin/node", "/opt/openclaw/dist/index.js", "gateway", "--port", "18789"];
        assert_eq!(service.command, command);
        assert_eq!(service.variables["HOME"], "/home/al");
        assert_eq!(service.variables["OPENCLAW_STATE_DIR"], "/data/two words");
        assert_eq!(service.variables["A"], "100%");
        assert!(service.variables["B"].ends_with("/x") && service.variables["B"].starts_with('/'));
        assert_eq!(service.missing(), command[..2].iter().map(Path::new).collect::<Vec<_>>());
        assert_eq!(service.profile(), None);
    }

    #[test]
    fn the_unit_of_a_profile_and_what_the_user_adds_to_it() {
        let home = tempfile::tempdir().unwrap();
        let units = home.path().join(".config/systemd/user");
        let unit = "openclaw-gateway-work.service";
        fs::create_dir_all(units.join(format!("{unit}.d"))).unwrap();
        fs::write(units.join(unit), "ExecStart=-/bin/sh --profile work\nEnvironment=A=1 B=1\n").unwrap();
        fs::write(units.join(format!("{unit}.d/a.conf")), "Environment=\nEnvironment=A=2\n").unwrap();
        assert!(Service::of(home.path(), None).is_empty());
        let services = Service::of(home.path(), Some("work"));
        assert_eq!(services[0].variables.iter().collect::<Vec<_>>(), [(&"A".to_owned(), &"2".to_owned())]);
        assert_eq!(services[0].profile(), Some("work"));
        assert!(services[0].missing().is_empty());
    }

    #[test]
    fn an_agent_of_launchd_tells_the_same() {
        let list = "<dict>\n<key>Label</key>\n<string>ai.openclaw.gateway</string>\n<key>ProgramArguments</key>\n\
                    <array>\n<string>/nowhere/node</string>\n<string>gateway</string>\n</array>\n\
                    <key>EnvironmentVariables</key>\n    <dict>\n    <key>HOME</key>\n    \
                    <string>/Users/a&amp;b</string>\n</dict>\n";
        let service = one("Library/LaunchAgents/ai.openclaw.gateway.plist", list, None);
        assert_eq!(service.variables["HOME"], "/Users/a&b");
        assert_eq!(service.command, ["/nowhere/node", "gateway"]);
        assert_eq!(service.missing(), [Path::new("/nowhere/node")]);
    }

    #[test]
    fn words_are_those_of_systemd() {
        let home = Path::new("/h");
        assert_eq!(words(r#"a "b c" 'd"e' f\ g "" A="x y""#, home), ["a", "b c", "d\"e", "f g", "", "A=x y"]);
        assert!(words("  ", home).is_empty());
    }
}
