//! The name of an archive that the user did not name.

use jiff::Timestamp;

/// Makes the default name: `openclaw-<profile>-<UTC time>.ocbak`, or `openclaw-<profile>-config-…`
/// where nothing but the configuration is stored.
///
/// It says what is in the file and sorts by time; it does not say whose it is.
pub(crate) fn default_name(profile: Option<&str>, only_config: bool, created: Timestamp) -> String {
    let profile: String = profile
        .unwrap_or("default")
        .chars()
        // A profile's name has none of these; where one came from elsewhere, it must not leave
        // the directory.
        .map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' })
        .collect();
    let part = if only_config { "-config" } else { "" };
    format!("openclaw-{profile}{part}-{}.ocbak", created.strftime("%Y%m%dT%H%M%SZ"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::default_name;

    #[test]
    fn names_say_profile_and_time() {
        let time = Timestamp::from_second(1_795_326_538).unwrap();
        assert_eq!(default_name(None, false, time), "openclaw-default-20261122T054858Z.ocbak");
        assert_eq!(default_name(Some("work"), false, time), "openclaw-work-20261122T054858Z.ocbak");
        assert_eq!(default_name(None, true, time), "openclaw-default-config-20261122T054858Z.ocbak");
    }

    #[test]
    fn names_stay_in_their_directory() {
        let time = Timestamp::UNIX_EPOCH;
        let name = default_name(Some("../a b"), false, time);
        assert_eq!(name, "openclaw-___a_b-19700101T000000Z.ocbak");
    }
}
