//! A backup every night: the units, and the work that they do.

use std::fs;
use std::process::Command;

use super::shared::stock::have;
use super::support::{PUBLIC, Test, program};

fn configured(more: &str) -> Test {
    let test = Test::installed();
    fs::create_dir(test.path("my drive 100%")).unwrap();
    test.write(
        ".config/ocbak/config.toml",
        format!("destination = \"~/my drive 100%\"\nrecipients = [\"{}\"]\n{more}", PUBLIC.trim()),
    )
    .mode("state", 0o700)
}

#[test]
fn the_work_of_a_night_makes_checks_and_prunes() {
    let test = configured("[keep]\nlast = 1\n");
    fs::rename(test.path("state"), test.path(".openclaw")).unwrap();
    let (test, document) = test.args(["schedule", "--print", "cron", "--json"]).json(0);
    assert_eq!(document["scheduler"], "cron");
    let job = document["command"].as_str().unwrap().to_owned();
    let night = |code| {
        let mut shell = Command::new("sh");
        let variables: Vec<_> = program(&test.path("."))
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.unwrap().to_owned()))
            .collect();
        let output = shell.env_clear().envs(variables).args(["-c", &job]).current_dir("/").output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_dir(test.path("my drive 100%")).map(Iterator::count).ok()
    };
    assert_eq!(night(0), Some(1));
    // Two nights are never in one second; here they may be.
    while jiff::Timestamp::now().as_second() <= newest(&test) {
        std::thread::yield_now();
    }
    assert_eq!(night(0), Some(1));
    // Something that is not stored is told, after the old one was removed.
    std::os::unix::fs::symlink("/etc/hostname", test.path(".openclaw/media")).unwrap();
    let old = newest(&test);
    while jiff::Timestamp::now().as_second() <= old {
        std::thread::yield_now();
    }
    assert_eq!(night(3), Some(1));
    assert!(newest(&test) > old);
    // Without the drive, nothing is made and nothing removed.
    fs::remove_dir_all(test.path("my drive 100%")).unwrap();
    assert_eq!(night(1), None);
}

fn newest(test: &Test) -> i64 {
    let files = fs::read_dir(test.path("my drive 100%")).unwrap();
    let time = |file: std::io::Result<fs::DirEntry>| {
        let time = file.unwrap().metadata().unwrap().modified().unwrap();
        jiff::Timestamp::try_from(time).unwrap().as_second()
    };
    files.map(time).max().unwrap()
}

#[test]
fn systemd_accepts_the_units() {
    let (test, stdout) = configured("[keep]\nlast = 7\n")
        .args(["schedule", "--print", "systemd", "--at", "4:05", "--profile", "work"])
        .run(0);
    let units = String::from_utf8(stdout).unwrap();
    assert!(units.contains("OnCalendar=*-*-* 04:05:00\n"), "{units}");
    assert!(units.contains(" --profile work"), "{units}");
    if !have(&["systemd-analyze"]) {
        return;
    }
    let mut files = Vec::new();
    for part in units.split("# ~/.config/systemd/user/").skip(1) {
        let (name, unit) = part.split_once('\n').unwrap();
        fs::write(test.path(name), unit).unwrap();
        files.push(test.path(name));
    }
    assert_eq!(files.len(), 2);
    let run = Command::new("systemd-analyze")
        .args(["--user", "verify"])
        .args(&files)
        .env("XDG_RUNTIME_DIR", test.path("."))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    let ours: Vec<_> = said.lines().filter(|line| line.contains("ocbak.")).collect();
    assert!(ours.is_empty(), "{said}");
}

