//! Replaces strings in JSON and JSON5 text, every other byte kept.

use crate::openclaw::include::{comment_length, line_length, string_length};

/// Offers each string, values and quoted keys alike, to `replace`; returns the new text and how
/// many strings were replaced.
pub(crate) fn rewrite(text: &str, mut replace: impl FnMut(&str) -> Option<String>) -> (String, u64) {
    let bytes = text.as_bytes();
    let mut result = String::with_capacity(text.len());
    let (mut at, mut copied, mut count) = (0, 0, 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest[0] {
            quote @ (b'"' | b'\'') => {
                let length = string_length(rest).min(rest.len());
                let is_closed = length > 1 && rest[length - 1] == quote;
                let inside = is_closed.then(|| text.get(at + 1..at + length - 1)).flatten();
                if let Some(new) = inside.and_then(decode).and_then(|value| replace(&value)) {
                    result.push_str(&text[copied..at]);
                    encode(&new, char::from(quote), &mut result);
                    copied = at + length;
                    count += 1;
                }
                length
            }
            b'/' if rest.starts_with(b"//") => line_length(rest),
            b'/' if rest.starts_with(b"/*") => comment_length(rest),
            _ => 1,
        };
        at += length;
    }
    result.push_str(&text[copied..]);
    (result, count)
}

/// Takes the escapes out of a string; `None` for what is no text.
fn decode(raw: &str) -> Option<String> {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            value.push(character);
            continue;
        }
        match rest.next()? {
            'b' => value.push('\u{8}'),
            'f' => value.push('\u{c}'),
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            'v' => value.push('\u{b}'),
            '0' => value.push('\0'),
            'x' => value.push(char::from_u32(digits(&mut rest, 2)?)?),
            'u' => {
                let first = digits(&mut rest, 4)?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    if (rest.next()?, rest.next()?) != ('\\', 'u') {
                        return None;
                    }
                    let second = digits(&mut rest, 4)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    0x1_0000 + ((first - 0xd800) << 10) + second
                } else {
                    first
                };
                value.push(char::from_u32(code)?);
            }
            // A line that goes on.
            '\r' => {
                if rest.as_str().starts_with('\n') {
                    rest.next();
                }
            }
            '\n' | '\u{2028}' | '\u{2029}' => {}
            other => value.push(other),
        }
    }
    Some(value)
}

fn digits(rest: &mut std::str::Chars<'_>, count: usize) -> Option<u32> {
    (0..count).try_fold(0, |code, _| Some(code << 4 | rest.next()?.to_digit(16)?))
}

fn encode(value: &str, quote: char, result: &mut String) {
    result.push(quote);
    for character in value.chars() {
        match character {
            '\\' => result.push_str("\\\\"),
            _ if character == quote => result.extend(['\\', quote]),
            '\u{2028}' | '\u{2029}' => result.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ if character < ' ' => result.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => result.push(character),
        }
    }
    result.push(quote);
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    fn moved(text: &str) -> String {
        rewrite(text, |value| value.strip_prefix("/old/").map(|rest| format!("/new/{rest}"))).0
    }

    #[test]
    fn all_but_the_strings_stays_byte_for_byte() {
        let text = "\u{feff}// \"/old/comment\" isn't one\n{\r\n\ta: '/old/a', /* '/old/b' \" */ \"b\" : \"/old/b\",\n\
                    \t'/old/key': [ \"see /old/x\", +.5, 0xFF, null, ], // it's '/old/c'\u{2028} c: '/old/d',\n}\n\n";
        let expected = "\u{feff}// \"/old/comment\" isn't one\n{\r\n\ta: '/new/a', /* '/old/b' \" */ \"b\" : \"/new/b\",\n\
                    \t'/new/key': [ \"see /old/x\", +.5, 0xFF, null, ], // it's '/old/c'\u{2028} c: '/new/d',\n}\n\n";
        assert_eq!(moved(text), expected);
        assert_eq!(rewrite(text, |_| None), (text.to_owned(), 0));
    }

    #[test]
    fn escapes_are_read_and_written_in_the_style_of_the_quotes() {
        for (text, expected) in [
            (r#""\/old\/\u00fc""#, r#""/new/ü""#),
            (r#""/old/\ud83d\ude00""#, r#""/new/😀""#),
            (r#""/old/\ud83d""#, r#""/old/\ud83d""#),
            (r"'\x2fold/it\'s'", r"'/new/it\'s'"),
            (r#"'/old/"q"'"#, r#"'/new/"q"'"#),
            (r#""/old/\"q\"\\""#, r#""/new/\"q\"\\""#),
            ("'/old/a\\\nb'", "'/new/ab'"),
            ("'/old/a\\\r\nb'", "'/new/ab'"),
            (r#""/old/\t""#, r#""/new/\u0009""#),
            (r#""a\\" : "/old/x""#, r#""a\\" : "/new/x""#),
        ] {
            assert_eq!(moved(text), expected, "{text}");
        }
    }

    #[test]
    fn text_that_ends_early_stays() {
        for text in ["\"/old/x", "'/old/x\\'", "/* '/old/x'", "'", "\"\\", "/", "{a:'/old/x"] {
            assert_eq!(moved(text), text);
        }
    }
}
