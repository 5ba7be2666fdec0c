//! OpenClaw's release numbers and their order.

use std::cmp::Ordering;

/// A release such as `2026.9.6`, `2026.9.6-1` (a second edition) or `2026.9.6-beta.2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Release {
    numbers: Vec<u64>,
    stage: Stage,
}

/// What stands after the numbers; the order of the variants is that of the releases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Before(String, u64),
    Edition(u64),
}

impl Release {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split('+').next().unwrap_or(text);
        let (numbers, stage) = match text.split_once('-') {
            None => (text, Stage::Edition(0)),
            Some((numbers, stage)) => (numbers, parse_stage(stage)?),
        };
        let numbers: Vec<u64> =
            numbers.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        (numbers.len() == 3).then_some(Self { numbers, stage })
    }
}

fn parse_stage(text: &str) -> Option<Stage> {
    if let Ok(edition) = text.parse() {
        return Some(Stage::Edition(edition));
    }
    let (name, number) = text.split_once('.').unwrap_or((text, "0"));
    Some(Stage::Before(name.to_owned(), number.parse().ok()?))
}

/// Compares two releases; `None` where one of them is no release.
pub(crate) fn compare(one: &str, other: &str) -> Option<Ordering> {
    Some(Release::parse(one)?.cmp(&Release::parse(other)?))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::compare;

    #[test]
    fn releases_follow_their_numbers_and_stages() {
        let ascending = [
            "2026.3.13",
            "2026.9.6-alpha.9",
            "2026.9.6-beta",
            "2026.9.6-beta.2",
            "2026.9.6-beta.10",
            "2026.9.6",
            "2026.9.6-1",
            "v2026.9.7+build",
            "2026.10.1",
            "2027.1.1",
        ];
        for (at, one) in ascending.iter().enumerate() {
            for (number, other) in ascending.iter().enumerate() {
                assert_eq!(compare(one, other), Some(at.cmp(&number)), "{one} {other}");
            }
        }
        assert_eq!(compare("2026.9.6", "2026.9.6-0"), Some(Ordering::Equal));
        for text in ["", "2026", "2026.9", "2026.9.x", "latest", "2026.9.6-beta.x", "1.2.3.4"] {
            assert_eq!(compare(text, "2026.9.6"), None, "{text}");
        }
    }
}
