//! The manifest: the public facts of an archive (spec §6).

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::format::entry::Role;
use crate::format::limits::LIMITS;
use crate::format::text::unhex;

/// What an archive says of itself without a key.
///
/// Authenticated only as part of an opened [`Archive`](crate::Archive).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Random id of the archive.
    pub archive: [u8; 16],
    /// Random id that the archives of one installation share.
    pub series: Option<[u8; 16]>,
    /// When it was made, UTC: `2026-11-22T05:48:58Z`.
    pub created: String,
    /// The program that made it.
    pub writer: String,
    /// The payloads; `state` first.
    pub payloads: Vec<PayloadMembers>,
    /// The parity member, where there is one.
    pub parity: Option<Member>,
}

/// The two members of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadMembers {
    /// What the payload is for.
    pub role: Role,
    /// The payload itself.
    pub payload: Member,
    /// Its index.
    pub index: Member,
}

/// Length and digest of a member's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 of the ciphertext.
    pub sha256: [u8; 32],
}

impl Manifest {
    /// Encodes the manifest in its only form.
    pub(crate) fn encode(&self) -> String {
        let mut text = format!(
            "format = \"{FORMAT}\"\nversion = {VERSION}\narchive = \"{}\"\n",
            hex::encode(self.archive)
        );
        if let Some(series) = self.series {
            text += &format!("series = \"{}\"\n", hex::encode(series));
        }
        text += &format!("created = \"{}\"\nwriter = \"{}\"\nfeatures = []\n", self.created, self.writer);
        for members in &self.payloads {
            let name = payload_name(members.role);
            text += &format!("\n[{}]\n", members.role);
            text += &encode_member("", &name, members.payload);
            let name = index_name(members.role);
            text += &encode_member("index_", &name, members.index);
        }
        if let Some(parity) = self.parity {
            text += "\n[parity]\n";
            text += &encode_member("", PARITY_NAME, parity);
        }
        text
    }

    /// Decodes a manifest.
    ///
    /// # Errors
    ///
    /// `Unsupported` for another version or an unknown feature, else `Malformed`.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let bad = |what: &str| Error::malformed(format!("manifest: {what}"));
        if bytes.len() > LIMITS.manifest {
            return Err(bad("is longer than 8 KiB"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| bad("is not UTF-8"))?;
        let envelope: Envelope = toml::from_str(text).map_err(|_| bad("is not the TOML expected"))?;
        // §6.2: format and version before anything else.
        if envelope.format != FORMAT {
            return Err(bad("names another format"));
        }
        if envelope.version != VERSION {
            return Err(Error::UnsupportedVersion { found: envelope.version });
        }
        if let Some(feature) = envelope.features.into_iter().next() {
            if !is_feature(&feature) {
                return Err(bad("has a feature with a name against the rules"));
            }
            return Err(Error::UnsupportedFeature { feature });
        }
        let raw: Raw = toml::from_str(text).map_err(|_| bad("has other keys than version 1"))?;
        let manifest = raw.parse().ok_or_else(|| bad("has a value against the rules"))?;
        // §6.1: what is not byte for byte the canonical form is refused.
        if manifest.encode() != text {
            return Err(bad("is not in canonical form"));
        }
        Ok(manifest)
    }

    /// The members after the head region, in order.
    pub(crate) fn members(&self) -> impl Iterator<Item = (String, Member)> + '_ {
        let payloads = self.payloads.iter().flat_map(|members| {
            [(payload_name(members.role), members.payload), (index_name(members.role), members.index)]
        });
        let parity = self.parity.map(|member| (PARITY_NAME.to_owned(), member));
        payloads.chain(parity)
    }
}

/// Name of a payload's member.
pub(crate) fn payload_name(role: Role) -> String {
    format!("ocbak/{role}.tar.zst.age")
}

/// Name of an index's member.
pub(crate) fn index_name(role: Role) -> String {
    format!("ocbak/{role}.index.zst.age")
}

fn encode_member(prefix: &str, name: &str, member: Member) -> String {
    format!(
        "{prefix}member = \"{name}\"\n{prefix}length = {}\n{prefix}sha256 = \"{}\"\n",
        member.length,
        hex::encode(member.sha256)
    )
}

fn is_feature(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// A plain string needs no escapes (§6.1).
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\')
}

