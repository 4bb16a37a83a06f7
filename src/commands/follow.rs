//! A command that is carried out once and then again whenever what it copies has changed, until somebody ends it.
//!
//! That something has changed is all that is believed of any event: each round looks at everything anew. One round runs
//! at a time; what changes meanwhile leads to another one. What fails is told, and waits for the next change; a server
//! that is away is asked again until it is back.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use self::news::News;
use super::ending::Ending;
use super::{Context, explain};
use crate::exit::{Exit, Failure};
use crate::local::LocalError;
use crate::plan::Refusal;
use crate::report::{Keys, exit_of};
use crate::settings::Destination;

mod news;

pub(super) use self::news::Source;

/// How long files rest before they are looked at: what copies them writes one after the other.
pub(super) const REST: Duration = Duration::from_millis(200);

/// The first wait for a server that is away, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What an end grants the round that is under way.
const MOMENT: Duration = Duration::from_millis(1500);

/// So many tries pass before something is told that another process may be about to mend.
const PASSING: u32 = 3;

/// So many failures in a row are left untold because the folder has changed since.
const OVERTAKEN: u32 = 5;

/// A key, and what is said of it.
pub(super) type Key = (char, &'static str);

/// What is followed, and in which words.
pub(super) struct Following<'a> {
    /// The name of the command.
    pub command: &'static str,
    /// From where to where it goes, as people know it.
    pub ends: (String, String),
    /// What is watched.
    pub source: Source<'a>,
    /// How long nothing changes before a round begins.
    pub delay: Duration,
    /// The keys that it has beside those that all have.
    pub keys: &'a [Key],
}

/// What is done each time.
pub(super) trait Round {
    /// Does it once; within its limit of removals, or `beyond` it.
    async fn carry_out(&self, context: &Context, beyond: bool) -> Result<Exit>;

    /// Does what one of its own keys stands for.
    async fn press(&self, _context: &Context, _key: char) -> Result<()> {
        Ok(())
    }
}

/// A destination in words: `dev http://127.0.0.1:5984/blog`.
pub(super) fn shown(destination: &Destination) -> String {
    let label = destination.label.iter().cloned();
    let addresses = destination.endpoints.iter().map(|endpoint| endpoint.address.to_string());
    label.chain(addresses).collect::<Vec<_>>().join(" ")
}

/// Carries `round` out at once, and from then on whenever something changes.
pub(super) async fn follow<R: Round>(context: &Context, following: &Following<'_>, round: &R) -> Result<Exit> {
    if context.settings.dry_run {
        let failure = Failure::new(Exit::Usage, "a dry run changes nothing, so there is nothing to go on with");
        return Err(failure.hint("leave out `--dry-run`, or what makes it go on").into());
    }
    let mut ending = Ending::new()?;
    let news = News::of(&following.source)?;
    let mut follower = Follower { context, following, round, news, told: None, failures: 0, overtaken: 0, done: 0 };
    let outcome = Box::pin(follower.work(&mut ending)).await;
    context.printer.clear();
    if outcome.is_ok() {
        follower.take_leave();
    }
    outcome
}

struct Follower<'a, R> {
    context: &'a Context,
    following: &'a Following<'a>,
    round: &'a R,
    news: News<'a>,
    /// The last failure, as long as it lasts.
    told: Option<Told>,
    /// How often in a row the server was away.
    failures: u32,
    /// How many failures in a row were left untold.
    overtaken: u32,
    /// How many rounds have done something.
    done: usize,
}

/// A failure that has been told.
#[derive(PartialEq)]
struct Told {
    exit: Exit,
    words: String,
}

/// Why a round begins, or what else is to be done.
enum Occasion {
    News,
    /// The time to try again has come.
    Again,
    /// The feed of changes could not be followed.
    Lost(anyhow::Error),
    Pressed(char),
}

