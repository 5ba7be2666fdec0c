//! Small textual encodings that several parts of the format share: hex, decimal, time (spec §2, §8.5).

use crate::format::entry::Mtime;
use crate::format::limits::LIMITS;

/// Encodes bytes as lower-case hex: an index has a digest for every file, and `hex::encode` goes letter by letter.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = vec![0; bytes.len().saturating_mul(2)];
    // Exactly twice as long, of which each byte is a digit.
    let _ = hex::encode_to_slice(bytes, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Decodes exactly `N` bytes of lower-case hex.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let pairs: &[[u8; 2]; N] = pairs.try_into().ok()?;
    let bytes = pairs.map(|[high, low]| DIGITS[usize::from(high)] << 4 | DIGITS[usize::from(low)]);
    // No digit has the upper bits; looked for in one go, and not at every letter.
    let wrong = pairs.as_flattened().iter().fold(0, |bits, letter| bits | DIGITS[usize::from(*letter)]);
    (wrong & NO_DIGIT == 0).then_some(bytes)
}

/// The value of every letter as a digit of lower-case hex.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        value = value.wrapping_add(1);
    }
    digits
};
const NO_DIGIT: u8 = 0x80;

/// Decodes a decimal number in its only form.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    canonical.then(|| text.parse().ok()).flatten()
}

impl Mtime {
    /// Encodes the time as in PAX records and index lines.
    pub(crate) fn to_text(self) -> String {
        let (sign, seconds, nanoseconds) = if self.seconds < 0 && self.nanoseconds > 0 {
            // The text counts from zero, the struct from below: -0.5 is (-1, 500,000,000).
            let fraction = NANOSECONDS.saturating_sub(self.nanoseconds);
            let whole = self.seconds.saturating_add(1).unsigned_abs();
            ("-", whole, fraction)
        } else if self.seconds < 0 {
            ("-", self.seconds.unsigned_abs(), 0)
        } else {
            ("", self.seconds.unsigned_abs(), self.nanoseconds)
        };
        if nanoseconds == 0 {
            return format!("{sign}{seconds}");
        }
        let mut text = format!("{sign}{seconds}.{nanoseconds:09}");
        text.truncate(text.trim_end_matches('0').len());
        text
    }

    /// Decodes a time in its only form.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        // §8.5: one form for each time.
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, fraction)) if fraction.is_empty() || fraction.ends_with('0') => return None,
            parts => parts.unwrap_or((digits, "")),
        };
        let whole = i64::try_from(decimal(whole)?).ok()?;
        if whole > LIMITS.mtime_seconds || fraction.len() > 9 {
            return None;
        }
        let nanoseconds = if fraction.is_empty() {
            0
        } else {
            let digits_only = fraction.bytes().all(|byte| byte.is_ascii_digit());
            let digits = digits_only.then(|| fraction.parse::<u32>().ok()).flatten()?;
            // At most nine digits in all.
            digits.checked_mul(10_u32.pow(9_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?))?
        };
        Some(match (negative, nanoseconds) {
            (false, _) => Self { seconds: whole, nanoseconds },
            // There is no `-0`.
            (true, 0) if whole == 0 => return None,
            (true, 0) => Self { seconds: whole.checked_neg()?, nanoseconds },
            (true, _) => Self {
                seconds: whole.checked_neg()?.checked_sub(1)?,
                nanoseconds: NANOSECONDS.checked_sub(nanoseconds)?,
            },
        })
    }
}

const NANOSECONDS: u32 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::{decimal, unhex};
    use crate::format::entry::Mtime;

    #[test]
    fn times_have_one_form() {
        for (text, seconds, nanoseconds) in [
            ("0", 0, 0),
            ("1763791200", 1_763_791_200, 0),
            ("1763791200.5", 1_763_791_200, 500_000_000),
            ("0.000000001", 0, 1),
            ("-1", -1, 0),
            ("-0.5", -1, 500_000_000),
            ("-1.25", -2, 750_000_000),
        ] {
            let time = Mtime { seconds, nanoseconds };
            assert_eq!(time.to_text(), text);
            assert_eq!(Mtime::from_text(text), Some(time), "{text}");
        }
        for bad in [
            "",
            "-",
            "-0",
            "+1",
            "01",
            "1.",
            "1.0",
            "1.50",
            ".5",
            "1.0000000001",
            "1e3",
            " 1",
            "36028797018963969",
            "1.+5",
            "--1",
        ] {
            assert_eq!(Mtime::from_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn hex_and_decimals_have_one_form() {
        assert_eq!(unhex::<2>("0aff"), Some([0x0a, 0xff]));
        for bad in ["0aFF", "0af", "0aff0", "zz00", ""] {
            assert_eq!(unhex::<2>(bad), None, "{bad}");
        }
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("10"), Some(10));
        for bad in ["", "00", "01", "+1", "-1", "18446744073709551616"] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
    }
}