/// `YYYY-MM-DDTHH:MM:SSZ` and a time that exists.
fn is_time(text: &str) -> bool {
    let shape = text.bytes().zip(*b"0000-00-00T00:00:00Z").all(|pair| match pair {
        (byte, b'0') => byte.is_ascii_digit(),
        (byte, fixed) => byte == fixed,
    });
    let field = |at: usize| text.get(at..at.saturating_add(2)).and_then(|digits| digits.parse::<u32>().ok());
    let year = text.get(..4).and_then(|digits| digits.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (year, field(5), field(8)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    };
    shape
        && text.len() == 20
        && (1..=12).contains(&month)
        && (1..=days).contains(&day)
        && field(11).is_some_and(|hour| hour < 24)
        && field(14).is_some_and(|minute| minute < 60)
        && field(17).is_some_and(|second| second < 60)
}

/// What is looked at before the version is known.
#[derive(Deserialize)]
struct Envelope {
    format: String,
    version: u64,
    #[serde(default)]
    features: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "format")]
    _format: String,
    #[serde(rename = "version")]
    _version: u64,
    archive: String,
    series: Option<String>,
    created: String,
    writer: String,
    #[serde(rename = "features")]
    _features: Vec<String>,
    state: RawPayload,
    workspace: Option<RawPayload>,
    parity: Option<RawMember>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPayload {
    #[serde(rename = "member")]
    _member: String,
    length: u64,
    sha256: String,
    #[serde(rename = "index_member")]
    _index_member: String,
    index_length: u64,
    index_sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMember {
    #[serde(rename = "member")]
    _member: String,
    length: u64,
    sha256: String,
}

impl Raw {
    fn parse(self) -> Option<Manifest> {
        let series = match self.series {
            Some(text) => Some(unhex(&text)?),
            None => None,
        };
        let mut payloads = vec![self.state.parse(Role::State)?];
        if let Some(workspace) = self.workspace {
            payloads.push(workspace.parse(Role::Workspace)?);
        }
        let parity = match self.parity {
            Some(raw) => Some(member(raw.length, &raw.sha256)?),
            None => None,
        };
        let writer_fits = (1..=64).contains(&self.writer.len()) && is_plain(&self.writer);
        (writer_fits && is_time(&self.created)).then_some(Manifest {
            archive: unhex(&self.archive)?,
            series,
            created: self.created,
            writer: self.writer,
            payloads,
            parity,
        })
    }
}

impl RawPayload {
    fn parse(self, role: Role) -> Option<PayloadMembers> {
        Some(PayloadMembers {
            role,
            payload: member(self.length, &self.sha256)?,
            index: member(self.index_length, &self.index_sha256)?,
        })
    }
}

fn member(length: u64, sha256: &str) -> Option<Member> {
    let sha256 = unhex(sha256)?;
    (length < LIMITS.length).then_some(Member { length, sha256 })
}

const FORMAT: &str = "ocbak";
const VERSION: u64 = 1;
/// Name of the parity member.
pub(crate) const PARITY_NAME: &str = "ocbak/parity";

#[cfg(test)]
pub(crate) mod tests {
    use super::{Manifest, Member, PayloadMembers};
    use crate::format::entry::Role;

    pub(crate) fn sample() -> Manifest {
        let member = |byte: u8| Member { length: 1000 + u64::from(byte), sha256: [byte; 32] };
        Manifest {
            archive: [0x8f; 16],
            series: Some([0x0d; 16]),
            created: "2026-11-22T05:48:58Z".to_owned(),
            writer: "ocbak 0.1.0".to_owned(),
            payloads: vec![
                PayloadMembers { role: Role::State, payload: member(1), index: member(2) },
                PayloadMembers { role: Role::Workspace, payload: member(3), index: member(4) },
            ],
            parity: None,
        }
    }

    #[test]
    fn a_manifest_comes_back() {
        let mut manifest = sample();
        assert_eq!(Manifest::decode(manifest.encode().as_bytes()).unwrap(), manifest);
        manifest.series = None;
        manifest.payloads.truncate(1);
        manifest.parity = Some(Member { length: 0, sha256: [9; 32] });
        assert_eq!(Manifest::decode(manifest.encode().as_bytes()).unwrap(), manifest);
    }
}
