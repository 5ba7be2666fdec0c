//! Credentials and configuration outside the state directory (`OPENCLAW_OAUTH_DIR`, `OPENCLAW_CONFIG_PATH`): captured,
//! restored, looked for.

use std::fs;
use std::path::Path;

use crate::support::cli::Run;
use crate::support::scene::{Scene, names};

const CREDS: &str = "whatsapp/default/creds.json";

/// The sample home with its credentials in `~/secure`, captured.
fn scene() -> Scene {
    let scene = Scene::plain();
    fs::rename(scene.state().join("credentials"), scene.home().join("secure")).unwrap();
    let ran = scene
        .creation(&scene.archive())
        .env("HOME", scene.home())
        .env("OPENCLAW_OAUTH_DIR", scene.home().join("secure"))
        .success();
    assert_eq!(ran.stderr, "");
    scene
}

/// Begins a restore in a home, as a process of that home's user.
fn restoring(scene: &Scene, home: &Path) -> Run {
    scene.with_key("restore").arg("--yes").env("HOME", home)
}

fn creds(directory: &Path) -> String {
    fs::read_to_string(directory.join(CREDS)).unwrap()
}

#[test]
fn they_go_back_where_they_were_and_what_was_there_is_kept() {
    let scene = scene();
    let secure = scene.home().join("secure");
    let stored = creds(&secure);
    fs::write(secure.join(CREDS), "{}").unwrap();
    fs::write(secure.join("later.json"), "{}").unwrap();
    // The sample's databases are of another home, which the look afterwards finds.
    let ran = restoring(&scene, &scene.home()).env("OPENCLAW_OAUTH_DIR", &secure).code(3);
    assert!(!ran.stderr.contains("credentials go to"), "{ran}");
    assert!(ran.stderr.contains("the login of WhatsApp"), "{ran}");
    assert_eq!(creds(&secure), stored);
    assert!(!secure.join("later.json").exists());
    let kept = names(&scene.home()).into_iter().find(|name| name.starts_with("secure.before-restore-"));
    let kept = scene.home().join(kept.unwrap());
    assert_eq!(creds(&kept), "{}");
    assert!(kept.join("later.json").exists());
}

#[test]
fn under_another_home_they_go_along_and_a_variable_that_is_not_set_is_missed() {
    let scene = scene();
    let home = scene.path("other");
    fs::create_dir(&home).unwrap();
    let ran = restoring(&scene, &home).success();
    assert_eq!(creds(&home.join("secure")), creds(&scene.home().join("secure")));
    let expected = format!(
        "warning: credentials go to `{0}/secure`, but OpenClaw looks for them in `{0}/.openclaw/credentials`: \
         `OPENCLAW_OAUTH_DIR` decides\n",
        home.display()
    );
    assert!(ran.stderr.contains(&expected), "{ran}");
}

#[test]
fn a_configuration_elsewhere_goes_along_and_is_looked_over_there() {
    let scene = Scene::plain();
    let config = scene.home().join("etc/oc.json");
    fs::create_dir(scene.home().join("etc")).unwrap();
    fs::rename(scene.state().join("openclaw.json"), &config).unwrap();
    fs::rename(scene.state().join("include"), scene.home().join("etc/include")).unwrap();
    let create = scene.creation(&scene.archive());
    create.env("HOME", scene.home()).env("OPENCLAW_CONFIG_PATH", &config).success();
    let home = scene.path("other");
    fs::create_dir(&home).unwrap();
    let moved = home.join("etc/oc.json");
    let ran = restoring(&scene, &home).success();
    let expected = format!(
        "warning: the configuration goes to `{}`, but OpenClaw looks for it in `{}/.openclaw`: \
         `OPENCLAW_CONFIG_PATH` decides\n",
        moved.display(),
        home.display()
    );
    assert!(ran.stderr.contains(&expected), "{ran}");
    assert!(
        ran.text().contains(&format!("OPENCLAW_CONFIG_PATH={} openclaw doctor", moved.display())),
        "{ran}"
    );
    let ran = restoring(&scene, &home).env("OPENCLAW_CONFIG_PATH", &moved).success();
    assert!(!ran.stderr.contains("the configuration goes to"), "{ran}");
}

#[test]
fn a_variable_of_the_new_machine_that_leads_elsewhere_is_said() {
    let scene = Scene::plain();
    scene.create();
    let home = scene.path("other");
    fs::create_dir(&home).unwrap();
    let ran = restoring(&scene, &home).env("OPENCLAW_OAUTH_DIR", "~/mine").success();
    assert!(home.join(".openclaw/credentials").join(CREDS).exists());
    assert!(ran.stderr.contains("/.openclaw/credentials`, but OpenClaw looks for them in `"), "{ran}");
    assert!(ran.stderr.contains("/mine`"), "{ran}");
    // Nothing is said where none come.
    let ran =
        restoring(&scene, &home).env("OPENCLAW_OAUTH_DIR", "~/mine").args(["--only", "workspace"]).success();
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_link_in_the_state_directory_leads_to_them_again() {
    let scene = Scene::plain();
    let (credentials, secure) = (scene.state().join("credentials"), scene.home().join("secure"));
    fs::rename(&credentials, &secure).unwrap();
    std::os::unix::fs::symlink(&secure, &credentials).unwrap();
    scene.create();
    let home = scene.path("other");
    fs::create_dir(&home).unwrap();
    let ran = restoring(&scene, &home).success();
    assert!(!ran.stderr.contains("credentials go to"), "{ran}");
    assert_eq!(fs::read_link(home.join(".openclaw/credentials")).unwrap(), home.join("secure"));
    assert_eq!(creds(&home.join(".openclaw/credentials")), creds(&secure));
}
