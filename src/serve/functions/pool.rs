//! The threads on which engines live. A call is given a thread that knows its functions, if one is idle, else another one.
//!
//! A thread that does not answer in time (a native loop that cannot be interrupted) is given up: nothing can end it. So many
//! may be lost, then functions are refused until one of them has ended by itself.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::engine::{Engine, Steps};
use super::{FunctionError, Limits};

/// Identifies functions by their content.
pub(super) type Key = [u8; 32];
/// Engines that a thread keeps.
const KEPT: usize = 8;
/// Threads that may be given up.
const LOST: usize = 16;
/// Lists that run beside everything else: they wait for rows, and rows may wait for functions.
const LISTS: usize = 32;
/// QuickJS compiles nested functions in a walk that does not look at its limit.
const THREAD_STACK_BYTES: usize = 32 << 20;

type Job = Box<dyn FnOnce(&mut Engines) + Send>;

struct Worker {
    jobs: Sender<Job>,
    known: Arc<Mutex<Vec<Key>>>,
    steps: Steps,
    is_lost: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    idle: Vec<Worker>,
    busy: usize,
    lists: usize,
}

/// See the module.
pub(super) struct Pool {
    limits: Limits,
    state: Mutex<State>,
    bell: Condvar,
    lost: Arc<AtomicUsize>,
}

/// Engines of one thread, the one that was used last at the end.
pub(super) struct Engines {
    limits: Limits,
    kept: Vec<(Key, Engine)>,
    known: Arc<Mutex<Vec<Key>>>,
    steps: Steps,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engines {
    /// Uses the engine of `key`, which `prepare` readies when it is new. What is not sound afterwards is thrown away.
    pub(super) fn with<T>(
        &mut self,
        key: Key,
        prepare: impl FnOnce(&mut Engine) -> Result<(), FunctionError>,
        work: impl FnOnce(&mut Engine) -> Result<T, FunctionError>,
    ) -> Result<T, FunctionError> {
        let mut engine = if let Some(at) = self.kept.iter().position(|(known, _)| *known == key) {
            self.kept.remove(at).1
        } else {
            let mut engine = Engine::new(&self.limits, &self.steps)?;
            prepare(&mut engine)?;
            engine
        };
        let start = Instant::now();
        let result = work(&mut engine);
        engine.tidy(start.elapsed());
        if engine.is_sound() {
            if self.kept.len() >= KEPT {
                self.kept.remove(0);
            }
            self.kept.push((key, engine));
        }
        *lock(&self.known) = self.kept.iter().map(|(key, _)| *key).collect();
        result
    }

    /// Uses an engine that nothing was run in before and nothing is going to be run in afterwards.
    pub(super) fn alone<T>(
        &mut self,
        work: impl FnOnce(&mut Engine) -> Result<T, FunctionError>,
    ) -> Result<T, FunctionError> {
        work(&mut Engine::new(&self.limits, &self.steps)?)
    }
}

impl Worker {
    fn start(limits: Limits, lost: Arc<AtomicUsize>) -> Result<Self, FunctionError> {
        let (jobs, inbox) = channel::<Job>();
        let known = Arc::<Mutex<Vec<Key>>>::default();
        let steps = Steps::default();
        let is_lost = Arc::<AtomicBool>::default();
        let (shared, counted, was_lost) = (Arc::clone(&known), Arc::clone(&steps), Arc::clone(&is_lost));
        let work = move || {
            let mut engines = Engines { limits, kept: Vec::new(), known: shared, steps: counted };
            while let Ok(job) = inbox.recv() {
                job(&mut engines);
            }
            if was_lost.load(Ordering::SeqCst) {
                lost.fetch_sub(1, Ordering::SeqCst);
            }
        };
        let thread = thread::Builder::new().name("functions".to_owned()).stack_size(THREAD_STACK_BYTES);
        thread.spawn(work).map_err(|error| FunctionError::new("os_process_error", error.to_string()))?;
        Ok(Self { jobs, known, steps, is_lost })
    }
}

/// A thread that is taken; it goes back when this is dropped, unless it was lost.
pub(super) struct Taken<'a> {
    pool: &'a Pool,
    worker: Option<Worker>,
    is_list: bool,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.pool.state);
        if self.is_list {
            state.lists -= 1;
        } else {
            state.busy -= 1;
        }
        match self.worker.take() {
            // Those that lists started are not kept beyond what is needed.
            Some(worker) if state.idle.len() < self.pool.limits.workers => state.idle.push(worker),
            _ => {}
        }
        drop(state);
        self.pool.bell.notify_all();
    }
}

