//! Replaces the values of variables in `.env` files, every other byte kept.

use std::path::{Path, PathBuf};

/// OpenClaw: variables stand in `.env` of the state directory, and in the file of the service.
pub(crate) fn files(home: &Path, state_dir: &Path) -> [PathBuf; 2] {
    [state_dir.join(".env"), home.join(".config/openclaw/gateway.env")]
}

/// Offers each value to `replace`; returns the new text and how many were replaced.
///
/// A value with escapes, or that goes on in the next line, is none that is a path.
pub(crate) fn rewrite(text: &str, mut replace: impl FnMut(&str) -> Option<String>) -> (String, u64) {
    let (mut result, mut rest, mut count) = (String::with_capacity(text.len()), text, 0);
    while !rest.is_empty() {
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        let length = match value(line) {
            Some((at, word)) => {
                let raw = &rest[at..];
                match quoted(raw) {
                    Some(inside) if inside.contains('\n') => at + inside.len() + 2,
                    inside => {
                        let old = inside.unwrap_or(word);
                        let old_raw = inside.map_or(word.len(), |inside| inside.len() + 2);
                        let new = replace(old).filter(|_| !old.contains('\\'));
                        if let Some(new) = new.and_then(|new| written(&new, inside.and(raw.chars().next()))) {
                            result.push_str(&rest[..at]);
                            result.push_str(&new);
                            rest = &rest[at + old_raw..];
                            count += 1;
                            continue;
                        }
                        line.len()
                    }
                }
            }
            None => line.len(),
        };
        // With the newline, where there is one.
        let length = rest[length..].find('\n').map_or(rest.len(), |more| length + more + 1);
        result.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    (result, count)
}

/// Where the value of a line `NAME=value` begins, and the value if it has no quotes.
fn value(line: &str) -> Option<(usize, &str)> {
    let (name, after) = line.split_once('=')?;
    let bare = name.trim().strip_prefix("export ").unwrap_or(name).trim();
    let is_name =
        !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    let value = after.trim_start();
    let comment = value.find(" #").unwrap_or(value.len());
    is_name.then(|| (line.len() - value.len(), value[..comment].trim_end()))
}

/// What stands between quotes at the beginning of a text.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|first| QUOTES.contains(first))?;
    let inside = &text[1..];
    Some(&inside[..inside.find(quote)?])
}

/// A value as it is written, in its own quotes if it can be.
fn written(value: &str, quote: Option<char>) -> Option<String> {
    if value.contains(['\\', '\n', '$']) {
        return None;
    }
    let plain = !value.contains([' ', '#', '\t', '"', '\'', '`']);
    match quote {
        None if plain => Some(value.to_owned()),
        own => {
            let mut quotes = own.into_iter().chain(QUOTES);
            let quote = quotes.find(|quote| !value.contains(*quote))?;
            Some(format!("{quote}{value}{quote}"))
        }
    }
}

const QUOTES: [char; 3] = ['"', '\'', '`'];

#[cfg(test)]
mod tests {
    use super::rewrite;

    fn moved(text: &str) -> (String, u64) {
        rewrite(text, |value| value.strip_prefix("/old").map(|rest| format!("/new{rest}")))
    }

    #[test]
    fn all_but_the_values_stays_byte_for_byte() {
        let text = "# A=/old/comment\r\n\nA=/old/a\nexport B = \"/old/b c\" # /old/x\r\n\tC='/old/c'\nD=/old/d e  # x\n\
                    E=see /old/e\nF=\nG\n=/old\nH I=/old\nJ=`/old/j`#k\nA.b-c=/old/é";
        let expected = text
            .replace("A=/old/a", "A=/new/a")
            .replace("/old/b c", "/new/b c")
            .replace("/old/c'", "/new/c'")
            .replace("D=/old/d e", "D=\"/new/d e\"")
            .replace("`/old/j`", "`/new/j`")
            .replace("=/old/é", "=/new/é");
        assert_eq!(moved(text), (expected, 6));
        assert_eq!(rewrite(text, |_| None), (text.to_owned(), 0));
    }

    #[test]
    fn quotes_that_hold_lines_are_passed_over() {
        let text = "KEY=\"-----BEGIN\nA=/old/a\n-----END\" # x\nB=/old/b\nC='/old/never closed\nD=/old/d\n";
        let expected = text.replace("B=/old/b", "B=/new/b").replace("D=/old/d", "D=/new/d");
        assert_eq!(moved(text), (expected, 2));
        assert_eq!(moved("A=\"/old/\\n\"\nB=/old\\x\n").1, 0, "escapes");
    }

    #[test]
    fn a_value_that_needs_quotes_gets_them() {
        let to = |new: &str, text: &str| rewrite(text, |_| Some(new.to_owned())).0;
        assert_eq!(to("/a #b", "A=/x"), "A=\"/a #b\"");
        assert_eq!(to("/it's", "A='/x'"), "A=\"/it's\"");
        assert_eq!(to("/a\"b", "A=/x # c"), "A='/a\"b' # c");
        for impossible in ["/a$b", "/a\nb", "/\"'`"] {
            assert_eq!(to(impossible, "A=/x\n"), "A=/x\n");
        }
    }
}
