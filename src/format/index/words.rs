//! The fixed words of index lines (spec §9).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::format::entry::{NoteReason, Role, SkipReason};

macro_rules! words {
    ($type:ty, $($variant:path),+) => {
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = Cow::<'de, str>::deserialize(deserializer)?;
                [$($variant),+]
                    .into_iter()
                    .find(|variant| variant.as_str() == word)
                    .ok_or_else(|| serde::de::Error::custom("unknown word"))
            }
        }
    };
}

words!(Role, Role::State, Role::Workspace);
words!(
    SkipReason,
    SkipReason::Policy,
    SkipReason::Root,
    SkipReason::Kind,
    SkipReason::Vanished,
    SkipReason::Unreadable
);
words!(
    NoteReason,
    NoteReason::Changed,
    NoteReason::Incomplete,
    NoteReason::Damaged,
    NoteReason::Unchecked,
    NoteReason::Shared
);
