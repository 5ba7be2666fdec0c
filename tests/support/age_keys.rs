//! Two FAKE key pairs for the tests, so that most of them need no scrypt.
//!
//! Made by `age-keygen` for this purpose and published here: nothing may ever be encrypted to them in earnest.

/// FAKE: the key that the tests write their archives to.
pub const RECIPIENT: &str = "age1kcvggghtngnrchu5s4p7dtgsnt7fwxczkdjn63lh9wjy5mdfsyaspt2aau";

/// FAKE: the secret half of [`RECIPIENT`].
pub const IDENTITY: &str = "AGE-SECRET-KEY-1NSZEJFWTQM8AYA2GDSSEWN7TD2CD36FCGAQPE4LCVH6SZ835E78SG3XCAV";

/// FAKE: a key that no archive of the tests is written to.
pub const STRANGER: &str = "AGE-SECRET-KEY-1J9SNQQTDFWSLW9TXC4AQEUKLGNLDFX46GTKSZFRXKPRG0Q2V5D5QXWGGST";
