//! How many guesses a passphrase stands, by what people who guess try first: common passwords, words, sequences.
//!
//! An estimate of a few lines, since what is typed stays in memory that is wiped; libraries for this make copies.

use zeroize::Zeroizing;

/// What a passphrase is worth.
#[derive(Debug)]
pub(super) struct Strength {
    /// Half of 2 to the power of this many guesses find it.
    bits: f64,
    /// What most of it is.
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Common,
    Sequence,
    Word,
    Digits,
    Other,
}

impl Strength {
    /// Looks at a passphrase.
    pub(super) fn of(text: &str) -> Self {
        let characters = Zeroizing::new(text.chars().collect::<Vec<char>>());
        let folded = Zeroizing::new(characters.iter().map(|c| fold(*c)).collect::<Vec<char>>());
        let pairs = Pairs::new();
        let mut bits = 0.0;
        let mut lengths = [0; 5];
        let mut at = 0;
        while at < characters.len() {
            let (kind, length, cost) = piece(&characters, &folded, at, &pairs);
            bits += cost;
            lengths[kind as usize] += length;
            at += length;
        }
        let kinds = [Kind::Common, Kind::Sequence, Kind::Word, Kind::Digits, Kind::Other];
        let kind = kinds.into_iter().max_by_key(|kind| lengths[*kind as usize]).unwrap_or(Kind::Other);
        Self { bits, kind }
    }

    pub(super) fn is_weak(&self) -> bool {
        self.bits < ENOUGH
    }

    /// Says in one sentence what it is worth, and of a weak one why.
    pub(super) fn sentence(&self) -> String {
        let time = time(self.bits);
        if !self.is_weak() {
            return format!("a thousand computers would need {time} to guess this passphrase");
        }
        let why = match self.kind {
            Kind::Common => "it is little more than a common password",
            Kind::Sequence => "it is mostly repetitions or keys beside each other",
            Kind::Word => "it is only a few words",
            Kind::Digits => "it is mostly digits",
            Kind::Other => "it is short",
        };
        format!("this passphrase is weak, since {why}: a thousand computers would need {time} to guess it")
    }
}

/// Finds what begins at a place: its kind, its length and its bits.
fn piece(characters: &[char], folded: &[char], at: usize, pairs: &Pairs) -> (Kind, usize, f64) {
    let rest = &characters[at..];
    let common = COMMON.split(' ').filter(|word| starts_with(&folded[at..], word)).map(str::len).max();
    if let Some(length) = common {
        return (Kind::Common, length, 8.0);
    }
    let sequence = sequence(rest);
    if sequence >= 3 {
        return (Kind::Sequence, sequence, 6.0 + log2(sequence));
    }
    let again = again(folded, at);
    if again >= 3 {
        return (Kind::Sequence, again, 1.0 + log2(at));
    }
    let count = |is: fn(char) -> bool| rest.iter().take_while(|c| is(**c)).count();
    let digits = count(|c| c.is_ascii_digit());
    if digits > 0 {
        let year = digits == 4 && (rest.starts_with(&['1', '9']) || rest.starts_with(&['2', '0']));
        return (Kind::Digits, digits, if year { 7.0 } else { 3.3 * float(digits) });
    }
    // A capital begins a word; letters that are all capitals are one.
    let capitals = count(|c| c.is_ascii_uppercase());
    let small = rest[capitals.min(1)..].iter().take_while(|c| c.is_ascii_lowercase()).count();
    let letters = capitals.max(small + capitals.min(1));
    if letters >= 3 && pairs.look_like_a_word(&folded[at..at + letters]) {
        // A word among some 8,000; what is longer may be several.
        let cost = 13.0_f64.min(4.0 * float(letters)) + 2.3 * float(letters.saturating_sub(8));
        return (Kind::Word, letters, cost + f64::from(u8::from(capitals > 0)));
    }
    if letters > 0 {
        return (Kind::Other, letters, 4.7 * float(letters));
    }
    let before = at.checked_sub(1).is_some_and(|last| characters[..last].contains(&rest[0]));
    // What stands between words is mostly the same.
    (
        Kind::Other,
        1,
        if before {
            1.0
        } else if rest[0].is_ascii() {
            4.0
        } else {
            8.0
        },
    )
}

/// How many characters go on as they began: the same, one up or down, or one key aside.
fn sequence(text: &[char]) -> usize {
    let step = |pair: &[char]| {
        let pair = [pair[0], pair[1]].map(|c| c.to_ascii_lowercase());
        let codes = i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0]));
        let keys = ROWS.iter().find_map(|row| Some((row.find(pair[0])?, row.find(pair[1])?)));
        let keys =
            keys.map_or(9, |(from, to)| i64::try_from(to).unwrap_or(9) - i64::try_from(from).unwrap_or(0));
        [codes, keys].map(|step| if step.abs() <= 1 { step } else { 9 })
    };
    let mut pairs = text.windows(2).map(step);
    let Some(first) = pairs.next() else {
        return text.len();
    };
    let longest = (0..2)
        .filter(|way| first[*way] != 9)
        .map(|way| 2 + text.windows(2).skip(1).map(step).take_while(|next| next[way] == first[way]).count());
    longest.max().unwrap_or(1)
}

/// How many characters were there before in the same order.
fn again(text: &[char], at: usize) -> usize {
    let same = |from: usize| text[from..at].iter().zip(&text[at..]).take_while(|(a, b)| a == b).count();
    (0..at).map(same).max().unwrap_or(0)
}

/// The small letter that a character may stand for.
fn fold(character: char) -> char {
    match character {
        '@' | '4' => 'a',
        '0' => 'o',
        '3' => 'e',
        '$' => 's',
        other => other.to_ascii_lowercase(),
    }
}

