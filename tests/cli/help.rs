//! What `--help` says.

use super::support::Test;

#[test]
fn the_program_names_its_commands_and_exit_codes() {
    let mut test = Test::new().args(["--help"]);
    for part in [
        "Usage: ocbak [OPTIONS] <COMMAND>",
        "  create       Make an encrypted archive",
        "  info         Show what an archive says about itself; needs no key",
        "  list         List what is in an archive, or the archives of a directory",
        "  verify       Check that an archive, or every archive of a directory, is whole",
        "  repair       Make a damaged archive whole again; needs no key",
        "  restore      Put back what an archive holds",
        "  undo         Take the last restore in place back",
        "  keygen       Make a key pair",
        "  passwd       Change, add or remove the passphrase of an archive, in place",
        "  rekey        Encrypt what an archive holds anew, under other keys",
        "  prune        Remove old archives from a directory",
        "  where        Show which OpenClaw installation is found",
        "  check        Look over an installation",
        "  diff         Show what differs between an archive and the installation, or another archive",
        "  extract      Take single files or directories out of an archive",
        "  export       Write what an archive holds as a plain, unencrypted tar",
        "  import       Turn a backup of `openclaw backup create`",
        "  config       Show the options that stand in the config file",
        "  schedule     Print what makes a backup every night",
        "  completions  Print a shell's completions",
        "  man          Print the manual page",
        "  help         Show the help of a command",
        "Exit codes: 0 done; 1 failed; 2 wrong usage; 3 done, but",
        "130 interrupted",
    ] {
        test = test.stdout_has(part);
    }
    test.success();
}

#[test]
fn commands_name_units_and_defaults() {
    for (command, parts) in [
        (
            "create",
            &[
                "openclaw-<profile>-<UTC time>.ocbak",
                "from 1 (fast) to 19 (small)",
                "[default: 3]",
                "[default: /var/tmp]",
                "--passphrase-file <FILE>",
                "--passphrase-command <COMMAND>",
                "--recipients-file <FILE>",
                "--no-workspace",
                "--only-config",
                "--all-profiles",
                "--verify",
                "--split <SIZE>",
                "--parity <PERCENT>",
                "[default: 2]",
            ][..],
        ),
        ("info", &["needs no key", "--json"]),
        ("list", &["--tree", "--bytes", "--utc", "holds secrets", "--skipped", "--payload <ROLE>"]),
        ("config", &["~/.config/ocbak/config.toml", "`destination`", "the command line wins"]),
        (
            "schedule",
            &["--print <SCHEDULER>", "systemd", "--at <HH:MM>", "[default: 03:30]", "changes nothing"],
        ),
        ("completions", &["<SHELL>", "bash", "fpath"]),
        ("man", &["--output <DIR>", "man -l -"]),
        ("help", &["exit-codes", "[TOPIC]"]),
        ("verify", &["--quick", "--max-work-factor <N>", "[default: 20]", "given once for all", "--utc"]),
        ("repair", &["-o, --output <NEW>", "needs no key", "beyond repair stays as it is"]),
        ("restore", &["--to <DIR>", "--only <ROLE>", "--path <GLOB>", "--dry-run", "--yes", "--run-doctor"]),
        ("check", &["Changes nothing", "--home <DIR>", "--run-doctor", "--json"]),
        ("undo", &["Take the last restore in place back", "--dry-run", "--yes", "--home <DIR>", "--json"]),
        (
            "keygen",
            &["-o, --output <FILE>", "`age-keygen`", "its owner alone", "Nobody can make the private key"],
        ),
        (
            "passwd",
            &[
                "--remove",
                "--new-passphrase-file <FILE>",
                "--identity <FILE>",
                "64 KiB",
                "still open with the old",
            ],
        ),
        (
            "rekey",
            &[
                "-o, --output <NEW>",
                "--new-passphrase-file <FILE>",
                "--new-passphrase-command <COMMAND>",
                "--recipients-file <FILE>",
                "--split <SIZE>",
                "and every copy of it, still",
                "`ocbak passwd` is for",
            ],
        ),
        (
            "prune",
            &["--keep-daily <N>", "--keep-within <TIME>", "--dry-run", "--yes", "Never removed", "--utc"],
        ),
        (
            "diff",
            &[
                "--stat",
                "--mtime",
                "--path <GLOB>",
                "--home <DIR>",
                "exit code 3",
                "owners and extended",
                "[OTHER]",
            ],
        ),
        (
            "export",
            &["-o, --output <TAR|->", "--only <ROLE>", "without exit code 0, throw away", "byte for byte"],
        ),
        (
            "import",
            &[
                "-o, --output <NEW>",
                "--recipients-file <FILE>",
                "--passphrase-command <COMMAND>",
                "--split <SIZE>",
                "No plaintext is written",
                "have no digests",
            ],
        ),
        ("extract", &["-C, --directory <DIR>", "--stdout", "--identity <FILE>"]),
    ] {
        let mut test = Test::new().args([command, "--help"]);
        for part in parts {
            test = test.stdout_has(part);
        }
        test.success();
    }
}

#[test]
fn the_version_is_one_line() {
    let line = format!("ocbak {}\n", env!("CARGO_PKG_VERSION"));
    Test::new().args(["--version"]).stdout(&line).success();
}
