//! Keys of plugins, in a build with them; the plugin is made up here and hides nothing.
#![cfg(all(feature = "plugins", target_os = "linux"))]

use super::session::Session;
use super::shared::stock::have;
use super::support::Test;

/// Of the made-up plugin.
const RECIPIENT: &str = "age1fake1veskkeg0grne9";
const IDENTITY: &str = "AGE-PLUGIN-FAKE-1VESKKEGTE2VN9";

/// Speaks <https://c2sp.org/age-plugin>: wraps file keys by turning their bits, and asks for a PIN before it unwraps any.
const PLUGIN: &str = r#"#!/usr/bin/env python3
import base64, sys

def receive():
    head = sys.stdin.readline().split()[1:]
    body = ""
    while True:
        line = sys.stdin.readline().rstrip("\n")
        body += line
        if len(line) < 64:
            return head, base64.b64decode(body + "=" * (-len(body) % 4))

def send(*head, body=b""):
    text = base64.b64encode(body).decode().rstrip("=")
    lines = [text[at:at + 64] for at in range(0, len(text), 64)] or [""]
    if len(lines[-1]) == 64:
        lines.append("")
    print("->", *head)
    print("\n".join(lines), flush=True)

def turned(key):
    return bytes(byte ^ 0x55 for byte in key)

stanzas, keys = [], []
while True:
    head, body = receive()
    if head[0] == "done":
        break
    if head[0] == "wrap-file-key":
        keys.append(body)
    if head[0] == "recipient-stanza" and head[2] == "fake":
        stanzas.append(body)
if "recipient-v1" in sys.argv[1]:
    for number, key in enumerate(keys):
        send("recipient-stanza", number, "fake", "x", body=turned(key))
        receive()
elif stanzas:
    send("msg", body=b"touch the fake key")
    receive()
    send("request-secret", body=b"PIN of the fake key")
    head, pin = receive()
    if head == ["ok"] and pin == b"1234":
        send("file-key", 0, body=turned(stanzas[0]))
    else:
        send("error", "internal", body=b"wrong PIN")
    receive()
send("done")
"#;

/// An installation, a plugin in PATH, and an identity file that names it; none where there is no Python.
fn plugged() -> Option<(Test, String)> {
    if !have(&["python3"]) {
        return None;
    }
    let test = Test::installed()
        .write("bin/age-plugin-fake", PLUGIN)
        .mode("bin/age-plugin-fake", 0o700)
        .write("key.txt", format!("# of a plugin\n{IDENTITY}\n"));
    let path = format!("{}:{}", test.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    Some((test, path))
}

#[test]
fn a_plugin_seals_and_opens_with_its_pin() {
    let Some((test, path)) = plugged() else { return };
    let test = test
        .variable("PATH", &path)
        .args(["create", "-q", "--state-dir", "state", "-o", "box.ocbak", "-r", RECIPIENT])
        .success();
    let list = "$ocbak list box.ocbak -i key.txt 'state/openclaw.json'";
    for (pin, code) in [("1234", 0), ("4321", 1)] {
        let mut session = Session::with(&test, list, &[("PATH", &path), ("NO_COLOR", "1")]);
        session
            .wait_for("plugin: touch the fake key")
            .wait_for("PIN of the fake key: ")
            .type_in(&format!("{pin}\n"));
        let (ended, rest) = session.end();
        assert_eq!(ended, Some(code), "{rest}");
        assert!(rest.contains(if code == 0 { "state/openclaw.json" } else { "wrong PIN" }), "{rest}");
        assert!(!rest.contains(pin), "{rest}");
    }
    // Nobody to ask.
    test.variable("PATH", &path)
        .args(["list", "box.ocbak", "-i", "key.txt"])
        .stderr_has("plugin: touch the fake key\n")
        .stderr_has("error: `box.ocbak`: a plugin cannot open the key slot: ")
        .ends_with(1);
}

#[test]
fn a_plugin_that_is_not_there_is_named() {
    let Some((test, _)) = plugged() else { return };
    test.args(["create", "-q", "--state-dir", "state", "-o", "box.ocbak", "-r", RECIPIENT])
        .stderr_has("error: needs the program `age-plugin-fake`, which is not in PATH\n")
        .ends_with(2)
        .args(["list", "box.ocbak", "-i", "key.txt"])
        .stderr_has("error: ")
        .ends_with(1);
}
