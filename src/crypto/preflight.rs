//! A look at an age header before any age implementation parses it (spec §5.2, §14.5).

use std::io::Read;

use crate::error::{Error, Result};
use crate::format::limits::LIMITS;

/// What the stanzas of an age header may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stanzas {
    /// Exactly one of type scrypt, of at most this work factor.
    Scrypt {
        /// Largest log2(N).
        max_work_factor: u8,
    },
    /// One or more, none of type scrypt.
    PublicKeys,
    /// Exactly one of type X25519, and grease, which age writes at random and ignores (§8.1).
    Member,
}

/// Reads the header of an age file and checks its size and stanzas; returns its length in bytes.
///
/// # Errors
///
/// `Malformed`; `LimitExceeded` for a work factor over the limit; errors of `file` as they are.
pub(crate) fn check(file: &mut impl Read, stanzas: Stanzas) -> Result<usize> {
    let header = read_header(file)?;
    let bad = |what: &str| Error::malformed(format!("age header: {what}"));
    let mut lines = header.split(|&byte| byte == b'\n');
    if lines.next() != Some(b"age-encryption.org/v1") {
        return Err(bad("is not of version 1"));
    }
    let (mut all, mut count) = (0, 0);
    for stanza in lines.filter_map(|line| line.strip_prefix(b"-> ")) {
        let kind = stanza.split(|&byte| byte == b' ').next().unwrap_or_default();
        all += 1;
        if stanzas == Stanzas::Member && kind.ends_with(b"-grease") {
            continue;
        }
        count += 1;
        if all > LIMITS.age_stanzas {
            return Err(bad("has more than 32 stanzas"));
        }
        let mut words = stanza.split(|&byte| byte == b' ');
        let scrypt = words.next() == Some(b"scrypt");
        match stanzas {
            Stanzas::Scrypt { max_work_factor } if scrypt => {
                let factor = words
                    .nth(1)
                    .and_then(work_factor)
                    .ok_or_else(|| bad("has a work factor that is not a number"))?;
                if factor > max_work_factor.into() {
                    return Err(Error::LimitExceeded {
                        what: "scrypt work factor".to_owned(),
                        limit: max_work_factor.into(),
                        found: factor,
                    });
                }
            }
            Stanzas::PublicKeys if !scrypt => {}
            Stanzas::Member if kind == b"X25519" => {}
            _ => return Err(bad("has a stanza of a wrong type")),
        }
    }
    match (stanzas, count) {
        (Stanzas::Scrypt { .. } | Stanzas::Member, 1) | (Stanzas::PublicKeys, 1..) => Ok(header.len()),
        _ => Err(bad("has a wrong number of stanzas")),
    }
}

/// Reads up to and with the line that begins with `---`.
fn read_header(file: &mut impl Read) -> Result<Vec<u8>> {
    let mut header = Vec::new();
    let mut part = [0; 512];
    loop {
        let count = match file.read(&mut part) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::stream("read an age header", error)),
        };
        header.extend_from_slice(&part[..count]);
        if let Some(length) = header_end(&header) {
            if length <= LIMITS.age_header {
                header.truncate(length);
                return Ok(header);
            }
        } else if count > 0 && header.len() <= LIMITS.age_header {
            continue;
        }
        return Err(Error::malformed("age header: does not end within 16 KiB"));
    }
}

fn header_end(bytes: &[u8]) -> Option<usize> {
    let start = bytes.windows(4).position(|window| window == b"\n---")? + 1;
    let line = bytes[start..].iter().position(|&byte| byte == b'\n')?;
    Some(start + line + 1)
}

fn work_factor(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    let canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() && !text.starts_with('0');
    // What is larger still is over every limit as well.
    canonical.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Stanzas, check};
    use crate::error::{Error, ErrorKind};

    const SCRYPT: Stanzas = Stanzas::Scrypt { max_work_factor: 20 };

    fn header(stanzas: &str) -> String {
        format!("age-encryption.org/v1\n{stanzas}--- mac\nrest")
    }

    fn kind(text: &str, stanzas: Stanzas) -> Option<ErrorKind> {
        check(&mut text.as_bytes(), stanzas).err().map(|error| error.kind())
    }

    #[test]
    fn headers_that_fit_the_slot_pass() {
        let public = header("-> X25519 a\nbody\n-> b-grease x\n\n");
        assert_eq!(check(&mut public.as_bytes(), Stanzas::PublicKeys).unwrap(), public.len() - 4);
        assert_eq!(kind(&header("-> scrypt salt 18\nbody\n"), SCRYPT), None);
    }

    #[test]
    fn a_work_factor_over_the_limit_is_told_as_it_stands() {
        for (digits, expected) in [("21", 21), ("256", 256), ("99999999999999999999", u64::MAX)] {
            let text = header(&format!("-> scrypt salt {digits}\nbody\n"));
            let error = check(&mut text.as_bytes(), SCRYPT).unwrap_err();
            assert!(matches!(error, Error::LimitExceeded { found, limit: 20, .. } if found == expected));
        }
    }

    #[test]
    fn a_member_has_one_stanza_and_grease() {
        let (own, grease) = ("-> X25519 a\nbody\n", "-> x-grease y\n\n");
        assert_eq!(kind(&header(&format!("{own}{grease}")), Stanzas::Member), None);
        for bad in [grease.to_owned(), own.repeat(2), format!("{own}-> ssh-rsa a\nbody\n"), grease.repeat(40)]
        {
            assert_eq!(kind(&header(&bad), Stanzas::Member), Some(ErrorKind::Malformed), "{bad}");
        }
    }
}
