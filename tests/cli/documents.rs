//! `--json` on every command: one document, of an end that is good and of one that is not.

use std::fs;

use serde_json::Value;

use super::support::Test;

#[test]
fn every_command_writes_one_document() {
    let mut test = Test::archived();
    fs::create_dir(test.path("out")).unwrap();
    fs::rename(test.path("box.ocbak"), test.path("out/box.ocbak")).unwrap();
    let key = ["-i", "private.txt"];
    let place = ["--state-dir", "state"];
    for (command, words, code, fact) in [
        ("create", &["-R", "public.txt", "-o", "new.ocbak", place[0], place[1]][..], 0, "archive"),
        ("create", &["--dry-run", place[0], place[1]], 0, "estimated_bytes"),
        ("info", &["out/box.ocbak"], 0, "slots"),
        ("list", &["out/box.ocbak", key[0], key[1]], 0, "payloads"),
        ("list", &["out"], 0, "archives"),
        ("verify", &["out/box.ocbak", key[0], key[1]], 0, "sound"),
        ("verify", &["--quick", "out"], 0, "archives"),
        ("repair", &["out/box.ocbak"], 0, "file"),
        ("restore", &["out/box.ocbak", "--to", "restored", key[0], key[1]], 0, "restored"),
        ("undo", &["--dry-run", place[0], place[1]], 1, "error"),
        ("extract", &["out/box.ocbak", "state/openclaw.json", "-C", "out", key[0], key[1]], 0, "entries"),
        ("diff", &["out/box.ocbak", place[0], place[1], key[0], key[1]], 0, "payloads"),
        ("import", &["out/box.ocbak", "-o", "x.ocbak", "-R", "public.txt"], 1, "error"),
        ("keygen", &["-o", "key.txt"], 0, "recipient"),
        ("passwd", &["new.ocbak", "--new-passphrase-file", "passphrase.txt", key[0], key[1]], 0, "file"),
        ("rekey", &["new.ocbak", "-o", "rekeyed.ocbak", "-R", "public.txt", key[0], key[1]], 0, "archive"),
        ("prune", &["out", "--keep-last", "1", "--dry-run"], 0, "freed"),
        ("where", &place, 0, "installation"),
        ("check", &place, 0, "findings"),
        ("config", &[], 0, "defaults"),
        ("schedule", &["--print", "cron"], 2, "error"),
        ("completions", &["bash"], 0, "script"),
        ("man", &[], 0, "pages"),
        ("help", &[], 0, "text"),
    ] {
        let (next, stdout) = test.args([command, "--json"]).args(words.iter().copied()).run(code);
        let document: Value = serde_json::from_slice(&stdout)
            .unwrap_or_else(|error| panic!("{command}: {error}: {}", String::from_utf8_lossy(&stdout)));
        assert!(document.get(fact).is_some(), "{command}: no `{fact}` in {document:#}");
        assert!(document["warnings"].is_array(), "{command}: {document:#}");
        test = next;
    }
    // What they write is an archive or a key: no document can stand beside it.
    for words in [
        &["export", "out/box.ocbak", "-i", "private.txt"][..],
        &["create", "-o", "-", "-R", "public.txt"],
        &["keygen"],
    ] {
        let (next, document) = test.args(words.iter().copied()).args(["--json"]).json(2);
        assert_eq!(document["error"]["exit_code"], 2, "{words:?}");
        test = next;
    }
}
