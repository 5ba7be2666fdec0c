//! The rewriting of the staged copies, before anything becomes visible.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::entry::Node;
use crate::openclaw::relocate::config::Text;
use crate::openclaw::relocate::database::Database;
use crate::openclaw::relocate::{Relocation, git, variables};
use crate::openclaw::{MAX_CONFIG_SIZE, SHARED_DATABASE};
use crate::restore::fill::Filling;
use crate::restore::layout::Contents;
use crate::restore::locate::{as_path, shown, without_dots};

use super::{Migration, Rewritten, find, find_link, moves};

impl Migration {
    /// Rewrites the staged copies.
    pub(in crate::restore) fn run(&mut self, filling: &mut Filling<'_>) -> Result<Rewritten> {
        let mut rewritten = Rewritten::default();
        let files = self.files(
            filling.contents,
            |source| {
                let Some((payload, number)) = filling.find(source) else { return Ok(None) };
                Ok(Some((payload, number, filling.read(payload, number, MAX_CONFIG_SIZE)?)))
            },
            &mut rewritten.left,
        )?;
        let database = self.database(filling, &mut rewritten.left)?;
        self.adopt(filling.contents, &files, database.as_ref().map(|found| &found.database))?;
        for file in &files {
            let (new, count) = file.relocated(&self.relocation);
            if count == 0 {
                continue;
            }
            let target = self.relocation.place(&file.source);
            if let Err(problem) = file.syntax.check(&new) {
                return Err(Error::invalid(format!(
                    "the paths in `{}` cannot be rewritten: the result {problem}",
                    shown(&target)
                )));
            }
            filling.rewrite(file.payload, file.number, new.as_bytes())?;
            rewritten.files.push((target, count));
        }
        self.work_trees(filling, &mut rewritten.files)?;
        if let Some(Found { payload, number, database }) = database {
            let mut known = self.roots.clone();
            known.extend(files.iter().flat_map(Config::agent_paths));
            let place = self.relocation.place(&self.from.state_dir);
            let relocated = database.relocate(&self.relocation, &known);
            // Other errors tell of the database themselves.
            let report = relocated.map_err(|error| match error {
                Error::Io { .. } => error.within(&place),
                other => other,
            })?;
            filling.take_back(payload, number)?;
            rewritten.tables =
                report.tables.into_iter().map(|(table, rows)| (table.to_owned(), rows)).collect();
            rewritten.left.extend(report.conflicts);
        }
        rewritten.moves = moves(&self.relocation);
        Ok(rewritten)
    }

    /// Reads the configuration with what it includes and the files of variables, as far as they are
    /// restored; `read` gives a file's numbers, and its content where that is small enough.
    pub(super) fn files(
        &self,
        contents: &[Contents<'_>],
        mut read: impl FnMut(&Path) -> Result<Option<(usize, usize, Option<Vec<u8>>)>>,
        left: &mut Vec<String>,
    ) -> Result<Vec<Config>> {
        let mut files: Vec<Config> = Vec::new();
        // Each with the name under which it is included, which a link makes another one than its own.
        let twice = |path: PathBuf, syntax: Syntax| (path.clone(), path, syntax);
        let variables = variables::files(&self.from.home, &self.from.state_dir);
        let mut waiting: Vec<_> = variables.into_iter().map(|path| twice(path, Syntax::Variables)).collect();
        waiting.extend(self.config.iter().map(|path| twice(path.clone(), Syntax::Json5)));
        let mut seen = BTreeSet::new();
        while let Some((source, named, syntax)) = waiting.pop() {
            if seen.len() >= MAX_FILES || !seen.insert(source.clone()) {
                continue;
            }
            let Some((payload, number, content)) = read(&source)? else {
                waiting.extend(find_link(contents, &source).map(|place| (place, named, syntax)));
                continue;
            };
            let problem = match content.map(String::from_utf8) {
                None => "is larger than 16 MiB".to_owned(),
                Some(Err(_)) => "is not UTF-8".to_owned(),
                Some(Ok(content)) => match syntax.check(&content) {
                    Ok(()) => {
                        let file = Config { source, payload, number, syntax, content };
                        let includes = file.includes(&named);
                        waiting.extend(includes.into_iter().map(|include| twice(include, Syntax::Json5)));
                        files.push(file);
                        continue;
                    }
                    Err(problem) => problem,
                },
            };
            let place = self.relocation.place(&source);
            left.push(format!("paths in `{}`, which {problem}", shown(&place)));
        }
        Ok(files)
    }

    /// Rewrites where work trees of git and their repositories lie, in workspaces as well: git finds
    /// nothing, or another home's repository, under an old path.
    fn work_trees(&self, filling: &mut Filling<'_>, files: &mut Vec<(PathBuf, u64)>) -> Result<()> {
        for (payload, content) in filling.contents.iter().enumerate() {
            for (number, entry) in content.entries.iter().enumerate() {
                let small = matches!(entry.node, Node::File { size, .. } if size <= git::MAX_SIZE);
                if !small || !git::is_link(&entry.path) || !filling.layout.picks[payload].contains(number) {
                    continue;
                }
                let text = filling.read(payload, number, git::MAX_SIZE)?;
                let text = text.and_then(|text| String::from_utf8(text).ok());
                let new = text.and_then(|text| git::rewrite(&text, |path| self.relocation.text(path)));
                if let Some(new) = new {
                    filling.rewrite(payload, number, new.as_bytes())?;
                    let (tree, place) = filling.layout.place(content, payload, &entry.path)?;
                    let target = &filling.layout.trees[tree].target;
                    let place = place.as_ref().map_or(Path::new(""), |place| as_path(place.as_bytes()));
                    files.push((target.join(place), 1));
                }
            }
        }
        Ok(())
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

/// A file of the configuration, in the archive or in a stage.
pub(super) struct Config {
    pub(super) source: PathBuf,
    payload: usize,
    number: usize,
    syntax: Syntax,
    content: String,
}

/// How a file of the configuration is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Json5,
    Variables,
}

impl Syntax {
    /// Tells what keeps a text from being of this syntax.
    fn check(self, text: &str) -> Result<(), String> {
        match self {
            Self::Json5 => Text::parse(text.as_bytes()).map(drop),
            Self::Variables => Ok(()),
        }
    }
}

impl Config {
    /// The content with every path that moves replaced, and how many were.
    pub(super) fn relocated(&self, relocation: &Relocation) -> (String, u64) {
        match self.json5() {
            Some(text) => text.relocated(relocation),
            None => variables::rewrite(&self.content, |value| relocation.text(value)),
        }
    }

    /// Every absolute path that it has for agents.
    pub(super) fn agent_paths(&self) -> Vec<PathBuf> {
        self.json5().map(|text| text.agent_paths()).unwrap_or_default()
    }

    /// The files that it includes under the name that OpenClaw knows it by.
    fn includes(&self, named: &Path) -> Vec<PathBuf> {
        let includes = self.json5().map(|text| text.includes(named)).unwrap_or_default();
        includes.iter().map(|include| without_dots(include)).collect()
    }

    fn json5(&self) -> Option<Text<'_>> {
        // It was parsed when it was read.
        Text::parse(self.content.as_bytes()).ok().filter(|_| self.syntax == Syntax::Json5)
    }
}

struct Found {
    payload: usize,
    number: usize,
    database: Database,
}

const MAX_FILES: usize = 1000;
