//! The prompt, on a terminal made by `script`.
#![cfg(target_os = "linux")]

use ocbak::{ArchiveBuilder, Passphrase, Role, Source};

use super::session::Session;
use super::support::Test;

const CREATE: &str = "$ocbak create --state-dir state -o box.ocbak";
const FIRST: &str = "Passphrase for the new archive (leave empty to have one made): ";

#[test]
fn what_is_typed_is_not_shown_and_must_be_typed_twice() {
    let test = Test::installed();
    let mut session = Session::start(&test, CREATE);
    session.wait_for(FIRST).type_in("correct horse battery\n");
    session.wait_for("The same again: ").type_in("correct horse bakery\n");
    assert!(!session.shown.contains("horse"));
    let (code, rest) = session.end();
    assert!(rest.contains("error: the two passphrases differ"), "{rest}");
    assert!(!rest.contains("horse"));
    assert_eq!(code, Some(1));
    assert!(!test.path("box.ocbak").exists());
}

#[test]
fn a_new_passphrase_is_asked_for_after_the_old_one() {
    let test = Test::installed()
        .args(["create", "-q", "--state-dir", "state", "-o", "box.ocbak"])
        .args(["--passphrase-file", "passphrase.txt"])
        .success();
    let mut session = Session::start(&test, "$ocbak passwd box.ocbak");
    session.wait_for("Passphrase of `box.ocbak`: ").type_in("an obviously fake passphrase\n");
    session
        .wait_for("New passphrase of `box.ocbak` (leave empty to have one made): ")
        .type_in("correct horse battery\n");
    session.wait_for("The same again: ").type_in("correct horse battery\n");
    let (code, rest) = session.end();
    assert_eq!(code, Some(0), "{rest}");
    assert!(rest.contains("passphrase changed"), "{rest}");
    assert!(!rest.contains("horse"), "{rest}");
    let test = test.write("passphrase.txt", "correct horse battery\n");
    test.args(["verify", "-q", "box.ocbak", "--passphrase-file", "passphrase.txt"]).success();
}

#[test]
fn the_worth_of_a_typed_passphrase_is_said_before_it_is_typed_again() {
    for (option, typed, said) in [
        (
            "",
            "Summer2026!!",
            "\nwarning: this passphrase is weak, since it is little more than a common password: a thousand \
             computers would need less than two hours to guess it\r\n",
        ),
        ("", "the owl that ate my left shoe", "\nnote: a thousand computers would need "),
        ("-q", "Summer2026!!", ""),
        ("-q", "the owl that ate my left shoe", ""),
    ] {
        let test = Test::installed();
        let mut session = Session::start(&test, &format!("{CREATE} {option}"));
        session.wait_for(FIRST).type_in(&format!("{typed}\n"));
        session.wait_for("The same again: ");
        let shown = session.shown.strip_suffix("The same again: ").unwrap().to_owned();
        assert!(shown.contains(said), "{shown}");
        assert_eq!(shown.trim().is_empty(), said.is_empty(), "{shown}");
        assert!(!shown.contains(typed), "{shown}");
        // Nobody is kept from it: what ends this is that the second one differs.
        session.type_in("another\n");
        let (code, rest) = session.end();
        assert_eq!(code, Some(1), "{rest}");
        assert!(rest.contains("error: the two passphrases differ"), "{rest}");
    }
}

#[test]
fn a_passphrase_beside_a_public_key_makes_two_slots() {
    let test = Test::installed();
    let mut session = Session::start(&test, &format!("{CREATE} -p -R public.txt"));
    session.wait_for(FIRST).type_in("an obviously fake passphrase\n");
    session.wait_for("The same again: ").type_in("an obviously fake passphrase\n");
    let (code, rest) = session.end();
    assert_eq!(code, Some(0), "{rest}");
    let test = test.args(["info", "box.ocbak"]).stdout_has("key slots  passphrase, recipients\n").success();
    for (key, slot) in
        [(["-i", "private.txt"], "recipients"), (["--passphrase-file", "passphrase.txt"], "passphrase")]
    {
        let said = format!("opened by its {slot} slot\n");
        Test::new()
            .write("box.ocbak", std::fs::read(test.path("box.ocbak")).unwrap())
            .write("private.txt", super::support::PRIVATE)
            .write("passphrase.txt", "an obviously fake passphrase\n")
            .args(["verify", "box.ocbak"])
            .args(key)
            .stdout_has(&said)
            .stdout_has("sound: ")
            .success();
    }
}

