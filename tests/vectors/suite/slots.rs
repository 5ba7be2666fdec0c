//! The key slots (spec §5).

use super::{Suite, at_unlock, sound};
use crate::forge::age::Age;
use crate::forge::{
    Forge, IDENTITY_LINE, Key, Member, SSH, USER, identity_line, passphrase_slot, recipients_slot,
};

pub fn add(suite: &mut Suite) {
    suite.add("slot-passphrase", "§5.2", "Opens with a passphrase.", sound(), |forge| {
        by_passphrase(forge, "3");
    });
    suite.add("slot-both", "§5.2", "Both slots; the passphrase is given.", sound(), |forge| {
        let recipients = forge.slots.pop().unwrap();
        by_passphrase(forge, "3");
        forge.slots.push(recipients);
    });
    suite.add("slot-comments", "§5.3", "Comments around the identity line.", sound(), |forge| {
        forge.slots = vec![recipients_slot(&to_user(), format!("# FAKE\n{IDENTITY_LINE}\n# FAKE\n"))];
    });
    suite.add("slot-32-stanzas", "§5.2", "As many stanzas as may be.", sound(), |forge| {
        forge.slots = vec![recipients_slot(&to_user().grease("x-grease", 31), identity_line())];
    });
    suite.add("slot-ssh-ed25519", "§5.2", "Encrypted to a key of SSH.", sound(), |forge| {
        forge.slots = vec![recipients_slot(&Age::new(1).for_ssh(SSH), identity_line())];
        forge.key = Key::Ssh(SSH_FILE);
    });
    suite.add(
        "slot-ssh-among-others",
        "§5.2",
        "Keys of SSH beside the one that opens it.",
        sound(),
        |forge| {
            let age = Age::new(1).for_ssh(SSH).grease("ssh-rsa", 1).for_secret(USER);
            forge.slots = vec![recipients_slot(&age, identity_line())];
        },
    );
    suite.add(
        "slot-ssh-other-key",
        "§5.2",
        "The key of SSH fits no stanza.",
        at_unlock("wrong-key"),
        |forge| forge.key = Key::Ssh(SSH_FILE),
    );
    suite.add(
        "slot-good-beside-bad",
        "§4.3",
        "The passphrase slot is against the rules; the identity opens the other one.",
        sound(),
        |forge| {
            let recipients = forge.slots.pop().unwrap();
            forge.slots = vec![passphrase_slot(PASSPHRASE, "07"), recipients];
        },
    );
    suite.add(
        "slot-wrong-identity",
        "§5.2",
        "The identity fits no stanza.",
        at_unlock("wrong-key"),
        |forge| {
            forge.key = Key::WRONG;
        },
    );
    suite.add("slot-wrong-passphrase", "§5.2", "Another passphrase.", at_unlock("wrong-key"), |forge| {
        by_passphrase(forge, "3");
        forge.key = Key::Passphrase("FAKE passphrasf");
    });
    suite.add(
        "slot-passphrase-with-line-end",
        "§5.2",
        "The slot was made with the LF after the passphrase.",
        at_unlock("wrong-key"),
        |forge| {
            forge.slots = vec![passphrase_slot("FAKE passphrase\n", "3")];
            forge.key = Key::Passphrase(PASSPHRASE);
        },
    );
    for (name, comment, says) in [
        ("scrypt-factor-21", "A work factor of 21.", "21"),
        ("scrypt-factor-63", "A work factor that no machine has the memory for.", "63"),
        ("scrypt-factor-beyond-64-bits", "A work factor of twenty digits.", "99999999999999999999"),
    ] {
        suite.add(name, "§5.2", comment, at_unlock("limit-exceeded"), |forge| by_passphrase(forge, says));
    }
    for (name, comment, says) in [
        ("scrypt-factor-0", "A work factor of 0.", "0"),
        ("scrypt-factor-leading-zero", "A work factor with a leading zero.", "03"),
        ("scrypt-factor-sign", "A work factor with a sign.", "+3"),
        ("scrypt-factor-hex", "A work factor that is not decimal.", "a"),
    ] {
        suite.add(name, "§5.2", comment, at_unlock("malformed"), |forge| by_passphrase(forge, says));
    }
    let passphrase = |age: fn(Age) -> Age| {
        move |forge: &mut Forge| {
            let slot = age(Age::new(2)).seal(identity_line().as_bytes());
            forge.slots = vec![("ocbak/passphrase.key.age".to_owned(), slot)];
            forge.key = Key::Passphrase(PASSPHRASE);
        }
    };
    suite.add(
        "scrypt-two-stanzas",
        "§5.2",
        "A passphrase slot with two scrypt stanzas.",
        at_unlock("malformed"),
        passphrase(|age| age.for_passphrase(PASSPHRASE, "3").for_passphrase("FAKE other", "3")),
    );
    suite.add(
        "scrypt-and-grease",
        "§5.2",
        "A passphrase slot with a further stanza.",
        at_unlock("malformed"),
        passphrase(|age| age.for_passphrase(PASSPHRASE, "3").grease("x-grease", 1)),
    );
    suite.add(
        "scrypt-slot-of-recipients",
        "§5.2",
        "A passphrase slot with an X25519 stanza.",
        at_unlock("malformed"),
        passphrase(|age| age.for_secret(USER)),
    );
    for (name, rule, comment, age) in AGE {
        suite.add(name, rule, comment, at_unlock("malformed"), |forge| {
            forge.slots = vec![recipients_slot(&age(to_user()), identity_line())];
        });
    }
    for (name, comment, plaintext) in PLAINTEXTS {
        suite.add(name, "§5.3", comment, at_unlock("malformed"), |forge| {
            forge.slots = vec![recipients_slot(&to_user(), plaintext)];
        });
    }
    suite.add(
        "slot-text-too-long",
        "§5.3",
        "More than 1 KiB, of comments.",
        at_unlock("malformed"),
        |forge| {
            let comment = "x".repeat(1024);
            forge.slots = vec![recipients_slot(&to_user(), format!("#{comment}\n{IDENTITY_LINE}\n"))];
        },
    );
    suite.add(
        "slot-of-another-archive",
        "§7",
        "The slot holds the identity of another archive.",
        at_unlock("tampered"),
        |forge| forge.slots = vec![other_slot()],
    );
}

