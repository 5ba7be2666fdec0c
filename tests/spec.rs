//! The specification and the code agree on what can be compared: section numbers, the recovery text.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn spec() -> String {
    fs::read_to_string(top().join("spec/ocbak-v1.md")).unwrap()
}

#[test]
fn every_section_that_is_cited_exists() {
    let mut sections = BTreeSet::new();
    for line in spec().lines().filter(|line| line.starts_with("##")) {
        let number = line.trim_start_matches('#').split_whitespace().next().unwrap_or_default();
        sections.insert(number.to_owned());
    }
    // The rationale is a numbered list.
    sections.extend((1..=20).map(|number| format!("16.{number}")));
    let mut cited = 0;
    let mut wrong = Vec::new();
    for directory in ["src", "tests", "spec", "fixtures"] {
        visit(&top().join(directory), &mut |file, text| {
            for (at, _) in text.match_indices('§') {
                let rest = text[at..].trim_start_matches('§');
                let number: String = rest
                    .chars()
                    .take_while(|character| character.is_ascii_digit() || *character == '.')
                    .collect();
                let number = number.trim_end_matches('.');
                if number.is_empty() {
                    continue;
                }
                cited += 1;
                if !sections.contains(number) {
                    wrong.push(format!("{}: §{number}", file.display()));
                }
            }
        });
    }
    assert!(cited > 50, "only {cited} citations were found");
    assert!(wrong.is_empty(), "no such section:\n{}", wrong.join("\n"));
}

#[test]
fn the_recovery_text_of_the_spec_is_the_one_in_archives() {
    let text = fs::read_to_string(top().join("src/format/RECOVERY.txt")).unwrap();
    assert!(spec().contains(&format!("```text\n{text}```")));
}

fn visit(directory: &Path, look: &mut dyn FnMut(&Path, &str)) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            visit(&path, look);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "md") {
            look(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}
