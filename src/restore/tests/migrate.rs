//! Restores to another place than the archive is of.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{Adaptation, Job, MTIME, Payload, Target, all_belong_to, is_root, list, mode, mtime, scratch};
use crate::restore::migrate::Owner;
use crate::restore::{Restored, Rewritten};

const CONFIG: &str = "{ // ours\n agents: { defaults: { workspace: '/home/al/ws' } },\n\
                      $include: './inc/a.json5', bin: '/home/alice/bin' }\n";
const INCLUDED: &str = "{ media: \"/home/al/.openclaw/media\" } // theirs\n";

/// A state directory of `/home/al`.
fn state() -> Payload {
    Payload::new(&[("state", Path::new("/home/al/.openclaw"))])
        .fact("home", Path::new("/home/al"))
        .fact("state_dir", Path::new("/home/al/.openclaw"))
        .fact("config", Path::new("/home/al/.openclaw/openclaw.json"))
        .directory("state", 0o700)
        .directory("state/inc", 0o500)
        .mtime(15, 16)
        .file("state/inc/a.json5", INCLUDED.as_bytes())
        .mode(0o400)
        .symlink("state/link", "/home/al/ws/notes")
        .file("state/openclaw.json", CONFIG.as_bytes())
        .hardlink("state/openclaw.json.again", "state/openclaw.json")
        .file("state/openclaw.json.bak", CONFIG.as_bytes())
        .symlink("state/other", "/home/alice/ws")
}

fn workspace() -> Payload {
    Payload::new(&[("workspace/main", Path::new("/home/al/ws"))])
        .directory("workspace/main", 0o755)
        .file("workspace/main/MEMORY.md", b"/home/al/ws")
        .symlink("workspace/main/link", "/home/al/ws/notes")
}

