//! Loading the app or apps of a folder, and saying what is wrong with them.

use anyhow::Result;

use super::Context;
use crate::check::{self, Problem};
use crate::ddoc::{self, Finding, Severity};
use crate::exit::{Exit, Failure};
use crate::local::{self, ProblemKind, State};
use crate::settings::command::AppFolder;
use crate::settings::values::Layout;
use crate::snapshot::{self, App, LoadError, LoadOptions};

/// The apps of one folder: itself, or those of `_design/*/`.
pub(super) struct Apps {
    pub apps: Vec<App>,
    /// The folder as the user knows it.
    pub shown: String,
}

/// How `status` and `diff` load an app: as a push without flags would.
pub(super) fn options(context: &Context) -> LoadOptions {
    let push = &context.settings.push;
    LoadOptions { layout: layout(push.layout), id: None, lenient: push.lenient, documents: push.docs != Some(false) }
}

/// The layout that was chosen; `None` is the one the folder seems to have.
pub(super) fn layout(chosen: Layout) -> Option<ddoc::Layout> {
    match chosen {
        Layout::Auto => None,
        Layout::Couchapp => Some(ddoc::Layout::Couchapp),
        Layout::Web => Some(ddoc::Layout::Web),
    }
}

/// Loads the app in `folder`, or every app of a project with several design documents. Warnings are printed.
pub(super) fn load(context: &Context, folder: &AppFolder, options: &LoadOptions) -> Result<Apps> {
    if !folder.named && !folder.is_app {
        return Err(no_app(folder)?.into());
    }
    if local::kind(&folder.path)? != Some(local::Kind::Folder) {
        return Err(Failure::new(Exit::Missing, format!("the folder `{}` does not exist", folder.shown)).into());
    }
    let designs = snapshot::designs(&folder.path).map_err(|error| explain(error, &folder.shown))?;
    let docs = folder.path.join("_docs");
    if !designs.is_empty() && local::kind(&docs)?.is_some() {
        let text = "`_docs` beside `_design` is not pushed; put it into one of the apps";
        context.printer.warning("docs", text);
    }
    let mut apps = Vec::new();
    for design in &designs {
        let root = folder.path.join(design.as_str());
        let app = snapshot::load(&root, options).map_err(|error| explain(error, design.as_str()))?;
        apps.push(app);
    }
    if designs.is_empty() {
        apps.push(snapshot::load(&folder.path, options).map_err(|error| explain(error, &folder.shown))?);
    }
    for app in &apps {
        warn(context, app);
    }
    Ok(Apps { apps, shown: folder.shown.clone() })
}

fn no_app(folder: &AppFolder) -> Result<Failure> {
    let is_app =
        |name: &str| ["_id", "_attachments", "views", "couchapp.json", ".couchapprc", "couchapp.toml"].contains(&name);
    let mut inside = Vec::new();
    for child in local::children(&folder.path)?.into_iter().filter(|child| child.kind == local::Kind::Folder) {
        let names = local::children(&folder.path.join(&child.name))?;
        if names.iter().any(|entry| is_app(&entry.name)) {
            inside.push(child.name);
        }
    }
    let failure = Failure::new(Exit::Usage, format!("there is no app in `{}`", folder.shown));
    Ok(match inside.first() {
        None => failure.hint("go to the app's folder, or name it; `couchapp init` starts a new one"),
        Some(first) => {
            let hint = format!("name one of the apps one level down, as in `couchapp push ./{first} DEST`");
            failure.details(inside.iter().map(|name| format!("{name}/"))).hint(hint)
        }
    })
}

