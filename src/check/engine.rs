//! Asks QuickJS whether a script can be parsed; nothing of the script is ever run.
//!
//! A script is parsed whole, with all its early errors, before its first statement runs. So the script is given a first
//! statement that throws: whatever stands behind it is parsed and never reached, and no text can end a wrapper early,
//! because there is none. The parser works in a thread of its own, with bounds of memory, stack and time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rquickjs::context::EvalOptions;
use rquickjs::{Context, Ctx, Error, Runtime, Value};

/// Always run first, and on a line of its own so that positions only shift by a line.
const GUARD: &str = "throw 0;\n";
/// For one script; a megabyte of source needs far less.
const MEMORY_BYTES: usize = 256 << 20;
const STACK_BYTES: usize = 8 << 20;
/// QuickJS compiles nested functions in a second walk that does not look at its limit; only what is touched is used.
const THREAD_STACK_BYTES: usize = 64 << 20;
/// For one script. QuickJS cannot be interrupted while it parses; it is left behind.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Why a script was not parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The script is wrong at this place.
    Syntax {
        /// Line of the script and column in bytes, from 1; `None` for regular expressions.
        place: Option<(usize, usize)>,
        /// The engine's words.
        message: String,
    },
    /// The script is nested more deeply than the parser can follow.
    TooDeep,
    /// The script exceeds a bound of the parser, or the parser could not be started.
    Beyond(String),
}

struct Request {
    script: String,
    strict: bool,
}

struct Worker {
    requests: Sender<Request>,
    verdicts: Receiver<Result<(), Refusal>>,
}

/// A parser; its thread is started by the first script.
#[derive(Default)]
pub(super) struct Engine {
    worker: Option<Worker>,
}

impl Engine {
    /// Whether `script` can be parsed, in strict mode or not. It must not contain NUL.
    pub(super) fn parse(&mut self, script: &str, strict: bool) -> Result<(), Refusal> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start()?,
        };
        let request = Request { script: format!("{GUARD}{script}\n"), strict };
        if worker.requests.send(request).is_err() {
            return Err(Refusal::Beyond("the parser ended early".to_owned()));
        }
        let verdict = worker.verdicts.recv_timeout(PATIENCE);
        match verdict {
            Ok(verdict) => {
                self.worker = Some(worker);
                verdict
            }
            Err(RecvTimeoutError::Timeout) => {
                Err(Refusal::Beyond(format!("it was not parsed within {} s", PATIENCE.as_secs())))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Refusal::Beyond("the parser ended early".to_owned())),
        }
    }
}

