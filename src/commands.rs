//! One verb, one file: gather, plan, guard, confirm, transfer, report.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use self::login::Logins;
use crate::address::Address;
use crate::cli;
use crate::exit::{Exit, Failure};
use crate::local::{LocalError, Lock, State};
use crate::report::{self, Printer};
use crate::settings::{self, Command, Destination, Endpoint, Environment, Project, Resolved, Settings};

mod app;
mod auth;
mod browse;
mod clone;
mod completions;
mod config;
mod csp;
mod database;
mod db;
mod diff;
mod dump;
mod ending;
mod explain;
mod follow;
mod generate;
mod handles;
mod init;
mod listing;
mod login;
mod media;
mod prepare;
mod push;
mod replicate;
mod sending;
#[cfg(feature = "serve")]
mod serve;
mod status;
mod survey;
mod sync_dir;
mod user;
mod valve;
mod watch;

/// What every command is given.
struct Context {
    settings: Settings,
    printer: Printer,
    environment: Environment,
    /// What was found out about credentials so far.
    logins: Logins,
}

impl Context {
    /// The default target, or else the place that a folder was cloned from.
    ///
    /// A clone goes back to where it came from, even below a folder whose couchapp.toml names another default.
    fn default_destination(&self, origin: Option<&Address>) -> Result<Destination> {
        let configured = |project: &Project| {
            project.config.as_ref().and_then(|config| config.parent()).is_some_and(|folder| folder == project.root)
        };
        if let Some(origin) = origin.filter(|_| !self.settings.project.as_ref().is_some_and(configured)) {
            return Ok(Destination::of(origin.clone()));
        }
        Ok(self.settings.targets.default_destination(origin)?)
    }

    /// The servers that were named; else those of the default target; else the default one.
    fn servers(&self, named: &[Endpoint]) -> Result<Vec<Endpoint>> {
        if !named.is_empty() {
            return Ok(named.to_vec());
        }
        let (origin, targets) = (self.project_origin(), &self.settings.targets);
        if origin.is_none() && targets.names().next().is_none() {
            let server = targets.server();
            return Ok(vec![server.at(server.address.server())]);
        }
        Ok(self.default_destination(origin.as_ref())?.servers())
    }

    /// The place that the app around the current folder was cloned from.
    fn project_origin(&self) -> Option<Address> {
        self.settings.project.as_ref().and_then(|project| origin(&project.root))
    }

    /// Keeps a second run out of a folder for as long as the lock is held. In a folder that cannot be locked, because
    /// nothing can be written there, there is nothing to race for; and a dry run writes nothing.
    fn hold(&self, state: &State) -> Result<Option<Lock>> {
        if self.settings.dry_run {
            return Ok(None);
        }
        match state.lock() {
            Ok(lock) => Ok(Some(lock)),
            Err(error @ LocalError::Locked { .. }) => Err(error.into()),
            Err(error) => {
                self.printer.detail(&format!("this folder cannot be locked: {error}"));
                Ok(None)
            }
        }
    }

    /// Asks `question` unless `--yes` was given. Without an answer, and when the answer is no, `doing` is refused.
    fn confirmed(&self, question: &str, doing: &str) -> Result<()> {
        if self.settings.yes {
            return Ok(());
        }
        match self.printer.confirm(question) {
            Some(true) => Ok(()),
            Some(false) => Err(Failure::new(Exit::Refused, format!("{doing} was not confirmed")).into()),
            None => {
                let failure = Failure::new(Exit::Refused, format!("{doing} has to be confirmed"));
                Err(failure.hint("`--yes` confirms it where nobody can be asked").into())
            }
        }
    }
}

/// The database that the app in `root` was cloned from. The document is named by the folder, which may have got another
/// `_id` since.
fn origin(root: &Path) -> Option<Address> {
    let address = State::of(root).origin().found()?.address;
    Some(address.with(address.database.clone(), None))
}