#[test]
fn the_passphrase_of_a_private_key_is_asked_for() {
    let test = Test::installed()
        .write("key", include_str!("../../fixtures/keys/age-protected.age"))
        .write("id", include_str!("../../fixtures/keys/ssh-ed25519-protected"))
        .write("keys.pub", include_str!("../../fixtures/keys/protected.pub"))
        .args(["create", "-q", "--state-dir", "state", "-R", "keys.pub", "-o", "box.ocbak"])
        .success();
    for (key, typed, code, said) in [
        ("key", "FAKE passphrase", 0, "sound: "),
        ("id", "FAKE", 0, "sound: "),
        ("key", "FAKE", 5, "error: `key`: does not open with this passphrase\r\nhint: what is asked for is"),
        ("id", "FAKE passphrase", 5, "error: `id`: does not open with this passphrase\r\n"),
    ] {
        let mut session = Session::start(&test, &format!("$ocbak verify box.ocbak -i {key}"));
        session.wait_for(&format!("Passphrase of the key `{key}`: ")).type_in(&format!("{typed}\n"));
        let (ended, rest) = session.end();
        assert_eq!(ended, Some(code), "{rest}");
        assert!(rest.contains(said), "{rest}");
        assert!(!rest.contains(typed), "{rest}");
    }
}

#[test]
fn two_archives_may_have_two_passphrases() {
    let mut test = Test::installed().write("other.txt", "another passphrase entirely\n");
    for (name, passphrase) in
        [("old.ocbak", "passphrase.txt"), ("new.ocbak", "other.txt"), ("same.ocbak", "passphrase.txt")]
    {
        test = test
            .args(["create", "-q", "--state-dir", "state", "-o", name, "--passphrase-file", passphrase])
            .success();
    }
    let mut session = Session::start(&test, "$ocbak diff old.ocbak new.ocbak");
    session.wait_for("Passphrase of `old.ocbak`: ").type_in("an obviously fake passphrase\n");
    session.wait_for("Passphrase of `new.ocbak`: ").type_in("another passphrase entirely\n");
    let (code, rest) = session.end();
    assert_eq!(code, Some(0), "{rest}");
    let mut session = Session::start(&test, "$ocbak diff old.ocbak same.ocbak");
    session.wait_for("Passphrase of `old.ocbak`: ").type_in("an obviously fake passphrase\n");
    let (code, rest) = session.end();
    assert_eq!(code, Some(0), "{rest}");
}

#[test]
fn one_question_is_for_all_archives_of_a_drive() {
    let test = Test::new().write("drive/holiday.jpg", "a photo");
    for name in ["a", "b"] {
        let file = std::fs::File::create_new(test.path(&format!("drive/{name}.ocbak"))).unwrap();
        let passphrase = Passphrase::new("fake horse battery".to_owned());
        let mut writer = ArchiveBuilder::new().passphrase(passphrase).work_factor(1).create(file).unwrap();
        writer.begin(Source::default(), Role::State).unwrap();
        writer.finish().unwrap();
    }
    let mut session = Session::start(&test, "$ocbak verify drive");
    session.wait_for("Passphrase of `drive`: ").type_in("fake horse battery\n");
    let (code, rest) = session.end();
    assert_eq!((code, rest.matches("sound: ").count()), (Some(0), 2), "{rest}");
    assert!(!rest.contains("horse") && !rest.contains("Passphrase"), "{rest}");
}

#[test]
fn an_archive_is_encrypted_anew_for_a_passphrase_and_a_key() {
    let test = Test::archived();
    let mut session =
        Session::start(&test, "$ocbak rekey box.ocbak -i private.txt -o new.ocbak -p -R public.txt");
    session.wait_for(FIRST).type_in("an obviously fake passphrase\n");
    session.wait_for("The same again: ").type_in("an obviously fake passphrase\n");
    let (code, rest) = session.end();
    assert_eq!(code, Some(0), "{rest}");
    let test = test.args(["info", "new.ocbak"]).stdout_has("key slots  passphrase, recipients\n").success();
    test.args(["verify", "-q", "new.ocbak", "--passphrase-file", "passphrase.txt"]).success();
}