fn to(job: &Job<'_>, home: &Path, state_dir: &Path) -> Restored {
    let target = Target::Original { home: home.to_owned(), state_dir: state_dir.to_owned() };
    let layout = job.layout(&target).unwrap();
    job.run(&layout, |_| Ok(())).unwrap()
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn roots_paths_and_links_follow_the_home_and_the_state_directory() {
    let (_scratch, base) = scratch();
    let (home, live) = (base.join("bo"), base.join("bo/.openclaw-work"));
    let restored = to(&Job::new(&[state(), workspace()]), &home, &live);
    let shown = |path: &Path| path.to_str().unwrap().to_owned();
    let config = CONFIG.replace("/home/al/", &format!("{}/", shown(&home)));
    assert_eq!(read(live.join("openclaw.json")), config);
    assert_eq!(read(live.join("openclaw.json.again")), config);
    assert_eq!(mtime(live.join("openclaw.json")), (MTIME.seconds, i64::from(MTIME.nanoseconds)));
    assert_eq!(read(live.join("openclaw.json.bak")), CONFIG);
    let included = INCLUDED.replace("/home/al/.openclaw", &shown(&live));
    assert_eq!(read(live.join("inc/a.json5")), included);
    assert_eq!((mode(live.join("inc/a.json5")), mode(live.join("inc"))), (0o400, 0o500));
    assert_eq!(mtime(live.join("inc")), (15, 16));
    assert_eq!(fs::read_link(live.join("link")).unwrap(), home.join("ws/notes"));
    assert_eq!(fs::read_link(live.join("other")).unwrap(), Path::new("/home/alice/ws"));
    let link = fs::read_link(home.join("ws/link")).unwrap();
    assert_eq!(link, Path::new("/home/al/ws/notes"), "a workspace is the user's own");
    assert_eq!(read(home.join("ws/MEMORY.md")), "/home/al/ws");
    let Rewritten { mut files, moves, links, left, .. } = restored.rewritten;
    files.sort();
    assert_eq!(files, [(live.join("inc/a.json5"), 1), (live.join("openclaw.json"), 1)]);
    assert_eq!((links, left), (1, Vec::new()));
    let old = |path: &str| PathBuf::from(path);
    assert_eq!(moves, [(old("/home/al"), home), (old("/home/al/.openclaw"), live)]);
}

#[test]
fn a_map_moves_a_root_and_the_paths_that_name_it() {
    let (_scratch, base) = scratch();
    let home = base.join("bo");
    let payloads = [state(), workspace()];
    let mut job = Job::new(&payloads);
    job.adaptation.maps = vec![("/home/al/ws".into(), base.join("data/ws"))];
    to(&job, &home, &home.join(".openclaw"));
    assert_eq!(list(&base.join("data/ws")).len(), 2);
    let config = read(home.join(".openclaw/openclaw.json"));
    assert!(config.contains(&format!("'{}'", base.join("data/ws").display())), "{config}");
}

#[test]
fn paths_can_be_left_alone() {
    let (_scratch, base) = scratch();
    let home = base.join("bo");
    let payloads = [state(), workspace()];
    let mut job = Job::new(&payloads);
    job.adaptation = Adaptation { keep_paths: true, ..Adaptation::default() };
    let restored = to(&job, &home, &home.join(".openclaw"));
    assert_eq!(restored.rewritten, Rewritten::default());
    assert_eq!(read(home.join(".openclaw/openclaw.json")), CONFIG);
    assert!(home.join("ws/MEMORY.md").exists());
}

#[test]
fn a_configuration_that_does_not_parse_is_left_and_said() {
    let (_scratch, base) = scratch();
    let home = base.join("bo");
    let mut state = state();
    for content in &mut state.contents {
        if content.starts_with(b"{ // ours") {
            content[0] = b'[';
        }
    }
    let restored = to(&Job::new(&[state]), &home, &home.join(".openclaw"));
    assert_eq!(restored.rewritten.left.len(), 1);
    assert!(restored.rewritten.left[0].contains("which does not parse"), "{:?}", restored.rewritten.left);
    assert!(read(home.join(".openclaw/openclaw.json")).starts_with("[ // ours"));
}

#[test]
fn work_trees_of_git_find_their_repositories() {
    let (_scratch, base) = scratch();
    let home = base.join("bo");
    let tree = "gitdir: /home/al/ws/repo/.git/worktrees/fix\n";
    let workspace = Payload::new(&[("workspace/main", Path::new("/home/al/ws"))])
        .directory("workspace/main", 0o755)
        .directory("workspace/main/fix", 0o755)
        .file("workspace/main/fix/.git", tree.as_bytes())
        .file("workspace/main/fix/gitdir", b"/home/al/x")
        .directory("workspace/main/repo", 0o755)
        .directory("workspace/main/repo/.git", 0o755)
        .directory("workspace/main/repo/.git/worktrees", 0o755)
        .directory("workspace/main/repo/.git/worktrees/fix", 0o755)
        .file("workspace/main/repo/.git/worktrees/fix/gitdir", b"/home/al/ws/fix/.git\n");
    let restored = to(&Job::new(&[state(), workspace]), &home, &home.join(".openclaw"));
    let moved = |text: &str| text.replace("/home/al", home.to_str().unwrap());
    let (link, back) = (home.join("ws/fix/.git"), home.join("ws/repo/.git/worktrees/fix/gitdir"));
    assert_eq!(read(link.clone()), moved(tree));
    assert_eq!(mtime(&link), (MTIME.seconds, i64::from(MTIME.nanoseconds)));
    assert_eq!(read(back.clone()), moved("/home/al/ws/fix/.git\n"));
    assert_eq!(read(home.join("ws/fix/gitdir")), "/home/al/x");
    for file in [link, back] {
        assert!(restored.rewritten.files.contains(&(file, 1)), "{:?}", restored.rewritten.files);
    }
}

#[test]
fn a_copied_home_s_own_paths_follow_too() {
    let (_scratch, base) = scratch();
    let (copy, home) = (Path::new("/mnt/copy"), base.join("bo"));
    let config = "{ agents: { defaults: { workspace: '/home/al/.openclaw/workspace' } }, x: '/mnt/copy/x', y: '/home/al/y' }";
    let state = Payload::new(&[("state", &copy.join(".openclaw"))])
        .fact("home", copy)
        .fact("state_dir", &copy.join(".openclaw"))
        .fact("config", &copy.join(".openclaw/openclaw.json"))
        .directory("state", 0o700)
        .file("state/openclaw.json", config.as_bytes());
    let workspace = Payload::new(&[("workspace/main", &copy.join(".openclaw/workspace"))])
        .directory("workspace/main", 0o755);
    to(&Job::new(&[state, workspace]), &home, &home.join(".openclaw"));
    let home_text = home.to_str().unwrap();
    let expected = config.replace("/home/al", home_text).replace("/mnt/copy", home_text);
    assert_eq!(read(home.join(".openclaw/openclaw.json")), expected);
}

#[test]
fn the_same_place_under_another_name_changes_nothing() {
    let (_scratch, base) = scratch();
    fs::create_dir(base.join("real")).unwrap();
    symlink("real", base.join("link")).unwrap();
    let config = format!("{{ x: '{}/x' }}", base.join("link").display());
    let state = Payload::new(&[("state", &base.join("link/.openclaw"))])
        .fact("home", &base.join("link"))
        .fact("state_dir", &base.join("link/.openclaw"))
        .fact("config", &base.join("link/.openclaw/openclaw.json"))
        .directory("state", 0o700)
        .file("state/openclaw.json", config.as_bytes());
    let restored = to(&Job::new(&[state]), &base.join("real"), &base.join("real/.openclaw"));
    assert_eq!(restored.rewritten, Rewritten::default());
    assert_eq!(read(base.join("real/.openclaw/openclaw.json")), config);
}

#[test]
fn a_staged_link_in_the_place_of_the_configuration_is_not_followed() {
    let (_scratch, base) = scratch();
    let (home, precious) = (base.join("bo"), base.join("precious"));
    fs::write(&precious, CONFIG).unwrap();
    let state = Payload::new(&[("state", Path::new("/home/al/.openclaw"))])
        .fact("home", Path::new("/home/al"))
        .fact("config", Path::new("/home/al/.openclaw/openclaw.json"))
        .directory("state", 0o700)
        .directory("state/state", 0o700)
        .symlink("state/openclaw.json", precious.to_str().unwrap())
        .symlink("state/state/openclaw.sqlite", precious.to_str().unwrap());
    to(&Job::new(&[state]), &home, &home.join(".openclaw"));
    assert_eq!(read(precious), CONFIG);
}

#[test]
fn everything_belongs_to_the_owner() {
    if !is_root("everything_belongs_to_the_owner") {
        return;
    }
    for inside in [false, true] {
        let (_scratch, base) = scratch();
        let home = base.join("bo");
        if inside {
            fs::create_dir_all(home.join(".openclaw/old")).unwrap();
        }
        let payloads = [state(), workspace()];
        let mut job = Job::new(&payloads);
        job.inside = inside;
        job.adaptation.owner = Some(Owner { user: 4711, group: 4712 });
        let target = Target::Original { home: home.clone(), state_dir: home.join(".openclaw") };
        let mut layout = job.layout(&target).unwrap();
        for tree in &mut layout.trees {
            tree.inside &= tree.target.exists();
        }
        job.run(&layout, |_| Ok(())).unwrap();
        all_belong_to(
            vec![home.join("ws"), home.join(".openclaw/inc"), home.join(".openclaw/link")],
            Owner { user: 4711, group: 4712 },
        );
        assert_eq!(mode(home.join(".openclaw/inc/a.json5")), 0o400);
    }
}