/// FAKE: an archive identity that no archive of the forge has.
pub const OTHER_LINE: &str = "AGE-SECRET-KEY-1GDP5XS6RGDP5XS6RGDP5XS6RGDP5XS6RGDP5XS6RGDP5XS6RGDPSST380Y";

/// The slot of an archive with [`OTHER_LINE`].
pub fn other_slot() -> Member {
    recipients_slot(&to_user(), format!("{OTHER_LINE}\n"))
}

const SSH_FILE: &str = include_str!("../../../fixtures/keys/ssh-ed25519");
const PASSPHRASE: &str = "FAKE passphrase";

fn to_user() -> Age {
    Age::new(1).for_secret(USER)
}

fn by_passphrase(forge: &mut Forge, says: &str) {
    forge.slots = vec![passphrase_slot(PASSPHRASE, says)];
    forge.key = Key::Passphrase(PASSPHRASE);
}

type Change = fn(Age) -> Age;

const AGE: [(&str, &str, &str, Change); 10] = [
    ("slot-33-stanzas", "§5.2", "A stanza more than may be.", |age| age.grease("x-grease", 32)),
    ("slot-stanza-flood", "§5.2", "A thousand stanzas.", |age| {
        let mut age = age.grease("x", 0);
        age.stanzas.splice(0..0, std::iter::repeat_n("-> x\n\n".to_owned(), 1000));
        age
    }),
    ("slot-header-without-end", "§5.2", "The header goes on to the end of the member.", |mut age| {
        age.file = |file| *file = b"age-encryption.org/v1\n-> x\n".repeat(100);
        age
    }),
    ("slot-recipients-by-scrypt", "§5.2", "A recipients slot with a scrypt stanza.", |_| {
        Age::new(1).for_passphrase(PASSPHRASE, "3")
    }),
    ("slot-without-stanza", "§5.2", "No stanza at all.", |_| Age::new(1)),
    ("slot-age-version-2", "§5.2", "A later version of age.", |mut age| {
        age.header = |header| *header = header.replacen("/v1", "/v2", 1);
        age
    }),
    ("slot-armored", "§5.2", "The text form of age.", |mut age| {
        age.file = |file| *file = [ARMOR, &b"RkFLRQ==\n"[..], ARMOR_END].concat();
        age
    }),
    ("slot-header-code", "§5.2", "The code over the header of the slot is wrong.", |mut age| {
        age.file = |file| {
            let at = file.windows(5).position(|window| window == b"\n--- ").unwrap() + 5;
            file[at] = if file[at] == b'A' { b'B' } else { b'A' };
        };
        age
    }),
    ("slot-text-flipped", "§5.2", "A bit of the encrypted text is flipped.", |mut age| {
        age.sealed = |chunks| chunks[0][3] ^= 1;
        age
    }),
    ("slot-text-cut", "§5.2", "The encrypted text ends early.", |mut age| {
        age.sealed = |chunks| chunks[0].truncate(40);
        age
    }),
];

const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----\n";
const ARMOR_END: &[u8] = b"-----END AGE ENCRYPTED FILE-----\n";

const PLAINTEXTS: [(&str, &str, &[u8]); 14] = [
    ("slot-text-empty", "No text.", b""),
    ("slot-text-of-comments", "Comments alone.", b"# FAKE\n"),
    ("slot-text-not-utf8", "A comment that is not UTF-8.", b"# \xff\n"),
    ("slot-text-plugin", "A line that makes age run a program.", b"AGE-PLUGIN-FAKE-1QQQQQQQQ\n"),
    (
        "slot-text-plugin-too",
        "The identity, and a line that makes age run a program.",
        b"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\nAGE-PLUGIN-FAKE-1QQQQQQQQ\n",
    ),
    (
        "slot-text-twice",
        "The identity twice.",
        b"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\nAGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n",
    ),
    (
        "slot-text-empty-line",
        "An empty line, which is no comment.",
        b"\nAGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n",
    ),
    (
        "slot-text-no-line-feed",
        "No LF at the end.",
        b"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX",
    ),
    (
        "slot-text-cr-lf",
        "CR LF at the end.",
        b"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\r\n",
    ),
    (
        "slot-text-space",
        "A space before the identity.",
        b" AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n",
    ),
    (
        "slot-text-lower-case",
        "The identity in lower case.",
        b"age-secret-key-1gfpyysjzgfpyysjzgfpyysjzgfpyysjzgfpyysjzgfpyysjzgfpq4egaex\n",
    ),
    (
        "slot-text-checksum",
        "The checksum of the identity is wrong.",
        b"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEQ\n",
    ),
    (
        "slot-text-not-canonical",
        "The identity with a bit set that stands for nothing, and the checksum for it.",
        b"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPPG0UGY5\n",
    ),
    (
        "slot-text-recipient",
        "A recipient in the place of the identity.",
        b"age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\n",
    ),
];
