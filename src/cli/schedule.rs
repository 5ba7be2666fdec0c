//! `ocbak schedule`: units for a backup every night.

use std::env;
use std::path::{Path, PathBuf};

use clap::{Args as Group, ValueEnum};
use serde_json::json;

use super::args::{Existing, in_full};
use super::config::{self, Config, Loaded};
use super::failure::{Exit, Failure, Unusable, Why};
use super::json;
use super::ui::{self, Output, Ui, shown};

/// Print what makes a backup every night, for the system's own scheduler; changes nothing.
///
/// Each night makes an archive, reads it back, and then removes old ones by the policy in the config file, where it has
/// one. The config file says where archives go and by what they are encrypted; nobody is there to be asked. Which
/// installation is said here, since a scheduler has no variables of yours. Exit code 3
/// of `create` is told as a failure, after the archive was made and old ones were removed.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// For which scheduler.
    #[arg(long, value_name = "SCHEDULER")]
    print: Scheduler,
    /// When, by this machine's clock.
    #[arg(long, value_name = "HH:MM", default_value = "03:30", value_parser = Time::parse)]
    at: Time,
    /// Back up every installation in the home directory.
    #[arg(long, conflicts_with_all = ["profile", "state_dir", "config"])]
    all_profiles: bool,
    #[command(flatten)]
    place: Existing,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scheduler {
    /// A service and a timer of the user.
    Systemd,
    /// An agent of macOS.
    Launchd,
    /// A line for `crontab -e`.
    Cron,
}

/// A time of day.
#[derive(Clone, Copy, Debug)]
struct Time {
    hour: u8,
    minute: u8,
}

impl Time {
    fn parse(text: &str) -> Result<Self, String> {
        let number = |digits: &str, end| {
            let digits = digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits)?;
            digits.parse().ok().filter(|number: &u8| *number < end)
        };
        let parsed = text.split_once(':').filter(|(_, minute)| minute.len() == 2);
        parsed
            .and_then(|(hour, minute)| Some(Self { hour: number(hour, 24)?, minute: number(minute, 60)? }))
            .ok_or_else(|| "a time of day is meant, such as 03:30".to_owned())
    }
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    // A scheduler starts it in another directory.
    let file = ui.config_file.as_deref().map(in_full).transpose()?;
    let loaded = Loaded::read(file.as_deref())?;
    if let Some(warning) = loaded.warning() {
        ui.warn(warning);
    }
    let missing = if loaded.config.destination.is_none() {
        Some("`destination`")
    } else if loaded.config.seals() {
        None
    } else {
        Some("`recipients`, `passphrase-file` or `passphrase-command`")
    };
    if let Some(what) = missing {
        return Err(Failure::Config(Unusable { path: loaded.path, why: Why::Lacks { what } }));
    }
    config::rehearse(&loaded, true, ui)?;
    if loaded.config.keep.is_empty() {
        ui.note(format_args!("`{}` has no `[keep]`: nothing is removed", shown(&loaded.path)));
    }
    let said = args.place.said()?;
    let unsaid = |name: &&str| !said.iter().any(|(_, variable, _)| variable == name);
    for name in ELSEWHERE
        .into_iter()
        .filter(unsaid)
        .filter(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
    {
        ui.warn(format_args!("`{name}` is set here, and not where the scheduler starts the backup"));
    }
    let program = env::current_exe().map_err(|source| Failure::File {
        action: "find",
        path: PathBuf::from("this program"),
        source,
    })?;
    let mut which = if args.all_profiles { " --all-profiles".to_owned() } else { String::new() };
    for (option, _, value) in &said {
        which = format!("{which} {option} {}", shell(value)?);
    }
    let job = job(&program, &loaded.path, &loaded.config, &which)?;
    let text = match args.print {
        Scheduler::Systemd => systemd(&job, args.at),
        Scheduler::Launchd => launchd(&job, args.at),
        Scheduler::Cron => cron(&job, args.at),
    };
    if ui.json {
        let mut document = json!({
            "scheduler": args.print.to_possible_value().map(|value| value.get_name().to_owned()),
            "config_file": json::path(&loaded.path),
            "command": job,
            "text": text,
        });
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    } else {
        let mut output = Output::new();
        output.bytes(text.as_bytes())?;
        output.finish()?;
    }
    Ok(Exit::Done)
}

