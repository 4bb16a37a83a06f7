//! What is said of a plan: its lines, the question it may ask, its figures.

use anyhow::Result;

use super::Run;
use crate::commands::media::{foretell, listing};
use crate::filter::{RuleKind, is_unfinished};
use crate::mark::Mark;
use crate::path::portable;
use crate::plan::{FileChange, Mirror, TAKEN};

impl Run<'_> {
    /// Lists what happens, and gathers what cannot.
    pub(super) fn show(&mut self, plan: &Mirror) {
        let kept = plan.count(Mark::Kept);
        self.context.printer.plan(&listing(plan, self.context.settings.dry_run));
        if kept > 0 {
            let documents = match kept {
                1 => "1 document of the database has no file here and stays (`--delete` removes it)".to_owned(),
                _ => format!("{kept} documents of the database have no file here and stay (`--delete` removes them)"),
            };
            self.context.printer.note(&documents);
        }
        for ignored in self.tree.listing.ignored.iter().filter(|ignored| ignored.reason.kind == RuleKind::Own) {
            if !is_unfinished(ignored.path.name()) {
                let words = format!("`{}` is never stored: it may hold state or passwords of this tool", ignored.path);
                self.troubles.entry(words);
            }
        }
        let left_out = self.tree.listing.ignored.iter().filter(|ignored| ignored.reason.kind != RuleKind::Own).count();
        if left_out > 0 {
            let entries = if left_out == 1 { "1 entry is".to_owned() } else { format!("{left_out} entries are") };
            self.context.printer.note(&format!("{entries} left out by rules"));
        }
        for problem in &self.tree.listing.problems {
            self.troubles.entry(problem.to_string());
        }
        for folder in self.tree.empty_folders() {
            self.troubles.empty_folder(folder.as_str());
        }
        for change in plan.with(Mark::Conflict) {
            let path = change.path.as_str();
            match change.fate.reason == Some(TAKEN) {
                // Which nothing replaces.
                true => self.troubles.file(path, &change.fate.reason.unwrap_or_default()),
                false => self.troubles.conflict(path, change.fate.reason.unwrap_or_default()),
            }
        }
        self.warn_of_names(plan);
    }

    /// Names that the server takes, but no folder gets back as they are.
    fn warn_of_names(&self, plan: &Mirror) {
        let refused = |change: &FileChange| portable::judge_here(self.scope.filed(&change.path).as_str()).err();
        let mut odd = plan.transfers().filter_map(|change| Some((&change.path, refused(change)?)));
        let Some((first, why)) = odd.next() else { return };
        let others = match odd.count() {
            0 => String::new(),
            1 => " (and 1 other name like it)".to_owned(),
            count => format!(" (and {count} other names like it)"),
        };
        let first = portable::for_display(first.as_str());
        let message = format!("`{first}` {why}{others}: what is sent so comes back only with `--escape-names`");
        self.context.printer.warning("names", &message);
    }

    /// What a dry run says of the question that the real run will ask.
    pub(super) fn foretell(&self, plan: &Mirror) {
        if let Some((question, _)) = self.question(plan) {
            foretell(self.context, &question);
        }
    }

    /// One question, if something is replaced or removed that no run from this folder put there.
    pub(super) fn confirm(&self, plan: &Mirror) -> Result<()> {
        match self.question(plan) {
            Some((question, doing)) => self.context.confirmed(&question, &doing),
            None => Ok(()),
        }
    }

    /// The question, and what is done if the answer is yes.
    fn question(&self, plan: &Mirror) -> Option<(String, String)> {
        let overwritten = plan.overwrites();
        if overwritten > 0 {
            let things = if overwritten == 1 { "1 file".to_owned() } else { format!("{overwritten} files") };
            let why = match plan.changes.iter().any(|change| change.fate.reason == Some(super::plan::MORE)) {
                true => "and with it what people have added there",
                false => "which no run from this folder put there",
            };
            let question = format!("This replaces or removes {things} in the database, {why}. Go on?");
            return Some((question, format!("replacing or removing {things} in the database, {why},")));
        }
        if self.command.place.confirm && !plan.changes.is_empty() {
            let question = "This target asks before every change (confirm = true). Go on?";
            return Some((question.to_owned(), "a change of a target with `confirm = true`".to_owned()));
        }
        None
    }
}
