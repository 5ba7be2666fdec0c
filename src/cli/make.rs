//! One new archive: what it is of, where it goes, and what became of it.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use ocbak::{
    ArchiveBuilder, CaptureOptions, Environment, Error, Forecast, Holder, Installation, NewArchive,
    PayloadSummary, Search, Summary, Usage, Verifier, capture, remove_unfinished,
};

use super::create::Args;
use super::destination::{Destination, parent};
use super::failure::{Exit, Failure};
use super::json;
use super::name::default_name;
use super::outlook::{self, Outlook};
use super::room;
use super::series;
use super::spool;
use super::ui::{Output, Ui, count, shown, size};
use super::verified;

/// What is asked of every archive of a call.
pub(crate) struct Order<'a> {
    pub(crate) args: &'a Args,
    pub(crate) options: CaptureOptions,
    pub(crate) environment: Environment,
    pub(crate) created: Timestamp,
    pub(crate) ui: &'a Ui,
}

/// An installation of which an archive can be made.
pub(crate) struct Prepared {
    pub(crate) installation: Installation,
    /// It is not as it should be.
    attention: bool,
    in_use: Vec<Holder>,
    destination: Destination,
}

/// An archive that is complete.
pub(crate) struct Made {
    installation: Installation,
    attention: bool,
    in_use: Vec<Holder>,
    /// The file or its parts; none for standard output.
    files: Vec<PathBuf>,
    verified: bool,
    summary: Summary,
}

impl Order<'_> {
    /// Looks for an installation, and refuses what cannot work before any secret is asked for.
    pub(crate) fn prepare(&self, search: &Search) -> Result<Prepared, Failure> {
        let installation = Installation::locate(search, &self.environment).map_err(Failure::Locating)?;
        let attention = outlook::warn(&installation, self.ui);
        let in_use = self.users(&installation)?;
        let destination = if self.args.dry_run {
            Destination::Stdout
        } else {
            let name = default_name(installation.profile.as_deref(), self.options.only_config, self.created);
            Destination::choose(&self.args.output, &name, self.args.split, &installation, self.ui)?
        };
        if let Destination::File { path, .. } = &destination
            && path.extension().is_none()
        {
            let path = path.display();
            self.ui.note(format_args!("`{path}` is to be a file, since there is no directory of that name"));
        }
        Ok(Prepared { installation, attention, in_use, destination })
    }

    /// Finds what an archive would hold.
    pub(crate) fn look(&self, prepared: &Prepared) -> Result<Outlook, Failure> {
        outlook::look(
            &prepared.installation,
            &self.options,
            self.args.shape.level,
            prepared.attention,
            self.ui,
        )
    }

    /// Makes the archive.
    pub(crate) fn make(&self, prepared: Prepared, builder: ArchiveBuilder) -> Result<Made, Failure> {
        let Prepared { installation, attention, in_use, destination } = prepared;
        // Whoever keeps the newest of a series must not keep a configuration instead of everything.
        let series =
            if self.options.only_config { None } else { series::of(&installation.state_dir, self.ui) };
        let builder = match series {
            Some(id) => builder.series(id),
            None => builder,
        };
        let enough = match &destination {
            Destination::Stdout => room::enough(&self.args.spool_dir, None),
            Destination::File { path, part } => room::enough(parent(path), *part),
        };
        let forecast =
            outlook::measure(&installation, &self.options, self.args.shape.level, enough, self.ui)?;
        let estimate = &forecast.estimate;
        room::check_scratch(estimate, self.ui);
        let (files, summary) = match destination {
            Destination::Stdout => {
                let directory = &self.args.spool_dir;
                room::check(directory, estimate, self.ui)?;
                let spool = spool::create(directory)?;
                let (mut spool, summary, _) =
                    self.write(builder, spool, &installation, directory, &forecast)?;
                send(&mut spool, self.ui)?;
                (Vec::new(), summary)
            }
            Destination::File { path, part } => {
                for left in remove_unfinished(&path) {
                    self.ui.note(format_args!("removed `{}`, which an interrupted run left", shown(&left)));
                }
                room::check(parent(&path), estimate, self.ui)?;
                room::few_enough(&path, part, estimate)?;
                let file = NewArchive::create(&path, part)?;
                let (file, summary, verifier) = self.write(builder, file, &installation, &path, &forecast)?;
                if self.args.verify {
                    read_back(&file, &path, &verifier, &summary, self.ui)?;
                }
                (file.persist()?, summary)
            }
        };
        Ok(Made { installation, attention, in_use, files, verified: self.args.verify, summary })
    }

    /// Says who is using the state directory; it is no hindrance unless the user says so.
    fn users(&self, installation: &Installation) -> Result<Vec<Holder>, Failure> {
        let usage = Usage::of(&installation.state_dir, installation.config.as_deref(), &self.environment);
        if let Some(holder) = usage.holders.first() {
            if self.args.require_stopped {
                let state_dir = installation.state_dir.clone();
                return Err(Failure::InUse { state_dir, holders: usage.holders });
            }
            self.ui.note(format_args!(
                "OpenClaw is running: {holder}; every database is taken whole as of one moment, but not all \
                 of the same moment"
            ));
        }
        Ok(usage.holders)
    }

    /// Captures the installation into `sink`, which lies at `place`.
    fn write<W: Read + Write + Seek + Send + 'static>(
        &self,
        builder: ArchiveBuilder,
        sink: W,
        installation: &Installation,
        place: &Path,
        forecast: &Forecast,
    ) -> Result<(W, Summary, Verifier), Failure> {
        let ui = self.ui;
        let options = &CaptureOptions { databases: forecast.databases.clone(), ..self.options.clone() };
        let progress = ui.progress("storing", Some(forecast.content));
        let archive = |error: Error| match error {
            // What has no name is about the archive; sources name themselves.
            Error::Io { path: None, .. } => error.within(place),
            other => other,
        };
        let mut writer = builder.create(sink).map_err(archive)?;
        capture(installation, options, &mut writer, &progress).map_err(archive)?;
        drop(progress);
        let verifier = writer.verifier();
        let progress = ui.progress("adding parity", None);
        let (sink, summary) = writer.finish_with(&progress).map_err(archive)?;
        Ok((sink, summary, verifier))
    }
}