impl<R: Round> Follower<'_, R> {
    async fn work(&mut self, ending: &mut Ending) -> Result<Exit> {
        match whole(Box::pin(self.first()), ending).await {
            None => return Ok(Exit::Interrupted),
            Some(Err(error)) if is_final(&error) => return Err(error),
            Some(Err(error)) => self.fail(error, None).await,
            Some(Ok(())) => {}
        }
        let mut keys = self.context.printer.keys();
        self.greet(keys.is_some());
        let mut pressed = VecDeque::new();
        loop {
            let occasion = if let Some(key) = pressed.pop_front() {
                Occasion::Pressed(key)
            } else {
                tokio::select! {
                    occasion = self.wait(&mut keys) => occasion,
                    () = ending.wanted() => return Ok(Exit::Interrupted),
                }
            };
            let is_wanted = match occasion {
                Occasion::Pressed('q') => return Ok(Exit::Ok),
                Occasion::Pressed('p') => true,
                Occasion::Pressed(key) => {
                    self.press(key).await;
                    continue;
                }
                Occasion::Lost(error) => {
                    self.fail(error, None).await;
                    continue;
                }
                Occasion::News | Occasion::Again => false,
            };
            if is_wanted {
                self.told = None;
            }
            let mut round = pin!(whole(Box::pin(self.go_round()), ending));
            loop {
                tokio::select! {
                    ended = &mut round => match ended {
                        Some(()) => break,
                        None => return Ok(Exit::Interrupted),
                    },
                    key = next(&mut keys) => match key {
                        'q' => {
                            let _ = tokio::time::timeout(MOMENT, round).await;
                            return Ok(Exit::Ok);
                        }
                        key => pressed.push_back(key),
                    }
                }
            }
        }
    }

    /// The first round says everything that the command says by itself, and asks what it asks.
    async fn first(&mut self) -> Result<()> {
        // Without a place in the feed the round itself says why.
        let marked = self.news.mark(self.context).await;
        Box::pin(self.round.carry_out(self.context, false)).await?;
        self.done += usize::from(self.context.printer.has_done());
        marked
    }

    async fn wait(&mut self, keys: &mut Option<Keys>) -> Occasion {
        let (delay, pause) = (self.following.delay, self.pause());
        tokio::select! {
            outcome = self.news.changed(self.context, delay) => match outcome {
                Ok(()) => Occasion::News,
                Err(error) => Occasion::Lost(error),
            },
            () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => Occasion::Again,
            key = next(keys) => Occasion::Pressed(key),
        }
    }

    /// How long to wait for a server that is away.
    fn pause(&self) -> Option<Duration> {
        let doublings = self.failures.checked_sub(1)?;
        Some(FIRST_WAIT.saturating_mul(1 << doublings.min(10)).min(LONGEST_WAIT))
    }

    async fn go_round(&mut self) {
        let mut context = self.of_round();
        let marked = self.news.mark(&context).await;
        let mut outcome = Box::pin(self.round.carry_out(&context, false)).await;
        if let Err(error) = &outcome
            && let Some(question) = question(error)
            && context.printer.confirm(&question) == Some(true)
        {
            context = self.of_round();
            outcome = Box::pin(self.round.carry_out(&context, true)).await;
        }
        let outcome = outcome.and(marked);
        let has_done = context.printer.has_done();
        self.done += usize::from(has_done);
        match outcome {
            Ok(()) => {
                self.failures = 0;
                self.overtaken = 0;
                if let Some(told) = self.told.take().filter(|_| !has_done) {
                    let away = told.exit == Exit::Unavailable;
                    let what = if away { "the server is back" } else { "mended" };
                    context.printer.moment(&format!("{what}; nothing has changed"));
                }
            }
            Err(error) => self.fail(error, Some(&context)).await,
        }
    }

    /// What a round is given: it is told on one line, and asks for nothing twice.
    fn of_round(&self) -> Context {
        let mut settings = self.context.settings.clone();
        if self.failures > 0 {
            // Its own waits would only delay the news.
            settings.network.retries = 0;
        }
        let (environment, logins) = (self.context.environment.clone(), self.context.logins.clone());
        Context { settings, printer: self.context.printer.line(), environment, logins }
    }

    /// Tells of a failure, unless it is the same as before or overtaken by a change. `context` is that of a round.
    async fn fail(&mut self, error: anyhow::Error, context: Option<&Context>) {
        let is_locked = is_locked(&error);
        let error = explain::settle(error);
        let exit = exit_of(&error);
        // What goes the other way meanwhile holds the folder, or has not yet brought a change of this side over.
        let is_crossing = self.following.command != "watch" && matches!(exit, Exit::Conflict | Exit::Partial);
        let is_passing = is_locked || is_crossing && self.failures < PASSING;
        let is_away = exit == Exit::Unavailable || is_passing || self.news.is_lost();
        self.failures = if is_away { self.failures.saturating_add(1) } else { 0 };
        if !is_away && self.overtaken < OVERTAKEN && self.news.has_come(self.following.delay).await {
            self.overtaken += 1;
            return;
        }
        self.overtaken = 0;
        let told = Told { exit, words: words(&error) };
        let is_told = self.told.as_ref() == Some(&told) || (is_passing && self.failures <= PASSING);
        if !is_told || matches!(exit, Exit::Usage | Exit::Failed) {
            let line = self.context.printer.line();
            context.map_or(&line, |context| &context.printer).error(&error);
            self.told = Some(told);
        }
    }

    async fn press(&mut self, key: char) {
        if !self.following.keys.iter().any(|(known, _)| *known == key) {
            return;
        }
        if let Err(error) = Box::pin(self.round.press(self.context, key)).await {
            self.context.printer.error(&explain::settle(error));
        }
    }

    fn greet(&self, has_keys: bool) {
        let (from, to) = &self.following.ends;
        let fields = [("state", Value::from("watching")), ("from", from.as_str().into()), ("to", to.as_str().into())];
        self.tell(fields);
        let keys = self.following.keys.iter().map(|(_, words)| *words);
        let again = if self.following.command == "watch" { "[p]ush now" } else { "[p]roceed now" };
        let keys: Vec<&str> = [again].into_iter().chain(keys).chain(["[q]uit"]).collect();
        let keys = if has_keys { format!("     {}", keys.join("  ")) } else { String::new() };
        self.context.printer.note(&format!("Watching {from} → {to}{keys}"));
    }

    fn take_leave(&self) {
        self.tell([("state", Value::from("stopped")), ("done", self.done.into())]);
        let (one, many) = if self.following.command == "watch" { ("push", "pushes") } else { ("run", "runs") };
        let unit = if self.done == 1 { one } else { many };
        self.context.printer.note(&format!("stopped after {} {unit}", self.done));
    }

    fn tell<const N: usize>(&self, fields: [(&str, Value); N]) {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        let command = ("command".to_owned(), Value::from(self.following.command));
        self.context.printer.document("watch", [command].into_iter().chain(fields).collect());
    }
}