fn starts_with(text: &[char], word: &str) -> bool {
    text.len() >= word.len() && word.chars().map(fold).zip(text).all(|(a, b)| a == *b)
}

/// Which letters follow each other in words.
struct Pairs([u32; 26]);

impl Pairs {
    fn new() -> Self {
        let mut seen = [[0_u8; 26]; 26];
        for word in bip39::Language::English.word_list() {
            for pair in word.as_bytes().windows(2) {
                let [from, to] = [pair[0], pair[1]].map(|letter| usize::from(letter.saturating_sub(b'a')));
                seen[from][to] = seen[from][to].saturating_add(1);
            }
        }
        Self(seen.map(|row| {
            (0..26).zip(row).filter(|(_, count)| *count >= 5).map(|(letter, _)| 1 << letter).sum()
        }))
    }

    fn look_like_a_word(&self, letters: &[char]) -> bool {
        let number =
            |letter: char| u32::from(letter).checked_sub(u32::from('a')).filter(|number| *number < 26);
        let follows = |pair: &&[char]| {
            let (Some(from), Some(to)) = (number(pair[0]), number(pair[1])) else {
                return false;
            };
            self.0[from as usize] >> to & 1 == 1
        };
        let known = letters.windows(2).filter(follows).count();
        // A name or a word of another language may have an odd pair.
        known * 6 >= (letters.len() - 1) * 5
    }
}

/// How long a thousand computers guess that try one passphrase a second each, as scrypt makes them.
fn time(bits: f64) -> String {
    let hours = (bits - 1.0).exp2() / 1000.0 / 3600.0;
    let (amount, unit) = match hours {
        h if h < 2.0 => return "less than two hours".to_owned(),
        h if h < 48.0 => (h, "hours"),
        h if h < 24.0 * 730.0 => (h / 24.0, "days"),
        h if h < 24.0 * 365.0 * 1e6 => (h / 24.0 / 365.0, "years"),
        _ => return "more than a million years".to_owned(),
    };
    format!("about {amount:.0} {unit}")
}

fn log2(number: usize) -> f64 {
    float(number).log2()
}

/// Passphrases are no longer than a few thousand characters.
fn float(number: usize) -> f64 {
    f64::from(u16::try_from(number).unwrap_or(u16::MAX))
}

/// Bits from which on a passphrase is not called weak: a thousand computers for 17 years.
const ENOUGH: f64 = 40.0;
const ROWS: [&str; 5] = ["qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "1234567890"];
/// What is tried first, in the small letters of [`fold`].
const COMMON: &str = "password passwort passphrase passwd letmein welcome iloveyou changeme trustno monkey dragon \
    master superman batman football baseball starwars princess sunshine shadow freedom whatever computer internet \
    secret login admin administrator root user guest test default server backup openclaw claw agent gateway telegram \
    whatsapp hello summer winter spring autumn january february march april june july august september october \
    november december monday tuesday wednesday thursday friday saturday sunday";

#[cfg(test)]
mod tests {
    use super::{Kind, Strength, time};

    #[test]
    fn what_is_guessed_first_is_weak_and_why_is_said() {
        for (text, kind) in [
            ("Password1234", Kind::Common),
            ("p@ssw0rd2026!", Kind::Common),
            ("openclaw-backup", Kind::Common),
            ("Summer2026!!", Kind::Common),
            ("aaaaaaaaaaaa", Kind::Sequence),
            ("abcdefghijklmnop", Kind::Sequence),
            ("qwertyuiopasdfgh", Kind::Sequence),
            ("xq7xq7xq7xq7xq7xq7", Kind::Sequence),
            ("987654321000", Kind::Sequence),
            ("481902771936", Kind::Digits),
            ("correct horse", Kind::Word),
            ("elephant garden", Kind::Word),
            ("Kind Regards", Kind::Word),
        ] {
            let found = Strength::of(text);
            assert!(found.is_weak(), "{text}: {found:?}");
            assert_eq!(found.kind, kind, "{text}: {found:?}");
            let said = found.sentence();
            assert!(said.starts_with("this passphrase is weak, since it is "), "{said}");
            assert!(!said.contains(text));
        }
    }

    #[test]
    fn what_nobody_guesses_is_not() {
        for text in [
            "correct horse battery staple",
            "xkqzpvtmwrbj",
            "h7Kq!9vTz2Lp",
            "the owl that ate my left shoe",
            "48190277193648190512",
            "長い合言葉は強いものです",
            "zoo-abandon-ladder-velvet-exile",
        ] {
            let found = Strength::of(text);
            assert!(!found.is_weak(), "{text}: {found:?}");
            assert!(found.sentence().ends_with(" to guess this passphrase"));
        }
    }

    #[test]
    fn more_of_the_same_is_worth_more() {
        let bits = |text: &str| Strength::of(text).bits;
        assert!(bits("correct horse") < bits("correct horse battery"));
        assert!(bits("h7Kq!9vT") < bits("h7Kq!9vTz2"));
        assert!((bits("") - 0.0).abs() < 0.1);
    }

    #[test]
    fn times_are_rounded() {
        assert_eq!(time(10.0), "less than two hours");
        assert_eq!(time(25.0), "about 5 hours");
        assert_eq!(time(30.0), "about 6 days");
        assert_eq!(time(40.0), "about 17 years");
        assert_eq!(time(80.0), "more than a million years");
    }

    /// Whatever is typed.
    #[test]
    fn any_text_has_a_strength() {
        for text in ["\u{0}", "é", "a", "ab", "🦞🦞🦞🦞", &"aB3 ".repeat(1024)] {
            assert!(Strength::of(text).bits.is_finite(), "{text}");
        }
    }
}
