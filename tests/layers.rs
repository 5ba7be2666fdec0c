//! Modules name only earlier layers: the order of `src/` is a list, and this test holds it.

use std::fs;
use std::path::Path;

/// The layers, lowest first.
const LAYERS: [&str; 16] = [
    "error", "path", "pattern", "observer", "format", "crypto", "payload", "archive", "history", "openclaw",
    "capture", "diff", "import", "check", "restore", "cli",
];

/// Dependencies that only some modules may name.
const NAMED_BY: [(&str, &[&str]); 4] = [
    ("age", &["/crypto/"]),
    ("rusqlite", &["/capture/", "/openclaw/"]),
    ("flate2", &["/import/"]),
    ("clap", &["/cli/"]),
];

#[test]
fn modules_name_only_earlier_layers() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |file, text| {
        let Some(own) = layer_of(file) else {
            return;
        };
        seen += 1;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().starts_with("//")) {
            for (index, layer) in LAYERS.iter().enumerate().skip(own + 1) {
                if names(line, layer) {
                    wrong.push(format!("{}:{}: `{layer}` ({index}) above", file.display(), number + 1));
                }
            }
        }
    });
    assert!(seen > 20, "only {seen} files were looked at");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_dependency_is_named_by_its_modules_alone() {
    let mut wrong = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |file, text| {
        let place = file.display().to_string();
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for (name, modules) in NAMED_BY {
                if names_crate(code, name) && !modules.iter().any(|module| place.contains(module)) {
                    wrong.push(format!("{place}:{}: `{name}`", number + 1));
                }
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        !code[..at].ends_with(|character: char| character.is_alphanumeric() || character == '_')
    })
}

/// The layer that a file of `src/` belongs to; `None` for `lib.rs` and `main.rs`, which see all.
fn layer_of(file: &Path) -> Option<usize> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let first = file.strip_prefix(source).ok()?.components().next()?;
    let name = first.as_os_str().to_str()?.trim_end_matches(".rs").to_owned();
    let layer = LAYERS.iter().position(|layer| *layer == name);
    assert!(layer.is_some() || name == "lib" || name == "main", "`{name}` is in no layer");
    layer
}

fn names(line: &str, layer: &str) -> bool {
    line.contains(&format!("crate::{layer}::")) || line.contains(&format!("crate::{layer};"))
}

fn visit(directory: &Path, look: &mut dyn FnMut(&Path, &str)) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, look);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            look(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}