#[test]
fn launchd_and_cron_get_what_they_read() {
    let (test, stdout) = configured("[keep]\nlast = 7\n").args(["schedule", "--print", "launchd"]).run(0);
    let units = String::from_utf8(stdout).unwrap();
    assert!(units.contains("0|3) "), "{units}");
    if have(&["python3"]) {
        fs::write(test.path("ocbak.plist"), &units).unwrap();
        let read = "import plistlib,sys; job = plistlib.load(open(sys.argv[1],'rb')); \
                    assert job['StartCalendarInterval'] == {'Hour': 3, 'Minute': 30}; print(job['ProgramArguments'][2])";
        let run = Command::new("python3").args(["-c", read]).arg(test.path("ocbak.plist")).output().unwrap();
        let command = String::from_utf8(run.stdout).unwrap();
        let (_, document) = test.args(["schedule", "--print", "launchd", "--json"]).json(0);
        assert_eq!(
            document["command"].as_str(),
            Some(command.trim_end()),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
    }
    configured("")
        .args(["schedule", "--print", "cron", "--at", "23:59", "--all-profiles"])
        .stdout_has("\n59 23 * * * /")
        .stdout_has(" create --verify --quiet --config-file /")
        .stdout_has("--all-profiles\n")
        .stderr_has("has no `[keep]`: nothing is removed")
        .ends_with(0);
}

#[test]
fn what_it_lacks_is_named() {
    Test::installed()
        .args(["schedule", "--print", "cron"])
        .stderr_has("error: a backup without a person needs `destination` in `")
        .ends_with(2)
        .write(".config/ocbak/config.toml", "destination = \"/media/usb\"\n")
        .args(["schedule", "--print", "cron"])
        .stderr_has("needs `recipients`, `passphrase-file` or `passphrase-command` in `")
        .ends_with(2)
        .args(["schedule", "--print", "cron", "--at", "25:00"])
        .stderr_has("a time of day is meant, such as 03:30")
        .ends_with(2);
}

#[test]
fn what_would_fail_every_night_fails_at_once() {
    for (more, said) in [
        ("level = 99\n", "config.toml`: invalid value '99' for '--level <N>'"),
        ("parity = 1000\n", "config.toml`: invalid value '1000' for '--parity <PERCENT>'"),
        ("exclude = [\"[\"]\n", "config.toml`: "),
        ("recipients-files = [\"/none/keys.txt\"]\n", "cannot open `/none/keys.txt`"),
        ("[keep]\nwithin = \"3 bananas\"\n", "config.toml`: `3 bananas` is no length of time"),
        ("[keep]\nlast = 0\n", "config.toml`: `[keep]` keeps nothing"),
        ("passphrase-file = \"/none/passphrase\"\n", "cannot open `/none/passphrase`"),
        ("passphrase-command = \"exit 7\"\n", "exit status: 7"),
    ] {
        let test = configured(more).args(["schedule", "--print", "cron"]).stdout("").stderr_has(said);
        test.ends_with(if said.starts_with("cannot") || said.starts_with("exit") { 1 } else { 2 });
    }
    let text = "destination = \"~/my drive 100%\"\nrecipients = [\"age1bogus\"]\n";
    configured("")
        .write(".config/ocbak/config.toml", text)
        .args(["schedule", "--print", "cron"])
        .stderr_has("config.toml`: `age1bogus")
        .ends_with(2);
}

#[test]
fn units_name_the_config_file_in_full() {
    let test = configured("");
    fs::rename(test.path(".config/ocbak/config.toml"), test.path("mine.toml")).unwrap();
    let full = format!(" --config-file {}", test.path("mine.toml").display());
    let (_, document) =
        test.args(["schedule", "--print", "cron", "--json", "--config-file", "mine.toml"]).json(0);
    assert!(document["command"].as_str().unwrap().contains(&full), "{document}");
}

#[test]
fn variables_that_no_scheduler_has_are_warned_of() {
    configured("")
        .variable("OPENCLAW_STATE_DIR", "/srv/claw")
        .args(["schedule", "--print", "cron"])
        .stderr_has(
            "warning: `OPENCLAW_STATE_DIR` is set here, and not where the scheduler starts the backup\n",
        )
        .ends_with(0);
}

#[test]
fn units_say_which_installation_is_meant() {
    let test = configured("").variable("OPENCLAW_STATE_DIR", "/srv/claw");
    let state = test.path(".").canonicalize().unwrap().join("state");
    let (test, document) = test
        .args(["schedule", "--print", "cron", "--json", "--state-dir", "state", "--config", "/a b.json"])
        .json(0);
    assert_eq!(document["warnings"].as_array().unwrap().len(), 0, "{document}");
    let said = format!(" --state-dir {} --config '/a b.json'", state.display());
    assert!(document["command"].as_str().unwrap().ends_with(&said), "{document}");
    test.args(["schedule", "--print", "cron", "--state-dir", "state", "--all-profiles"])
        .stderr_has("cannot be used with")
        .ends_with(2);
}