/// Does `work`. When the end comes meanwhile, it is given a moment to become whole, so that what the server has taken is
/// remembered; then there is no outcome.
async fn whole<T>(work: impl Future<Output = T>, ending: &mut Ending) -> Option<T> {
    let mut work = pin!(work);
    tokio::select! {
        outcome = &mut work => return Some(outcome),
        () = ending.wanted() => {}
    }
    // Whoever ends it does not wait for more, nor for its outcome.
    let _ = tokio::time::timeout(MOMENT, work).await;
    None
}

async fn next(keys: &mut Option<Keys>) -> char {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

/// The question for a plan that removes more than is allowed.
fn question(error: &anyhow::Error) -> Option<String> {
    match error.chain().find_map(|cause| cause.downcast_ref::<Refusal>())? {
        Refusal::TooMany { removed, total, what, .. } => {
            Some(format!("This removes {removed} of {total} {what}. Go on?"))
        }
        Refusal::EmptySource { .. } => None,
    }
}

/// An error with what it lists.
fn words(error: &anyhow::Error) -> String {
    let listed = error.chain().filter_map(|cause| cause.downcast_ref::<Failure>()).flat_map(Failure::listed);
    let listed: Vec<&str> = listed.map(String::as_str).collect();
    format!("{error:#}\n{}", listed.join("\n"))
}

/// Whether another process works on the same folder.
fn is_locked(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref::<LocalError>(), Some(LocalError::Locked { .. })))
}

/// Whether a first failure ends it: nothing that changes later would mend it, or nobody can be asked.
fn is_final(error: &anyhow::Error) -> bool {
    let code = error.chain().find_map(|cause| cause.downcast_ref::<Failure>()).map(Failure::code);
    let is_in_the_folder = matches!(code, Some("function" | "source"));
    matches!(exit_of(error), Exit::Usage | Exit::Missing | Exit::Auth | Exit::Refused) && !is_in_the_folder
}