#[test]
fn a_short_one_is_refused_at_once() {
    let test = Test::installed();
    let mut session = Session::start(&test, CREATE);
    session.wait_for(FIRST).type_in("short\n");
    let (code, rest) = session.end();
    assert!(rest.contains("error: the passphrase from the prompt is too short"), "{rest}");
    assert_eq!(code, Some(1));
}

#[test]
fn an_interrupt_at_the_prompt_leaves_the_terminal_as_it_was() {
    let test = Test::installed();
    // The shell outlives the signal and tells how the terminal is afterwards.
    let line = format!("trap : INT; {CREATE}; echo code=$?; stty -a");
    let mut session = Session::start(&test, &line);
    session.wait_for(FIRST).type_in("half a pass\x03");
    let (_, rest) = session.end();
    assert!(rest.contains("error: interrupted"), "{rest}");
    assert!(rest.contains("code=130"), "{rest}");
    assert!(rest.contains(" echo "), "{rest}");
    assert!(!rest.contains("half"), "{rest}");
}

#[test]
fn an_archive_is_not_written_to_a_terminal() {
    let line = "$ocbak create --state-dir state -o -";
    let test = Test::installed();
    let (code, rest) = Session::start(&test, line).end();
    assert!(rest.contains("error: an archive is not written to a terminal"), "{rest}");
    assert_eq!(code, Some(2));
}

#[test]
fn an_end_of_input_at_the_prompt_stops() {
    let test = Test::installed();
    let mut session = Session::start(&test, CREATE);
    session.wait_for(FIRST).type_in("\x04");
    let (code, rest) = session.end();
    assert!(rest.contains("error: interrupted"), "{rest}");
    assert_eq!(code, Some(130));
}

#[test]
fn a_passphrase_that_is_made_is_shown_once_on_the_terminal_only() {
    let test = Test::installed();
    let line = format!("{CREATE} > out.txt 2> err.txt");
    let mut session = Session::start(&test, &line);
    session.wait_for(FIRST).type_in("\n");
    session.wait_for("The passphrase is\r\n\r\n    ").wait_for("\r\n");
    let passphrase = session.shown.trim().to_owned();
    assert_eq!(passphrase.split('-').count(), 10, "{passphrase}");
    session.wait_for("Press Enter when that is done. ").type_in("\n");
    let (code, rest) = session.end();
    assert_eq!(code, Some(0), "{rest}");
    assert!(!rest.contains(&passphrase));
    let read = |name: &str| std::fs::read_to_string(test.path(name)).unwrap();
    assert!(read("out.txt").starts_with("box.ocbak  "));
    assert_eq!(read("err.txt"), "");

    let mut session = Session::start(&test, "$ocbak list box.ocbak");
    session.wait_for("Passphrase of `box.ocbak`: ").type_in(&format!("{passphrase}\n"));
    let (code, rest) = session.end();
    assert_eq!(code, Some(0), "{rest}");
    assert!(rest.contains("workspace/main/MEMORY.md"));
}

#[test]
fn restoring_in_place_asks_and_anything_but_yes_changes_nothing() {
    let test = Test::archived().write("state/workspace/MEMORY.md", "Something else.\n");
    let memory = || std::fs::read_to_string(test.path("state/workspace/MEMORY.md")).unwrap();
    let line = "$ocbak restore box.ocbak --home . --state-dir state -i private.txt";
    for (answer, code, expected) in [
        ("\n", 1, "Something else.\n"),
        ("no\n", 1, "Something else.\n"),
        ("y\n", 0, "The user likes tests.\n"),
    ] {
        let mut session = Session::start(&test, line);
        session.wait_for("Restore this in place? [y/N] ").type_in(answer);
        let (ended, rest) = session.end();
        assert_eq!(ended, Some(code), "{rest}");
        assert_eq!(rest.contains("\nnot done: nothing was replaced or removed\r\n"), code == 1, "{rest}");
        assert!(!rest.contains("error"), "{rest}");
        assert_eq!(memory(), expected);
    }
}