fn warn(context: &Context, app: &App) {
    for finding in &app.findings {
        context.printer.warning("file", &finding.to_string());
    }
    for problem in &app.problems {
        context.printer.warning("unreadable", &format!("{}: {}", problem.path, problem.kind));
    }
    for ignored in &app.listing.ignored {
        if ignored.reason.kind == crate::filter::RuleKind::Secret {
            context.printer.warning("secret", &format!("{} looks like a secret and is not pushed", ignored.path));
        }
    }
    for (path, doubt) in &app.listing.doubts {
        let verb = if doubt.ignored_by_1_0 { "left out" } else { "kept" };
        let text = format!("{path}: couchapp 1.0 would have {verb} it by the rule `{}` ({})", doubt.rule, doubt.source);
        context.printer.warning("ignore_dialect", &text);
    }
}

pub(super) fn explain(error: LoadError, shown: &str) -> anyhow::Error {
    match error {
        LoadError::Findings(findings) => {
            let errors: Vec<_> = findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
            let first = format!("`{shown}` cannot be pushed as it is");
            let failure = Failure::new(Exit::Usage, first).coded("source").details(errors.iter().flat_map(lines));
            failure.hint("`--lenient` warns instead where the old couchapp did not mind").into()
        }
        LoadError::Problems(problems) => {
            let refused = problems.iter().any(|problem| matches!(problem.kind, ProblemKind::Unreadable(_)));
            let exit = if refused { Exit::Failed } else { Exit::Usage };
            let lines = problems.iter().map(|problem| format!("{}: {}", problem.path, problem.kind));
            let failure = Failure::new(exit, format!("`{shown}` cannot be read as a whole")).details(lines);
            failure.hint("name what does not belong to the app in `.couchappignore`").into()
        }
        LoadError::Rules(_) => Failure::new(Exit::Usage, error.to_string()).into(),
        LoadError::Local(error) => error.into(),
    }
}

/// The finding, and the line it is about with a caret under the column.
fn lines(finding: &Finding) -> Vec<String> {
    let column = finding.position.map(|(_, column)| column);
    pointed(&finding.to_string(), finding.source_line.as_deref(), column)
}

fn pointed(text: &str, source_line: Option<&str>, column: Option<usize>) -> Vec<String> {
    let mut lines = vec![text.to_owned()];
    if let (Some(line), Some(column)) = (source_line, column) {
        let before: String =
            line.chars().take(column.saturating_sub(1)).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        lines.push(format!("    {line}"));
        lines.push(format!("    {before}^"));
    }
    lines
}

/// Parses every function of the apps without running any; an error stops the push, a warning is printed.
pub(super) fn check(context: &Context, apps: &Apps) -> Result<()> {
    let mut errors = Vec::new();
    for app in &apps.apps {
        let folded = &app.document.folded;
        if !folded.id.is_design() {
            continue;
        }
        let file = |member: &[String]| {
            (1..=member.len()).rev().find_map(|length| folded.origins.get(&member[..length])).map(ToString::to_string)
        };
        for problem in check::check(&folded.body, &file) {
            match problem.severity {
                check::Severity::Error => errors.push(problem),
                check::Severity::Warning => context.printer.warning("function", &problem.to_string()),
            }
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(broken(&errors).into()) }
}

/// The failure for functions that do not compile.
pub(super) fn broken(problems: &[Problem]) -> Failure {
    let lines = problems
        .iter()
        .flat_map(|problem| pointed(&problem.to_string(), problem.source_line.as_deref(), Some(problem.column)));
    let what = if problems.len() == 1 { "a function does not compile" } else { "some functions do not compile" };
    Failure::new(Exit::Usage, format!("{what}; nothing was sent"))
        .coded("function")
        .details(lines)
        .hint("`--no-check` sends them anyway")
}

/// A clone that did not end must not be pushed: what did not arrive would be taken for removed.
pub(super) fn refuse_incomplete(apps: &Apps) -> Result<()> {
    for app in &apps.apps {
        if let Some(origin) = State::of(app.folder.root()).incomplete() {
            let message = format!("the clone in `{}` was interrupted and is not whole", apps.shown);
            let failure = Failure::new(Exit::Refused, message).coded("incomplete");
            return Err(failure.hint(format!("`couchapp clone {origin} DIR --update` completes it")).into());
        }
    }
    Ok(())
}
