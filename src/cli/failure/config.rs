//! What is wrong with a config file, and the way out.

use std::fmt;
use std::path::PathBuf;

/// A config file that cannot be used.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) path: PathBuf,
    pub(crate) why: Why,
}

#[derive(Debug)]
pub(crate) enum Why {
    /// This, in this line if it is one's; another key may be meant.
    Wrong { line: Option<usize>, what: String, nearest: Option<String> },
    /// What it says is no good for the command.
    Unfit { what: String },
    /// It lacks what a backup without a person needs.
    Lacks { what: &'static str },
}

impl Unusable {
    pub(super) fn hint(&self) -> String {
        match &self.why {
            Why::Wrong { nearest: Some(nearest), .. } => {
                format!("`{nearest}` may be meant; `ocbak help config` names all keys")
            }
            Why::Wrong { .. } => {
                "`ocbak help config` names all keys; `--config-file /dev/null` does without it".to_owned()
            }
            Why::Unfit { .. } => "`--config-file /dev/null` does without it".to_owned(),
            Why::Lacks { .. } => "`ocbak help config` says what stands there".to_owned(),
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Wrong { line: Some(line), what, .. } => write!(f, "`{path}`, line {line}: {what}"),
            Why::Wrong { line: None, what, .. } => write!(f, "`{path}` {what}"),
            Why::Unfit { what } => write!(f, "`{path}`: {what}"),
            Why::Lacks { what } => write!(f, "a backup without a person needs {what} in `{path}`"),
        }
    }
}