impl Worker {
    fn start() -> Result<Self, Refusal> {
        let (requests, inbox) = channel::<Request>();
        let (outbox, verdicts) = channel();
        let work = move || {
            while let Ok(request) = inbox.recv() {
                if outbox.send(parse(request)).is_err() {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name("function-check".to_owned()).stack_size(THREAD_STACK_BYTES);
        match thread.spawn(work) {
            Ok(_) => Ok(Self { requests, verdicts }),
            Err(error) => Err(Refusal::Beyond(format!("the parser did not start: {error}"))),
        }
    }
}

fn parse(request: Request) -> Result<(), Refusal> {
    let start = || {
        let runtime = Runtime::new()?;
        runtime.set_memory_limit(MEMORY_BYTES);
        runtime.set_max_stack_size(STACK_BYTES);
        Context::full(&runtime)
    };
    match start() {
        Ok(context) => context.with(|ctx| parse_in(&ctx, request)),
        Err(error) => Err(Refusal::Beyond(format!("the parser did not start: {error}"))),
    }
}

fn parse_in(ctx: &Ctx<'_>, request: Request) -> Result<(), Refusal> {
    let mut options = EvalOptions::default();
    options.strict = request.strict;
    match ctx.eval_with_options::<Value<'_>, _>(request.script, options) {
        Ok(_) => Err(Refusal::Beyond("the parser went astray".to_owned())),
        Err(Error::Exception) => judge(&ctx.catch()),
        Err(error) => Err(Refusal::Beyond(error.to_string())),
    }
}

/// What was thrown: the guard's own number, once everything was parsed, or an error.
fn judge(thrown: &Value<'_>) -> Result<(), Refusal> {
    if thrown.as_int() == Some(0) {
        return Ok(());
    }
    let Some(exception) = thrown.as_exception() else {
        return Err(Refusal::Beyond("it needs too much memory".to_owned()));
    };
    let message = exception.message().unwrap_or_default();
    if message.contains("stack overflow") || message.contains("call stack") {
        return Err(Refusal::TooDeep);
    }
    if message.contains("out of memory") {
        return Err(Refusal::Beyond("it needs too much memory".to_owned()));
    }
    let place = position(&exception.stack().unwrap_or_default());
    Err(Refusal::Syntax { place: place.map(|(line, column)| (line.saturating_sub(1).max(1), column)), message })
}

/// `(line, column)` from the first line of a stack, such as `    at eval_script:2:5`.
fn position(stack: &str) -> Option<(usize, usize)> {
    let mut numbers = stack.lines().next()?.trim_end_matches(')').rsplit(':').map(|part| part.trim().parse::<usize>());
    let column = numbers.next()?.ok()?;
    let line = numbers.next()?.ok()?;
    Some((line, column.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Scripts that would call `evil` if any part of them ran.
    const HOSTILE: [&str; 18] = [
        "evil()",
        "}); evil(); (function () {",
        "} evil(); {",
        "*/ evil(); /*",
        "\"use strict\"; evil()",
        "(function () { evil() })()",
        "function f() { evil() } f()",
        "var x = evil(), y = 1",
        "let x = evil()",
        "class A { static { evil() } }",
        "class A { static x = evil(); [evil()]() {} }",
        "`${evil()}`",
        "try { evil() } finally { evil() }",
        "lab: for (;;) { evil(); break lab }",
        "catch (e) { evil() }",
        "Object.prototype.valueOf = evil; throw 0; var x = {} + 1",
        "function toString() { evil() } function valueOf() { evil() } var globalThis",
        "import('evil').then(evil); (async () => { await evil() })()",
    ];

    #[test]
    fn nothing_is_ever_run() {
        for script in HOSTILE {
            for strict in [false, true] {
                let called = Arc::new(AtomicBool::new(false));
                let flag = Arc::clone(&called);
                let runtime = Runtime::new().unwrap();
                let context = Context::full(&runtime).unwrap();
                context.with(|ctx| {
                    let evil = rquickjs::Function::new(ctx.clone(), move || flag.store(true, Ordering::SeqCst));
                    ctx.globals().set("evil", evil.unwrap()).unwrap();
                    let script = format!("{GUARD}{script}\n");
                    let _ = parse_in(&ctx, Request { script, strict });
                });
                while runtime.execute_pending_job().unwrap_or(false) {}
                assert!(!called.load(Ordering::SeqCst), "{script}");
                // The probe itself works: without the guard the first of them does call it.
            }
        }
    }

    #[test]
    fn the_probe_for_running_code_does_work() {
        let called = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&called);
        let runtime = Runtime::new().unwrap();
        Context::full(&runtime).unwrap().with(|ctx| {
            let evil = rquickjs::Function::new(ctx.clone(), move || flag.store(true, Ordering::SeqCst));
            ctx.globals().set("evil", evil.unwrap()).unwrap();
            let _ = parse_in(&ctx, Request { script: HOSTILE[0].to_owned(), strict: false });
        });
        assert!(called.load(Ordering::SeqCst));
    }

    #[test]
    fn errors_come_with_their_place_in_the_script() {
        let mut engine = Engine::default();
        let cases = [
            ("var a = ;", 1, 9),
            ("f(1)\n\n  var = 3", 3, 7),
            ("var a = 1;\r\nvar b = )", 2, 9),
            ("/* é */ var été = )", 1, 22),
            ("(function () {", 2, 1),
        ];
        for (script, line, column) in cases {
            match engine.parse(script, false) {
                Err(Refusal::Syntax { place, message }) => {
                    assert_eq!(place, Some((line, column)), "{script}: {message}");
                    assert!(!message.is_empty());
                }
                other => panic!("{script}: {other:?}"),
            }
        }
    }

    #[test]
    fn modes_differ_as_they_should() {
        let mut engine = Engine::default();
        for script in ["with (a) {}", "var x = 010", "function f(a, a) {}"] {
            assert_eq!(engine.parse(script, false), Ok(()), "{script}");
            assert!(engine.parse(script, true).is_err(), "{script}");
        }
        // One script leaves nothing behind for the next.
        assert_eq!(engine.parse("let a = 1", false), Ok(()));
        assert_eq!(engine.parse("let a = 1", false), Ok(()));
    }

    #[test]
    fn bounds_are_errors_and_the_engine_survives_them() {
        let mut engine = Engine::default();
        let deep = [
            "!".repeat(2_000_000),
            "1?1:".repeat(400_000),
            "if(1)".repeat(400_000),
            "x=>".repeat(400_000),
            "function f(){".repeat(100_000),
            "[".repeat(400_000),
        ];
        for script in deep {
            assert!(engine.parse(&script, false).is_err());
            assert_eq!(engine.parse("1", false), Ok(()));
        }
        let long = "emit(doc._id, 1);\n".repeat(60_000);
        assert_eq!(engine.parse(&long, false), Ok(()));
    }
}
