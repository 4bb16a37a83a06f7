//! What is said of a plan: its lines, the question it may ask, its figures.

use anyhow::Result;

use super::Run;
use crate::commands::media::listing;
use crate::filter::{RuleKind, is_unfinished};
use crate::mark::Mark;
use crate::plan::{Mirror, TAKEN};

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
            let (path, reason) = (change.path.as_str(), change.fate.reason.unwrap_or_default());
            match reason {
                // Nothing overwrites what is none of ours.
                TAKEN => self.troubles.file(path, &reason),
                _ => self.troubles.conflict(path, reason),
            }
        }
    }

    /// One question, if something is replaced or removed that no run from this folder put there.
    pub(super) fn confirm(&self, plan: &Mirror) -> Result<()> {
        let overwritten = plan.overwrites();
        if overwritten > 0 {
            let things = if overwritten == 1 { "1 file".to_owned() } else { format!("{overwritten} files") };
            let why = "which no run from this folder put there";
            let question = format!("This replaces or removes {things} in the database, {why}. Go on?");
            return self
                .context
                .confirmed(&question, &format!("replacing or removing {things} in the database, {why},"));
        }
        if self.command.place.confirm && !plan.changes.is_empty() {
            let question = "This target asks before every change (confirm = true). Go on?";
            return self.context.confirmed(question, "a change of a target with `confirm = true`");
        }
        Ok(())
    }
}
