//! Whether the environment and the services of the user lead OpenClaw to this installation.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::openclaw::{Environment, Installation, Location, Search, Service, expand};

use super::{Cause, Report, quoted, shown};

/// Checks the variables of the process, and the services of the home.
pub(super) fn check(installation: &Installation, environment: &Environment, report: &mut Report<'_>) {
    let state = shown(&installation.state_dir);
    let usual = Location::find(&Search::default(), environment).ok();
    let leads_here = usual.is_some_and(|usual| same(&usual.state_dir, &installation.state_dir));
    for variable in ["OPENCLAW_HOME", "OPENCLAW_STATE_DIR", "CLAWDBOT_STATE_DIR"] {
        if let Some(value) = environment.value(variable).filter(|_| !leads_here) {
            let value = quoted(value.as_encoded_bytes());
            let text = format!("the variable `{variable}` is {value}, which leads OpenClaw past {state}");
            report.add(Cause::Environment { variable }, text, &installation.state_dir);
        }
    }
    if let (Some(value), Some(config)) = (environment.value("OPENCLAW_CONFIG_PATH"), &installation.config)
        && !same(&expand(&value, &installation.home), config)
    {
        let variable = "OPENCLAW_CONFIG_PATH";
        let value = quoted(value.as_encoded_bytes());
        let text =
            format!("the variable `{variable}` is {value}, and the configuration is {}", shown(config));
        report.add(Cause::Environment { variable }, text, config);
    }
    profile(installation, environment, report);
    // The services of a home are those of its own state directories.
    let of_home = installation.state_dir.parent() == Some(&installation.home) || leads_here;
    for service in Service::of(&installation.home, installation.profile.as_deref()).iter().filter(|_| of_home)
    {
        check_service(installation, service, report);
    }
}

/// OpenClaw: the variable chooses the service; only the option chooses the state directory.
fn profile(installation: &Installation, environment: &Environment, report: &mut Report<'_>) {
    let Some(value) = environment.value("OPENCLAW_PROFILE") else {
        return;
    };
    let named = |profile: &str| installation.home.join(format!(".openclaw-{profile}"));
    let text = value.to_string_lossy();
    let expected = match &*text {
        "default" => installation.home.join(".openclaw"),
        profile => named(profile),
    };
    let is_default_name = installation.state_dir == installation.home.join(".openclaw")
        || installation.profile.as_deref().is_some_and(|profile| named(profile) == installation.state_dir);
    if is_default_name && expected != installation.state_dir {
        let text = format!(
            "the variable `OPENCLAW_PROFILE` is {}, and the state directory {}",
            quoted(text.as_bytes()),
            shown(&installation.state_dir)
        );
        report.add(Cause::Environment { variable: "OPENCLAW_PROFILE" }, text, &installation.state_dir);
    }
}

fn check_service(installation: &Installation, service: &Service, report: &mut Report<'_>) {
    let mut environment = Environment::empty().with("HOME", installation.home.as_os_str());
    for name in ["HOME", "OPENCLAW_HOME", "OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH"] {
        if let Some(value) = service.variables.get(name) {
            environment = environment.with(name, OsString::from(value));
        }
    }
    let profile = service.profile().or_else(|| service.variables.get("OPENCLAW_PROFILE").map(String::as_str));
    // OpenClaw: a state directory that is set wins over the profile's.
    let set = service.variables.contains_key("OPENCLAW_STATE_DIR");
    let search = Search { profile: profile.filter(|_| !set).map(ToOwned::to_owned), ..Search::default() };
    let file = shown(&service.file);
    if let Ok(location) = Location::find(&search, &environment)
        && !same(&location.state_dir, &installation.state_dir)
    {
        let text = format!(
            "the service {file} starts OpenClaw with the state directory {}, not {}",
            shown(&location.state_dir),
            shown(&installation.state_dir)
        );
        report.add(Cause::Service, text, &service.file);
    } else if let (Some(config), Some(own)) =
        (environment.value("OPENCLAW_CONFIG_PATH"), &installation.config)
        && !same(&expand(&config, &installation.home), own)
    {
        let config = shown(Path::new(&config));
        let text =
            format!("the service {file} starts OpenClaw with the configuration {config}, not {}", shown(own));
        report.add(Cause::Service, text, &service.file);
    } else if let Some(missing) = service.missing().first() {
        let text = format!("the service {file} starts {}, which is not there", shown(missing));
        report.add(Cause::Service, text, &service.file);
    }
}

fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| -> PathBuf { fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) };
    one == other || real(one) == real(other)
}
