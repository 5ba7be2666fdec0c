//! `ocbak restore --salvage`: what is intact in a damaged archive.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use ocbak::{Adaptation, ArchivePath, Lossy, Restored, SalvagedPayload, Sealed, Selection, salvage};

use super::failure::{Exit, Failure};
use super::json;
use super::restore::say_slot;
use super::ui::{self, Output, Ui, count, size};
use super::unlock::{UnlockArgs, slot_word, unseal};

/// What is salvaged, and where to.
pub(super) struct Job<'a> {
    pub(super) file: &'a Path,
    pub(super) directory: &'a Path,
    pub(super) selection: &'a Selection,
    pub(super) adaptation: &'a Adaptation,
}

impl Job<'_> {
    pub(super) fn run(&self, keys: &UnlockArgs, ui: &Ui) -> Result<Exit, Failure> {
        let source = Arc::new(Lossy::open(self.file)?);
        let sealed = Sealed::from_source(source.clone()).map_err(|error| error.within(self.file))?;
        let archive = unseal(sealed, keys, self.file, ui)?;
        let (restored, payloads) = {
            let progress = ui.progress("salvaging", None);
            salvage(&archive, self.selection, self.directory, self.adaptation, &progress)
                .map_err(|error| Failure::of_archive(error, self.file))?
        };
        for note in &restored.notes {
            ui.warn(note);
        }
        if source.unreadable() > 0 {
            ui.warn(format_args!("parts of `{}` cannot be read from its drive", self.file.display()));
        }
        if ui.json {
            let mut document = json!({
                "file": json::path(self.file),
                "salvage": true,
                "slot": slot_word(archive.opened_by()),
                "directory": json::path(self.directory),
                "payloads": payloads.iter().map(payload).collect::<Vec<_>>(),
                "restored": json::restored(&restored),
            });
            json::put_warnings(&mut document, ui);
            ui::document(&document)?;
        } else {
            let mut output = Output::new();
            if !ui.quiet {
                say_slot(archive.opened_by(), &mut output)?;
            }
            self.say(&payloads, &restored, output, ui)?;
        }
        let sound = |payload: &SalvagedPayload| {
            payload.index_intact && payload.lost.is_empty() && payload.cut.is_none()
        };
        Ok(if payloads.iter().all(sound) { Exit::Done } else { Exit::Damaged })
    }

    fn say(
        &self,
        payloads: &[SalvagedPayload],
        restored: &Restored,
        mut output: Output,
        ui: &Ui,
    ) -> Result<(), Failure> {
        for payload in payloads {
            let SalvagedPayload { role, whole, authenticated, lost, .. } = payload;
            for (word, paths) in [("whole", whole), ("authenticated only", authenticated)] {
                for path in paths {
                    ui.detail(format_args!("{word}: {path}"));
                }
            }
            for path in lost {
                output.line(format_args!("lost: {path}"))?;
            }
            if !payload.index_intact {
                output.line(format_args!(
                    "{role}: the index is damaged; what it does not list is authenticated only"
                ))?;
            }
            if let Some(cut) = &payload.cut {
                output.line(format_args!("{role}: more is lost, or may be: {cut}"))?;
            }
            if !ui.quiet {
                output.line(format_args!(
                    "{role}: {} whole, {} authenticated only, {} lost",
                    whole.len(),
                    authenticated.len(),
                    lost.len()
                ))?;
            }
        }
        if !ui.quiet {
            output.line(format_args!(
                "restored {}, {}, into {}",
                count(restored.entries, "entry", "entries"),
                size(restored.bytes),
                ocbak::sanitize(self.directory.as_os_str().as_encoded_bytes())
            ))?;
        }
        output.finish()
    }
}

fn payload(payload: &SalvagedPayload) -> Value {
    json!({
        "role": payload.role.as_str(),
        "index_intact": payload.index_intact,
        "whole": names(&payload.whole),
        "authenticated": names(&payload.authenticated),
        "lost": names(&payload.lost),
        "cut": payload.cut,
    })
}

fn names(paths: &[ArchivePath]) -> Value {
    let name = |path: &ArchivePath| {
        let mut object = Map::new();
        json::put_name(&mut object, "path", path.as_bytes());
        Value::from(object)
    };
    paths.iter().map(name).collect()
}
