//! `ocbak create --dry-run` and `ocbak where`: what would be stored, and what left out and why.

use serde_json::{Map, Value, json};

use ocbak::{
    CaptureOptions, Estimate, Forecast, Installation, Observer, PastRestore, Preview, estimate, preview,
    sanitize,
};

use super::failure::{Exit, Failure};
use super::json;
use super::list::{left_out, remark};
use super::ui::{self, Output, Progress, Ui, count, size};

/// What a capture would store.
pub(crate) struct Outlook {
    parts: Vec<Preview>,
    estimate: Estimate,
    attention: bool,
}

/// Says what about an installation a person should know; tells whether it needs attention.
pub(crate) fn warn(installation: &Installation, ui: &Ui) -> bool {
    let mut attention = !installation.warnings.is_empty();
    for warning in &installation.warnings {
        ui.warn(warning);
    }
    match PastRestore::look(&installation.state_dir) {
        Ok(past) if past.iter().all(|past| !past.is_interrupted()) => {}
        // What is there is neither the old installation nor the restored one.
        Ok(_) => {
            attention = true;
            ui.warn(
                "a restore of this installation was interrupted: `ocbak restore --resume` finishes it, \
                 `ocbak undo` takes it back",
            );
        }
        Err(error) => {
            attention = true;
            ui.warn(error);
        }
    }
    // No reason for another exit code: what is on this machine is all there.
    if installation.remote {
        ui.warn(
            "this OpenClaw is the client of a gateway on another machine (`gateway.mode` is `remote`): sessions, \
             memory and channel logins lie there, and want a backup there",
        );
    }
    attention
}

/// Walks the installation as `create` would; `attention` is what [`warn`] told.
pub(crate) fn look(
    installation: &Installation,
    options: &CaptureOptions,
    level: i32,
    attention: bool,
    ui: &Ui,
) -> Result<Outlook, Failure> {
    let (parts, estimate) = {
        let progress = ui.progress("looking", None);
        preview(installation, options, level, &progress)?
    };
    let attention = attention
        || parts.iter().flat_map(|part| &part.skipped).any(|skipped| skipped.why.needs_attention())
        || parts.iter().flat_map(|part| &part.noted).any(|noted| noted.why.needs_attention());
    Ok(Outlook { parts, estimate, attention })
}

/// Finds the bytes of all files and how large the archive will be, if it may be larger than `enough`; the capture itself tells of everything else.
pub(crate) fn measure(
    installation: &Installation,
    options: &CaptureOptions,
    level: i32,
    enough: u64,
    ui: &Ui,
) -> Result<Forecast, Failure> {
    let progress = Muted(ui.progress("looking", None));
    Ok(estimate(installation, options, level, enough, &progress)?)
}

/// Passes no warnings on.
struct Muted<'a>(Progress<'a>);

impl Observer for Muted<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

impl Outlook {
    /// Tells what `create` would do.
    pub(crate) fn show(&self, ui: &Ui) -> Result<(), Failure> {
        if ui.json {
            let mut document = self.document();
            document["dry_run"] = true.into();
            json::put_warnings(&mut document, ui);
            return ui::document(&document);
        }
        let mut output = Output::new();
        self.say(&mut output)?;
        output.finish()
    }

    pub(crate) fn say(&self, output: &mut Output) -> Result<(), Failure> {
        self.parts.iter().try_for_each(|part| say(part, output))?;
        output.line(format_args!("archive: about {}", size(self.estimate.about)))
    }

    pub(crate) fn document(&self) -> Value {
        json!({
            "payloads": self.parts.iter().map(payload).collect::<Vec<_>>(),
            "attention": self.attention,
            "estimated_bytes": self.estimate.about,
        })
    }

    pub(crate) fn exit(&self) -> Exit {
        if self.attention { Exit::Attention } else { Exit::Done }
    }
}

fn say(part: &Preview, output: &mut Output) -> Result<(), Failure> {
    output.line(format_args!(
        "{}: {}, {} of content",
        part.role,
        count(part.entries, "entry", "entries"),
        size(part.bytes)
    ))?;
    for root in &part.source.roots {
        output.line(format_args!("  {}  from {}", root.path, sanitize(&root.source)))?;
    }
    if !part.largest.is_empty() {
        output.line("  largest:")?;
    }
    for (path, bytes) in &part.largest {
        output.line(format_args!("    {:>10}  {path}", size(*bytes)))?;
    }
    if !part.skipped.is_empty() {
        output.line("  left out:")?;
    }
    for skipped in &part.skipped {
        output.line(format_args!("    {}", left_out(skipped)))?;
    }
    if !part.noted.is_empty() {
        output.line("  noted:")?;
    }
    for noted in &part.noted {
        output.line(format_args!("    {}", remark(noted)))?;
    }
    Ok(())
}

fn payload(part: &Preview) -> Value {
    let largest = part.largest.iter().map(|(path, bytes)| {
        let mut object = Map::new();
        json::put_name(&mut object, "path", path.as_bytes());
        object.insert("bytes".to_owned(), (*bytes).into());
        Value::from(object)
    });
    json!({
        "role": part.role.as_str(),
        "entries": part.entries,
        "content_bytes": part.bytes,
        "roots": part.source.roots.iter().map(json::root).collect::<Vec<_>>(),
        "facts": part.source.facts,
        "largest": largest.collect::<Vec<_>>(),
        "skipped": part.skipped.iter().map(json::skipped).collect::<Vec<_>>(),
        "notes": part.noted.iter().map(json::noted).collect::<Vec<_>>(),
    })
}