impl Prepared {
    /// Says what else is in the home, where the user did not say which one is meant.
    pub(crate) fn tell_others(&self, ui: &Ui) {
        let others = &self.installation.other_profiles;
        if !others.is_empty() {
            ui.note(format_args!(
                "this is the installation in `{}`; the home directory has others, of the profile{} `{}`: \
                 `--profile NAME` or `--all-profiles`",
                self.installation.state_dir.display(),
                if others.len() == 1 { "" } else { "s" },
                others.join("`, `")
            ));
        }
    }
}

impl Made {
    pub(crate) fn exit(&self) -> Exit {
        let attention = self.attention || self.summary.payloads.iter().any(|payload| payload.attention > 0);
        if attention { Exit::Attention } else { Exit::Done }
    }

    /// Tells what is in the archive. Where standard output is taken by it, the exit code still tells.
    pub(crate) fn say(&self) -> Result<(), Failure> {
        let Some(path) = self.files.first() else {
            return Ok(());
        };
        let mut output = Output::new();
        output.line(format_args!("{}  {}", shown(path), size(self.summary.length)))?;
        for payload in &self.summary.payloads {
            output.line(format_args!(
                "  {:<9}  {}, {} of content, {} stored; {} left out",
                payload.role.as_str(),
                count(payload.entries, "entry", "entries"),
                size(payload.content),
                size(payload.stored),
                payload.skipped,
            ))?;
            if payload.attention > 0 {
                output.line(format_args!(
                    "  {:<9}  {} attention: `ocbak verify {}` names them",
                    "",
                    count(payload.attention, "thing needs", "things need"),
                    shown(path),
                ))?;
            }
        }
        if self.summary.parity > 0 {
            output.line(format_args!("  parity     {}", size(self.summary.parity)))?;
        }
        if self.files.len() > 1 {
            output.line(format_args!(
                "  in {} parts, of which the first stands for all; together they are the archive",
                self.files.len()
            ))?;
        }
        if self.verified {
            output.line("  read back and found sound")?;
        }
        output.finish()
    }

    pub(crate) fn document(&self) -> Value {
        let payload = |payload: &PayloadSummary| {
            json!({
                "role": payload.role.as_str(),
                "entries": payload.entries,
                "skipped": payload.skipped,
                "attention": payload.attention,
                "content_bytes": payload.content,
                "stored_bytes": payload.stored,
            })
        };
        json!({
            "file": self.files.first().map(|file| json::path(file)),
            "parts": if self.files.len() > 1 { &self.files[..] } else { &[] }
                .iter()
                .map(|file| json::path(file))
                .collect::<Vec<_>>(),
            "archive": hex::encode(self.summary.archive_id),
            "bytes": self.summary.length,
            "state_dir": json::path(&self.installation.state_dir),
            "profile": self.installation.profile,
            "other_profiles": self.installation.other_profiles,
            "payloads": self.summary.payloads.iter().map(payload).collect::<Vec<_>>(),
            "parity_bytes": self.summary.parity,
            "attention": self.exit() == Exit::Attention,
            "verified": self.verified,
            "in_use": self.in_use.iter().map(json::holder).collect::<Vec<_>>(),
        })
    }
}

/// Checks a finished archive as the drive gives it back.
pub(crate) fn read_back(
    file: &NewArchive,
    path: &Path,
    verifier: &Verifier,
    summary: &Summary,
    ui: &Ui,
) -> Result<(), Failure> {
    if !file.settle()? {
        ui.warn("this system keeps what was written in memory: what is checked may be that, not the drive");
    }
    let total = summary.payloads.iter().map(|payload| payload.content).sum();
    let progress = ui.progress("reading back", Some(total));
    let reader = file.reader()?;
    let report = verifier.verify(reader, ui.threads, &progress).map_err(|error| error.within(path))?;
    match report.damage.first() {
        None => {
            verified::remember(path, &summary.archive_id);
            Ok(())
        }
        Some(damage) => Err(Failure::ReadBack { path: path.to_owned(), damage: damage.what.clone() }),
    }
}

/// Sends the finished archive to standard output.
fn send(spool: &mut File, ui: &Ui) -> Result<(), Failure> {
    let failed =
        |source| Failure::File { action: "read back", path: PathBuf::from("the temporary file"), source };
    spool.rewind().map_err(failed)?;
    let mut output = Output::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        ui.check()?;
        let count = spool.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            return output.finish_whole();
        }
        output.bytes(&buffer[..count])?;
        if output.closed() {
            return output.finish_whole();
        }
    }
}
