//! What is said of a plan, and what is asked.

use anyhow::Result;
use serde_json::{Map, Value};

use super::Down;
use crate::commands::media::{files, foretell, listing};
use crate::exit::Exit;
use crate::mark::Mark;
use crate::plan::Mirror;

/// Why a file is not overwritten.
const CHANGED_HERE: &str = "changed here since the last run";

impl Down<'_> {
    /// Lists what happens, and gathers what cannot.
    pub(super) fn show(&mut self, plan: &Mirror) {
        let whole = self.context.settings.dry_run || self.order.verify;
        let mut shown = listing(plan, whole);
        // The target is here: what stands in the way of a mirror was done on this side.
        for line in shown.lines.iter_mut().filter(|line| line.mark == Mark::Conflict) {
            line.reason = Some(CHANGED_HERE.to_owned());
        }
        self.context.printer.plan(&shown);
        let kept = plan.count(Mark::Kept);
        if kept > 0 {
            let things = files(kept);
            self.context
                .printer
                .note(&format!("{things} here are not in the database and stay (`--delete` removes them)"));
        }
        // A difference is what `--verify` looks for.
        for change in plan.with(Mark::Conflict).filter(|_| !self.order.verify) {
            self.troubles.conflict(change.path.as_str(), CHANGED_HERE);
        }
        if let Some(tree) = &self.tree {
            for problem in &tree.listing.problems {
                self.context.printer.detail(&problem.to_string());
            }
        }
    }

    /// What a dry run says of the question that the real run will ask.
    pub(super) fn foretell(&self, plan: &Mirror) {
        if let Some((question, _)) = self.question(plan) {
            foretell(self.context, &question);
        }
    }

    /// One question, if a file is replaced or removed that no run wrote as it is.
    pub(super) fn confirm(&self, plan: &Mirror) -> Result<()> {
        match self.question(plan) {
            Some((question, doing)) => self.context.confirmed(&question, &doing),
            None => Ok(()),
        }
    }

    /// The question, and what is done if the answer is yes.
    fn question(&self, plan: &Mirror) -> Option<(String, String)> {
        let things = Some(plan.overwrites()).filter(|count| *count > 0).map(files)?;
        let why = "which no run of this tool wrote like that";
        let question = format!("This replaces or removes {things} in `{}`, {why}. Go on?", self.order.into.shown);
        Some((question, format!("replacing or removing {things}, {why},")))
    }

    /// `--verify`: the differences are the answer.
    pub(super) fn conclude_verification(self, plan: &Mirror, fields: Map<String, Value>) -> Result<Exit> {
        let missing = plan.count(Mark::New);
        let other = plan.count(Mark::Changed) + plan.count(Mark::Conflict);
        let text = match (missing, other) {
            (0, 0) => format!("Verified: {}, all as in the database", files(plan.same)),
            _ => format!("Verified: {} as in the database, {missing} missing, {other} different", files(plan.same)),
        };
        if missing + other > 0 {
            for line in self.troubles.lines() {
                self.context.printer.warning("not_verified", line);
            }
            self.context.printer.summary(&text, fields);
            return Ok(Exit::Differs);
        }
        self.troubles.conclude(self.context, (&text, fields), 0)
    }
}
