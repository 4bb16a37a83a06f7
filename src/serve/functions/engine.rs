//! One engine: a QuickJS runtime with the functions of one design document.
//!
//! The prelude (`prelude.js`) is called by name with texts and gives a text. It runs in a realm of its own; every function
//! that is compiled gets another realm, which is made here because a realm cannot be made from within a call.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rquickjs::context::EvalOptions;
use rquickjs::function::Rest;
use rquickjs::{Context, Ctx, Function, Object, Persistent, Runtime, Value};

use super::{FunctionError, Limits, verdict};
use crate::check::script;
use crate::json;

const PRELUDE: &str = include_str!("prelude.js");

/// An engine that holds more than this between two calls is not kept.
const MEMORY_AT_REST: i64 = 24 << 20;
/// A result with more values is refused.
const MOST_VALUES: usize = 1_000_000;
/// What takes longer may have used up the memory.
const BRIEF: Duration = Duration::from_millis(20);
/// After so much work, or so many calls, the memory is counted.
const LONG: Duration = Duration::from_millis(50);
const UNCOUNTED: u32 = 64;

/// Where the rows of a list come from, and where what it sends goes.
pub(super) trait Rows {
    /// Takes what was sent since the last row and gives the next one; an empty text is the end, `None` that nobody listens.
    fn next(&mut self, sent: String) -> Option<String>;
    /// Takes what was sent last; `None` when the function failed.
    fn end(&mut self, sent: Option<String>);
}

/// What host functions and the interrupt handler share with the engine.
#[derive(Default)]
struct Shared {
    deadline: Cell<Option<Instant>>,
    is_interrupted: Cell<bool>,
    time: Cell<Duration>,
    rows: RefCell<Option<Box<dyn Rows>>>,
    steps: Steps,
}

/// Counts how often the time began anew: who waits for an answer sees by it whether anything goes on.
pub(super) type Steps = Arc<AtomicU64>;

impl Shared {
    fn extend(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.deadline.set(Instant::now().checked_add(self.time.get()));
    }

    fn next_row(&self, sent: String) -> String {
        let row = self.rows.borrow_mut().as_mut().and_then(|rows| rows.next(sent));
        self.extend();
        row.unwrap_or_else(|| {
            // Nobody listens: the function ends at the next look at the clock.
            self.is_interrupted.set(true);
            String::new()
        })
    }
}

/// See the module.
pub(super) struct Engine {
    // In this order: what is kept of a runtime goes before it.
    calls: Persistent<Function<'static>>,
    context: Context,
    runtime: Runtime,
    shared: Rc<Shared>,
    uncounted: u32,
    is_sound: bool,
}

impl Engine {
    /// An engine with the prelude and nothing else.
    pub(super) fn new(limits: &Limits, steps: &Steps) -> Result<Self, FunctionError> {
        let shared = Rc::new(Shared { steps: Arc::clone(steps), ..Shared::default() });
        shared.time.set(limits.time);
        let runtime = Runtime::new().map_err(broken)?;
        runtime.set_memory_limit(limits.memory);
        runtime.set_max_stack_size(limits.stack);
        let clock = Rc::clone(&shared);
        runtime.set_interrupt_handler(Some(Box::new(move || {
            let is_late = clock.deadline.get().is_some_and(|deadline| Instant::now() >= deadline);
            if is_late {
                clock.is_interrupted.set(true);
            }
            clock.is_interrupted.get()
        })));
        let context = Context::full(&runtime).map_err(broken)?;
        let calls = context.with(|ctx| prelude(&ctx, &shared)).map_err(broken)?;
        Ok(Self { calls, context, runtime, shared, uncounted: 0, is_sound: true })
    }

    /// Whether it may be used again.
    pub(super) fn is_sound(&self) -> bool {
        self.is_sound
    }

    /// Calls the prelude, as often as it wants another sandbox.
    pub(super) fn call(&mut self, name: &str, arguments: &[&str]) -> Result<String, FunctionError> {
        loop {
            let start = Instant::now();
            let told = self.once(name, arguments)?;
            match told.split_at_checked(1) {
                // What is too large for us is so for the function.
                Some(("=", result)) if has_too_many_values(result) => return Err(FunctionError::exhausted()),
                Some(("=", result)) => return Ok(result.to_owned()),
                Some(("+", _)) => self.add_sandbox()?,
                Some(("!", told)) => {
                    let (error, is_fatal) = verdict::of(told);
                    self.is_sound &= !is_fatal;
                    return Err(error);
                }
                // To use up the memory takes a while; a function that throws null is at once done.
                Some(("0", _)) if start.elapsed() < BRIEF => return Err(FunctionError::new("TypeError", "{[]}")),
                _ => {
                    self.is_sound = false;
                    return Err(FunctionError::exhausted());
                }
            }
        }
    }