impl Taken<'_> {
    /// Begins a job; its answers are to be received.
    pub(super) fn begin(&mut self, job: Job) {
        if let Some(worker) = &self.worker {
            // A thread that is gone drops the job, and with it the sender of its answer.
            let _ = worker.jobs.send(job);
        }
    }

    /// Waits for an answer of the job, for as long as it goes from one call (or row) to the next. After an error the thread
    /// is given up.
    pub(super) fn receive<T>(&mut self, answers: &Receiver<T>) -> Result<T, FunctionError> {
        let count = |worker: &Option<Worker>| worker.as_ref().map(|worker| worker.steps.load(Ordering::Relaxed));
        loop {
            let before = count(&self.worker);
            let error = match answers.recv_timeout(self.pool.patience()) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) if count(&self.worker) != before => continue,
                Err(RecvTimeoutError::Timeout) => {
                    self.give_up();
                    FunctionError::late()
                }
                Err(RecvTimeoutError::Disconnected) => {
                    // It is gone, and holds nobody up.
                    self.worker = None;
                    FunctionError::exhausted()
                }
            };
            return Err(error);
        }
    }

    /// The thread ends after what it does now, if it ever does; until then it counts as lost.
    fn give_up(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.pool.lost.fetch_add(1, Ordering::SeqCst);
            worker.is_lost.store(true, Ordering::SeqCst);
        }
    }
}

impl Pool {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default(), bell: Condvar::new(), lost: Arc::default() }
    }

    /// How long one call is waited for: longer than the engine needs to interrupt itself.
    fn patience(&self) -> Duration {
        self.limits.time.saturating_mul(2).saturating_add(Duration::from_secs(2))
    }

    /// Takes a thread, best one that knows `key`; waits while all are busy.
    pub(super) fn take(&self, key: &Key, is_list: bool) -> Result<Taken<'_>, FunctionError> {
        let mut state = lock(&self.state);
        loop {
            if self.lost.load(Ordering::SeqCst) >= LOST {
                return Err(FunctionError::new("os_process_error", "too many functions did not end"));
            }
            let is_free = if is_list { state.lists < LISTS } else { state.busy < self.limits.workers };
            if is_free {
                break;
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let at = state.idle.iter().position(|worker| lock(&worker.known).contains(key));
        let idle = match at {
            Some(at) => Some(state.idle.swap_remove(at)),
            // An idle thread that knows nothing of this forgets what it knows only when there are enough of them.
            None if state.idle.len() + state.busy >= self.limits.workers => state.idle.pop(),
            None => None,
        };
        let worker = match idle {
            Some(worker) => worker,
            None => Worker::start(self.limits, Arc::clone(&self.lost))?,
        };
        if is_list {
            state.lists += 1;
        } else {
            state.busy += 1;
        }
        drop(state);
        Ok(Taken { pool: self, worker: Some(worker), is_list })
    }

    /// Runs `job` on a thread and waits for its answer.
    pub(super) fn run<T: Send + 'static>(
        &self,
        key: &Key,
        job: impl FnOnce(&mut Engines) -> Result<T, FunctionError> + Send + 'static,
    ) -> Result<T, FunctionError> {
        let mut taken = self.take(key, false)?;
        let (answer, answers) = channel();
        taken.begin(Box::new(move |engines| drop(answer.send(job(engines)))));
        taken.receive(&answers)?
    }
}