/// The work of a night, for a shell.
fn job(program: &Path, config: &Path, of: &Config, which: &str) -> Result<String, Failure> {
    let program = shell(program)?;
    let config = shell(config)?;
    let create = format!("{program} create --verify --quiet --config-file {config}{which}");
    if of.keep.is_empty() {
        return Ok(create);
    }
    // An archive with code 3 is complete; what it lacks is told by the code at the end.
    Ok(format!(
        "{create}; code=$?; case $code in 0|3) {program} prune --yes --quiet --config-file {config} || code=$?;; \
         esac; exit $code"
    ))
}

/// Variables by which an installation is found.
const ELSEWHERE: [&str; 4] =
    ["OPENCLAW_HOME", "OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH", "OPENCLAW_PROFILE"];

fn systemd(job: &str, at: Time) -> String {
    let Time { hour, minute } = at;
    // In quotes, systemd knows backslashes, and `%` and `$` for its own.
    let job = job.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!(
        "# ~/.config/systemd/user/ocbak.service
[Unit]
Description=Backup of OpenClaw

[Service]
Type=oneshot
ExecStart=/bin/sh -c \"{job}\"
Nice=10
IOSchedulingClass=idle
UMask=0077

# ~/.config/systemd/user/ocbak.timer
[Unit]
Description=Backup of OpenClaw every night

[Timer]
OnCalendar=*-*-* {hour:02}:{minute:02}:00
Persistent=true

[Install]
WantedBy=timers.target

# Save both, each under its name, then: systemctl --user enable --now ocbak.timer
# To run while nobody is logged in: loginctl enable-linger
"
    )
}

fn launchd(job: &str, at: Time) -> String {
    let Time { hour, minute } = at;
    let text = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let job = text(job);
    let log = env::var("HOME").map(|home| text(&home)).map(|home| {
        format!("    <key>StandardErrorPath</key>\n    <string>{home}/Library/Logs/ocbak.log</string>\n")
    });
    let log = log.unwrap_or_default();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- Save as ~/Library/LaunchAgents/ocbak.plist, then: launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/ocbak.plist -->
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>ocbak</string>
    <key>ProgramArguments</key>
    <array>
        <string>/bin/sh</string>
        <string>-c</string>
        <string>{job}</string>
    </array>
    <key>StartCalendarInterval</key>
    <dict>
        <key>Hour</key>
        <integer>{hour}</integer>
        <key>Minute</key>
        <integer>{minute}</integer>
    </dict>
    <key>Umask</key>
    <integer>63</integer>
    <key>Nice</key>
    <integer>10</integer>
    <key>LowPriorityIO</key>
    <true/>
{log}</dict>
</plist>
"#
    )
}

fn cron(job: &str, at: Time) -> String {
    let Time { hour, minute } = at;
    // For cron, `%` is the end of the command.
    let job = job.replace('%', r"\%");
    format!(
        "# For `crontab -e`. What it says is mailed to you, where the machine can.\n{minute} {hour} * * * {job}\n"
    )
}

/// Quotes a word for a shell.
fn shell(word: &Path) -> Result<String, Failure> {
    let text = word.to_str().filter(|text| !text.contains(char::is_control));
    let text = text.ok_or_else(|| Failure::Unquotable { path: word.to_owned() })?;
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+,:@".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Time, cron, shell, systemd};

    #[test]
    fn words_are_quoted_for_the_shell_and_its_caller() {
        let quoted = |word: &str| shell(Path::new(word)).unwrap();
        assert_eq!(quoted("/usr/bin/ocbak"), "/usr/bin/ocbak");
        assert_eq!(quoted("/a b/100%"), "'/a b/100%'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert!(shell(Path::new("a\nb")).is_err());
        let at = Time { hour: 3, minute: 5 };
        let job = r#"'/100% "\$'; exit $code"#;
        assert!(cron(job, at).contains(r#"5 3 * * * '/100\% "\$'; exit $code"#));
        assert!(systemd(job, at).contains(r#"ExecStart=/bin/sh -c "'/100%% \"\\$$'; exit $$code""#));
    }

    #[test]
    fn times_of_day() {
        for good in ["03:30", "3:30", "23:59", "00:00"] {
            Time::parse(good).unwrap();
        }
        for bad in ["", "3", "24:00", "12:60", "12:3", "-1:00", "+1:00", "12:300"] {
            Time::parse(bad).unwrap_err();
        }
    }
}
