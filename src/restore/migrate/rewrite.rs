//! The rewriting of the staged copies, before anything becomes visible.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::openclaw::relocate::config::Text;
use crate::openclaw::relocate::database::Database;
use crate::openclaw::{MAX_CONFIG_SIZE, SHARED_DATABASE};
use crate::restore::fill::Filling;
use crate::restore::layout::Contents;
use crate::restore::locate::{shown, without_dots};

use super::{Migration, Rewritten, find, find_link, moves};

impl Migration {
    /// Rewrites the staged copies.
    pub(in crate::restore) fn run(&mut self, filling: &mut Filling<'_>) -> Result<Rewritten> {
        let mut rewritten = Rewritten::default();
        let texts = self.texts(
            filling.contents,
            |source| {
                let Some((payload, number)) = filling.find(source) else { return Ok(None) };
                Ok(Some((payload, number, filling.read(payload, number, MAX_CONFIG_SIZE)?)))
            },
            &mut rewritten.left,
        )?;
        let database = self.database(filling, &mut rewritten.left)?;
        self.adopt(filling.contents, &texts, database.as_ref().map(|found| &found.database))?;
        for text in &texts {
            // It was parsed when it was read.
            let Ok(parsed) = Text::parse(&text.content) else { continue };
            let (new, count) = parsed.relocated(&self.relocation);
            if count == 0 {
                continue;
            }
            let target = self.relocation.place(&text.source);
            if let Err(problem) = Text::parse(new.as_bytes()) {
                return Err(Error::invalid(format!(
                    "the paths in `{}` cannot be rewritten: the result {problem}",
                    shown(&target)
                )));
            }
            filling.rewrite(text.payload, text.number, new.as_bytes())?;
            rewritten.files.push((target, count));
        }
        if let Some(Found { payload, number, database }) = database {
            let mut known = self.roots.clone();
            known.extend(
                texts.iter().flat_map(|text| Text::parse(&text.content)).flat_map(|text| text.agent_paths()),
            );
            let report = database.relocate(&self.relocation, &known)?;
            filling.take_back(payload, number)?;
            rewritten.tables =
                report.tables.into_iter().map(|(table, rows)| (table.to_owned(), rows)).collect();
            rewritten.left.extend(report.conflicts);
        }
        rewritten.moves = moves(&self.relocation);
        Ok(rewritten)
    }

    /// Reads the configuration and what it includes, as far as they are restored; `read` gives a
    /// file's numbers, and its content where that is small enough.
    pub(super) fn texts(
        &self,
        contents: &[Contents<'_>],
        mut read: impl FnMut(&Path) -> Result<Option<(usize, usize, Option<Vec<u8>>)>>,
        left: &mut Vec<String>,
    ) -> Result<Vec<Config>> {
        let mut texts: Vec<Config> = Vec::new();
        // Each with the name under which it is included, which a link makes another one than its own.
        let twice = |path: PathBuf| (path.clone(), path);
        let mut waiting: Vec<(PathBuf, PathBuf)> = self.config.iter().cloned().map(twice).collect();
        let mut seen = BTreeSet::new();
        while let Some((source, named)) = waiting.pop() {
            if seen.len() >= MAX_FILES || !seen.insert(source.clone()) {
                continue;
            }
            let Some((payload, number, content)) = read(&source)? else {
                waiting.extend(find_link(contents, &source).map(|place| (place, named)));
                continue;
            };
            let problem = match content {
                None => "is larger than 16 MiB".to_owned(),
                Some(content) => match Text::parse(&content) {
                    Ok(text) => {
                        let includes = text.includes(&named);
                        waiting.extend(includes.iter().map(|include| twice(without_dots(include))));
                        texts.push(Config { source, payload, number, content });
                        continue;
                    }
                    Err(problem) => problem,
                },
            };
            let place = self.relocation.place(&source);
            left.push(format!("paths in `{}`, which {problem}", shown(&place)));
        }
        Ok(texts)
    }

    fn database(&self, filling: &mut Filling<'_>, left: &mut Vec<String>) -> Result<Option<Found>> {
        let source = self.from.state_dir.join(SHARED_DATABASE);
        let Some((payload, number)) = filling.find(&source) else {
            return Ok(None);
        };
        let mut journal = source.clone().into_os_string();
        journal.push("-journal");
        let opened = if find(filling.contents, Path::new(&journal)).is_some() {
            // SQLite would play it back, and a forged one can name files to be removed.
            Err("has an unfinished journal".to_owned())
        } else {
            Database::open(&filling.lend(payload, number)?)
        };
        match opened {
            Ok(database) => Ok(Some(Found { payload, number, database })),
            Err(problem) => {
                filling.take_back(payload, number)?;
                let place = self.relocation.place(&source);
                left.push(format!("paths in `{}`, which {problem}", shown(&place)));
                Ok(None)
            }
        }
    }
}

/// A configuration file, in the archive or in a stage.
pub(super) struct Config {
    pub(super) source: PathBuf,
    payload: usize,
    number: usize,
    pub(super) content: Vec<u8>,
}

struct Found {
    payload: usize,
    number: usize,
    database: Database,
}

const MAX_FILES: usize = 1000;
