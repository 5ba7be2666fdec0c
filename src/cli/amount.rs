//! Numbers of bytes on the command line: `700M`, `4GiB`.

/// Parses a number of bytes: digits, and a binary unit where it is not bytes.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let power = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KIB" => 1,
        "M" | "MIB" => 2,
        "G" | "GIB" => 3,
        "T" | "TIB" => 4,
        _ => return Err("expected a number with K, M, G or T, such as 700M or 4G".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "expected a number such as 700M or 4G".to_owned())?;
    number.checked_mul(1 << (10 * power)).ok_or_else(|| "that is more than any drive holds".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn units_are_binary_and_their_case_does_not_matter() {
        for (text, bytes) in [
            ("1048576", 1 << 20),
            ("700M", 700 << 20),
            ("4G", 4 << 30),
            ("4g", 4 << 30),
            ("2GiB", 2 << 30),
            ("64KiB", 64 << 10),
            ("1T", 1 << 40),
            ("5B", 5),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "M", "4.7G", "-1", "4GB", "4 G", "1e9", "99999999999T", "18446744073709551616"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
