//! The facts about the source that an index begins with (spec §9.2).

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use crate::capture::roots::Scope;
use crate::format::entry::{Role, Source};
use crate::openclaw::{Installation, SHARED_DATABASE, host, schema_version};

/// Describes where the payload of a role comes from.
pub(crate) fn source(installation: &Installation, scope: &Scope, role: Role) -> Source {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let platform = format!("{} {}", env::consts::OS, env::consts::ARCH);
    let mut facts: BTreeMap<String, String> = [
        ("home", Some(text(&installation.home))),
        ("state_dir", Some(text(&installation.state_dir))),
        ("config", installation.config.as_deref().map(text)),
        ("profile", installation.profile.clone()),
        ("openclaw_version", installation.openclaw_version.clone()),
        ("gateway_mode", installation.remote.then(|| "remote".to_owned())),
        ("user", installation.user.clone()),
        ("host", Some(host())),
        ("platform", Some(platform)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect();
    if role == Role::State
        && !scope.only_config
        && let Some(version) = schema_version(&installation.state_dir.join(SHARED_DATABASE))
    {
        facts.insert(format!("schema.state/{SHARED_DATABASE}"), version.to_string());
    }
    Source { roots: scope.index_roots(role), facts }
}
