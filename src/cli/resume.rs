//! `ocbak restore --resume`: a restore in place finished after its process was ended.

use serde_json::json;

use ocbak::{Environment, Location, PastRestore, Target};

use super::args::Place;
use super::check::{Doctor, after_restore};
use super::failure::{Exit, Failure};
use super::json;
use super::restore::{say_kept, unused};
use super::ui::{self, Output, Ui};

/// Finishes the restore to an installation that was interrupted.
pub(super) fn resume(place: &Place, run_doctor: bool, ui: &Ui) -> Result<Exit, Failure> {
    let environment = Environment::current();
    let doctor = run_doctor.then(|| Doctor::find(&environment)).transpose()?;
    let Location { home, state_dir, .. } =
        Location::find(&place.search(), &environment).map_err(Failure::Locating)?;
    let target = Target::Original { home, state_dir: state_dir.clone() };
    unused(&target, place, false, ui)?;
    let mut interrupted = PastRestore::find(&state_dir)?.into_iter().filter(PastRestore::is_interrupted);
    let Some(past) = interrupted.next() else {
        return Err(Failure::NothingInterrupted { state_dir });
    };
    if past.is_taking_back() {
        return Err(Failure::HalfUndone { state_dir });
    }
    if !past.can_resume() {
        past.take_back()?;
        return Err(Failure::NotUnpacked { state_dir });
    }
    let (targets, stamp) = (past.targets(), past.stamp().to_owned());
    let restored = {
        let progress = ui.progress("restoring", None);
        past.resume(&progress)?
    };
    for note in &restored.notes {
        ui.warn(note);
    }
    let mut document = json!({
        "resumed": stamp,
        "targets": targets.iter().map(|target| json::path(target)).collect::<Vec<_>>(),
        "kept": restored.kept.iter().map(|kept| json::path(kept)).collect::<Vec<_>>(),
    });
    if !ui.json && !ui.quiet {
        let mut output = Output::new();
        for target in &targets {
            output
                .line(format_args!("restored {}", ocbak::sanitize(target.as_os_str().as_encoded_bytes())))?;
        }
        say_kept(&restored.kept, &mut output)?;
        output.finish()?;
    }
    let (exit, check) = after_restore(&place.search(), doctor.as_ref(), false, ui)?;
    if ui.json {
        document["check"] = check;
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    }
    Ok(exit)
}
