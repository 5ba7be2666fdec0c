//! What follows a restore in place: a look over what is there now, and the next steps.

use serde_json::Value;

use ocbak::{Cause, Environment, Installation, Search};

use super::super::failure::{Exit, Failure};
use super::super::ui::{Output, Ui};
use super::{Doctor, Look};

/// Looks over the installation that was restored, says what it finds, and returns it for the document.
///
/// What was restored stays so, whatever comes of this.
pub(crate) fn after_restore(
    search: &Search,
    doctor: Option<&Doctor>,
    owner_chosen: bool,
    ui: &Ui,
) -> Result<(Exit, Value), Failure> {
    let environment = Environment::current();
    let look = Installation::locate(search, &environment)
        .map_err(Failure::Locating)
        .and_then(|installation| Look::new(installation, &environment, doctor, ui));
    let mut look = match look {
        Ok(look) => look,
        Err(failure) => {
            ui.warn(format_args!("what was restored was not looked over: {failure}"));
            return Ok((Exit::Attention, Value::Null));
        }
    };
    look.findings.retain(|finding| match finding.cause {
        // They were named just now.
        Cause::Kept => false,
        // Who it belongs to is as it was asked for.
        Cause::Owner { .. } => !owner_chosen,
        _ => true,
    });
    let steps = STEPS.map(|step| look.commands.openclaw(step));
    let mut document = look.document();
    document["next_steps"] = steps.as_slice().into();
    if !ui.json {
        let mut output = Output::new();
        look.say(ui, &mut output)?;
        if !ui.quiet {
            output.line("next:")?;
            for step in steps {
                output.line(format_args!("  {step}"))?;
            }
        }
        output.finish()?;
    }
    Ok((look.exit(), document))
}

const STEPS: [&str; 3] = ["doctor", "gateway restart", "status"];