/// Runs the program: the first of `arguments` is its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Ok(environment) = Environment::of_process() else { return ExitCode::from(Exit::Failed.code()) };
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let early = || Printer::new(settings::early_output(&arguments, &environment));
    let cli = match cli::parse(arguments.iter().cloned()) {
        Ok(cli) => cli,
        Err(error) => {
            let printer = early();
            let exit = printer.usage(&error);
            return ExitCode::from(printer.finish(exit).code());
        }
    };
    let (printer, outcome) = match settings::resolve(&cli, &environment) {
        Ok(Resolved { settings, command }) => {
            let printer = Printer::new(settings.output.clone());
            let logins = Logins::default();
            let context = Context { settings, printer: printer.clone(), environment: environment.clone(), logins };
            (printer, carry_out(&context, &command))
        }
        Err(failure) => (early(), Err(failure.into())),
    };
    let exit = outcome.unwrap_or_else(|error| printer.error(&explain::settle(error)));
    ExitCode::from(printer.finish(exit).code())
}

/// Runs the command on a runtime of its own; Ctrl-C drops it where it stands, which leaves no half file and no half
/// document: files appear by rename, a document is one request.
fn carry_out(context: &Context, command: &Command) -> Result<Exit> {
    let log = context.settings.output.open_log()?;
    report::logging::start(&context.printer, log);
    for warning in &context.settings.warnings {
        context.printer.warning(warning.code, &warning.message);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stops_itself = command.stops_itself();
    if !command.ends_in_its_own_time() {
        runtime.spawn(end_when_held(context.printer.clone(), if stops_itself { LONG_PATIENCE } else { PATIENCE }));
    }
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = dispatch(context, command) => outcome,
            _ = tokio::signal::ctrl_c(), if !stops_itself => {
                context.printer.clear();
                let failure = Failure::new(Exit::Interrupted, "interrupted");
                Err(failure.hint("every document and every file is either old or new; `couchapp status` tells which, and running it again goes on").into())
            }
        }
    });
    // A blocking read in the background must not hold the process.
    runtime.shutdown_background();
    outcome
}

/// How long an interrupted command may take to end by itself.
const PATIENCE: Duration = Duration::from_millis(500);

/// The same for a command that takes leave of others.
const LONG_PATIENCE: Duration = Duration::from_secs(4);

/// Ends the process after Ctrl-C where the command cannot be dropped: a question, or work on files, holds its thread. There
/// is nothing to unwind then: files appear by rename, and a document is one request.
#[allow(clippy::exit, reason = "the thread that could return is the one that is held")]
async fn end_when_held(printer: Printer, patience: Duration) {
    if tokio::signal::ctrl_c().await.is_ok() {
        if !printer.is_asking() {
            // Who asks again does not want to wait.
            tokio::select! {
                () = tokio::time::sleep(patience) => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        printer.clear();
        printer.give_back_keyboard();
        std::process::exit(Exit::Interrupted.code().into());
    }
}

async fn dispatch(context: &Context, command: &Command) -> Result<Exit> {
    match command {
        Command::Help => {
            context.printer.data(cli::help::CONCISE.as_bytes());
            Ok(Exit::Ok)
        }
        Command::Init(command) => init::run(context, command),
        Command::Clone(command) => clone::run(context, command).await,
        Command::Push(command) => push::run(context, command).await,
        Command::Watch(command) => watch::run(context, command).await,
        Command::Status(command) => status::run(context, command).await,
        Command::Diff(command) => diff::run(context, command).await,
        Command::SyncDir(command) => sync_dir::run(context, command).await,
        Command::Dump(command) => dump::run(context, command).await,
        Command::Replicate(command) => replicate::run(context, command).await,
        Command::Jobs(command) => replicate::jobs(context, command).await,
        Command::Db(command) => db::run(context, command).await,
        Command::User(command) => user::run(context, command).await,
        Command::Browse(command) => browse::run(context, command).await,
        Command::ConfigShow { origin } => config::run(context, *origin),
        Command::AuthCheck { target } => auth::run(context, target.as_ref()).await,
        Command::Csp(command) => csp::run(context, command).await,
        #[cfg(feature = "serve")]
        Command::Serve(command) => serve::run(context, command).await,
        Command::Completions(shell) => completions::run(context, *shell),
        Command::Generate { form, into } => generate::run(context, *form, into.as_deref()),
    }
}
