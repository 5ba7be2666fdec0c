//! Tries what the config file says, without a night to wait for.

use std::ffi::OsString;
use std::iter;
use std::path::Path;

use clap::Parser;

use super::{Loaded, extend};
use crate::cli::args::{self, Command};
use crate::cli::failure::{Failure, Unusable, Why, usage};
use crate::cli::ui::Ui;
use crate::cli::{create, prune};

/// Fails by what the config file says as a night would, while somebody is there to read it; `wholly` takes the
/// passphrase from where it is kept as well.
pub(crate) fn rehearse(loaded: &Loaded, wholly: bool, ui: &Ui) -> Result<(), Failure> {
    let path = &loaded.path;
    let prunes = (!loaded.config.keep.is_empty()).then_some("prune");
    for command in iter::once("create").chain(prunes) {
        let words = ["ocbak", command, "--config-file"].map(OsString::from);
        let extended = extend(words.into_iter().chain([path.into()]).collect())?;
        let grammar = args::Args::try_parse_from(&extended.words).map_err(|stop| {
            let why = Why::Unfit { what: usage::message(&stop) };
            Failure::Config(Unusable { path: path.clone(), why })
        })?;
        let looked = match &grammar.command {
            Command::Create(args) if wholly => {
                create::look_over(args, ui).and_then(|()| create::try_passphrase(args, ui))
            }
            Command::Create(args) => create::look_over(args, ui),
            Command::Prune(args) => prune::look_over(args),
            _ => Ok(()),
        };
        looked.map_err(|failure| match failure {
            Failure::Argument(error) => Failure::Argument(error.within(path)),
            Failure::BadGlob(error) => Failure::BadGlob(error.within(path)),
            Failure::KeepsNothing => {
                let what =
                    "`[keep]` keeps nothing, and a policy that keeps nothing removes nothing".to_owned();
                Failure::Config(Unusable { path: path.clone(), why: Why::Unfit { what } })
            }
            other => other,
        })?;
    }
    Ok(())
}

/// Names the config file where a value in it, and none of the command line, is what failed.
pub(crate) fn blame(failure: Failure, file: Option<&Path>, ui: &Ui) -> Failure {
    let of_a_value = matches!(failure, Failure::Argument(_) | Failure::BadGlob(_) | Failure::KeepsNothing);
    let loaded = file.filter(|_| of_a_value).and_then(|file| Loaded::read(Some(file)).ok());
    loaded.and_then(|loaded| rehearse(&loaded, false, ui).err()).unwrap_or(failure)
}
