//! How `openclaw` and `ocbak` are called for one installation, as a shell takes it.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use ocbak::{Installation, is_hazard};

/// The beginnings of commands.
#[derive(Debug)]
pub(super) struct Commands {
    openclaw: String,
    place: String,
    /// The configuration, for commands that look at an installation as it stands.
    config: String,
}

impl Commands {
    pub(super) fn new(installation: &Installation) -> Self {
        let own = std::env::var_os("HOME").is_some_and(|home| Path::new(&home) == installation.home);
        Self::as_seen(installation, own, other_owner(&installation.home))
    }

    /// `own` home or not, and the number of the user that it belongs to where that is another one.
    fn as_seen(installation: &Installation, own: bool, owner: Option<u32>) -> Self {
        let home = quote(&installation.home);
        let state_dir = quote(&installation.state_dir);
        let profile = installation.profile.as_deref().filter(|profile| {
            installation.state_dir == installation.home.join(format!(".openclaw-{profile}"))
        });
        let is_default = installation.state_dir == installation.home.join(".openclaw");
        let (mut place, mut own_config) = (format!("--home {home}"), String::new());
        let mut variables = String::new();
        let mut option = String::new();
        if let Some(profile) = profile {
            option = format!(" --profile {profile}");
            place.push_str(&option);
        } else if !is_default {
            place.push_str(&format!(" --state-dir {state_dir}"));
            variables.push_str(&format!("OPENCLAW_STATE_DIR={state_dir} "));
        }
        if let Some(config) =
            installation.config.as_ref().filter(|config| !config.starts_with(&installation.state_dir))
        {
            let config = quote(config);
            own_config = format!(" --config {config}");
            variables.push_str(&format!("OPENCLAW_CONFIG_PATH={config} "));
        }
        if !own {
            variables.insert_str(0, &format!("HOME={home} "));
        }
        // What root started would leave files of root behind.
        if let Some(owner) = owner {
            variables.insert_str(0, &format!("sudo -u '#{owner}' env "));
        }
        Self { openclaw: format!("{variables}openclaw{option}"), place, config: own_config }
    }

    /// `openclaw` with arguments.
    pub(super) fn openclaw(&self, arguments: &str) -> String {
        format!("{} {arguments}", self.openclaw)
    }

    /// `ocbak create` of this installation.
    pub(super) fn create(&self, arguments: &str) -> String {
        format!("ocbak create {}{} {arguments}", self.place, self.config)
    }

    /// `ocbak restore` to this installation; where the configuration goes, the archive says.
    pub(super) fn restore(&self, arguments: &str) -> String {
        format!("ocbak restore {} {arguments}", self.place)
    }

    /// `ocbak undo` in this installation.
    pub(super) fn undo(&self) -> String {
        format!("ocbak undo {}", self.place)
    }
}

/// Whom a home belongs to, where root looks at that of somebody else.
pub(super) fn other_owner(home: &Path) -> Option<u32> {
    let owner = fs::metadata(home).ok().filter(|_| geteuid().is_root())?.uid();
    (owner != 0).then_some(owner)
}

/// A path as a word of a shell; of what a terminal obeys, as the shells of our days write it: `$'\x1b'`.
pub(super) fn quote(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+=,:@%".contains(byte);
    match str::from_utf8(bytes) {
        Ok(text) if !bytes.is_empty() && bytes.iter().all(plain) => text.to_owned(),
        Ok(text) if !text.contains(is_hazard) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let safe = |byte: &u8| byte.is_ascii_graphic() && !b"'\\".contains(byte) || *byte == b' ';
            let word =
                |byte: &u8| if safe(byte) { char::from(*byte).to_string() } else { format!("\\x{byte:02x}") };
            format!("$'{}'", bytes.iter().map(word).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use ocbak::{Environment, Installation, Search};

    use super::{Commands, quote};

    fn commands(state_dir: &str, config: Option<&str>, own: bool, owner: Option<u32>) -> [String; 3] {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().to_str().unwrap().to_owned();
        fs::create_dir(directory.path().join(state_dir)).unwrap();
        let config = config.map(|name| directory.path().join(name));
        if let Some(config) = &config {
            fs::write(config, "{}").unwrap();
        }
        let search = Search {
            home: Some(directory.path().into()),
            state_dir: Some(directory.path().join(state_dir)),
            config,
            ..Search::default()
        };
        let installation = Installation::locate(&search, &Environment::empty()).unwrap();
        let commands = Commands::as_seen(&installation, own, owner);
        let texts = [commands.openclaw("status"), commands.create("-o x"), commands.restore("x")];
        texts.map(|text| text.replace(&home, "/h"))
    }

    #[test]
    fn each_place_has_its_options() {
        let usual = commands(".openclaw", None, true, None);
        assert_eq!(usual, ["openclaw status", "ocbak create --home /h -o x", "ocbak restore --home /h x"]);
        let profile = commands(".openclaw-work", None, false, None);
        assert_eq!(profile[0], "HOME=/h openclaw --profile work status");
        assert_eq!(profile[1], "ocbak create --home /h --profile work -o x");
        let odd = commands("my state", None, true, Some(1000));
        assert_eq!(odd[0], "sudo -u '#1000' env OPENCLAW_STATE_DIR='/h/my state' openclaw status");
        assert_eq!(odd[1], "ocbak create --home /h --state-dir '/h/my state' -o x");
    }

    #[test]
    fn a_configuration_elsewhere_is_named_to_those_that_take_it() {
        let own = commands(".openclaw", Some("x.json"), true, None);
        assert_eq!(own[0], "OPENCLAW_CONFIG_PATH=/h/x.json openclaw status");
        assert_eq!(own[1], "ocbak create --home /h --config /h/x.json -o x");
        assert_eq!(own[2], "ocbak restore --home /h x");
    }

    #[test]
    fn words_of_a_shell_are_quoted_where_they_must_be() {
        for (path, word) in
            [("/a/b-c_1", "/a/b-c_1"), ("/a b", "'/a b'"), ("/it's", "'/it'\\''s'"), ("", "''")]
        {
            assert_eq!(quote(Path::new(path)), word);
        }
        let odd: [(&[u8], &str); 2] =
            [("/it's\\\u{202e}\n".as_bytes(), r"$'/it\x27s\x5c\xe2\x80\xae\x0a'"), (b"/a\xff", r"$'/a\xff'")];
        for (path, word) in odd {
            assert_eq!(quote(Path::new(OsStr::from_bytes(path))), word);
            let line = format!("printf %s {word}");
            let output = std::process::Command::new("bash").args(["-c", &line]).output().unwrap();
            assert_eq!(output.stdout, path);
        }
    }
}