    /// Calls a list with its rows.
    pub(super) fn list(&mut self, name: &str, arguments: &str, rows: Box<dyn Rows>) -> Result<(), FunctionError> {
        *self.shared.rows.borrow_mut() = Some(rows);
        let result = self.call("list", &[name, arguments]);
        let rows = self.shared.rows.borrow_mut().take();
        let (sent, result) = match result {
            Ok(sent) => (Some(sent), Ok(())),
            Err(error) => (None, Err(error)),
        };
        if let Some(mut rows) = rows {
            rows.end(sent);
        }
        result
    }

    /// Gives back what is no longer needed; an engine that holds too much is not sound any more. Counting takes a while, so
    /// this looks after long work only, or now and then.
    pub(super) fn tidy(&mut self, worked: Duration) {
        self.uncounted += 1;
        if worked < LONG && self.uncounted < UNCOUNTED {
            return;
        }
        self.uncounted = 0;
        if self.runtime.memory_usage().malloc_size > MEMORY_AT_REST {
            self.runtime.run_gc();
            self.is_sound &= self.runtime.memory_usage().malloc_size <= MEMORY_AT_REST;
        }
    }

    fn once(&mut self, name: &str, arguments: &[&str]) -> Result<String, FunctionError> {
        self.shared.is_interrupted.set(false);
        self.shared.extend();
        let calls = self.calls.clone();
        let told = self.context.with(|ctx| {
            let call = || calls.restore(&ctx)?.call::<_, String>((name, Rest(arguments.to_vec())));
            call().map_err(|error| {
                if error.is_exception() {
                    ctx.catch();
                }
            })
        });
        self.shared.deadline.set(None);
        if self.shared.is_interrupted.get() {
            self.is_sound = false;
            return Err(FunctionError::late());
        }
        told.map_err(|()| {
            self.is_sound = false;
            FunctionError::exhausted()
        })
    }

    fn add_sandbox(&mut self) -> Result<(), FunctionError> {
        let sandbox = Context::full(&self.runtime).map_err(broken)?;
        let realm = sandbox.with(|ctx| Persistent::save(&ctx, ctx.globals()));
        let calls = self.calls.clone();
        self.context.with(|ctx| call_with_realm(&ctx, calls, realm)).map_err(broken)
    }
}

fn has_too_many_values(result: &str) -> bool {
    result.len() > MOST_VALUES && json::count_values(result.as_bytes()) > MOST_VALUES
}

fn call_with_realm(
    ctx: &Ctx<'_>,
    calls: Persistent<Function<'static>>,
    realm: Persistent<Object<'static>>,
) -> rquickjs::Result<()> {
    let realm = realm.restore(ctx)?;
    calls.restore(ctx)?.call::<_, Value<'_>>(("sandbox", realm)).map(drop)
}

/// Runs the prelude; what it leaves behind is called with what it needs from here, and gives the function for all calls.
fn prelude(ctx: &Ctx<'_>, shared: &Rc<Shared>) -> rquickjs::Result<Persistent<Function<'static>>> {
    let mut options = EvalOptions::default();
    options.filename = Some("prelude.js".to_owned());
    let open: Function<'_> = ctx.eval_with_options(PRELUDE, options)?;
    let to_script = Function::new(ctx.clone(), |source: String| match script::of_function(&source) {
        Ok(script) => format!("={script}"),
        Err(message) => format!("!{message}"),
    })?;
    let rows = Rc::clone(shared);
    let next_row = Function::new(ctx.clone(), move |sent: String| rows.next_row(sent))?;
    let log = Function::new(ctx.clone(), |message: String| tracing::info!(target: "couchapp::functions", "{message}"))?;
    let calls: Function<'_> = open.call((to_script, next_row, log))?;
    Ok(Persistent::save(ctx, calls))
}

#[allow(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn broken(error: rquickjs::Error) -> FunctionError {
    FunctionError::new("os_process_error", format!("the engine did not start: {error}"))
}
