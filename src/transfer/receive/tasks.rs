//! Which files come together, and by which request.

use super::{Context, Fetch, Report, middle, single, small};

/// Content up to this size comes inside of JSON, in bytes: what it costs to parse grows with the size, what it
/// saves is one part each.
const SMALL: u64 = 64 << 10;

/// Content up to this size is held in memory, in bytes.
pub(super) const MIDDLE: u64 = 4 << 20;

/// Bytes of content in one request for small ones, and how many there are at most. The answer is in memory.
const SMALL_BATCH: (u64, usize) = (1 << 20, 200);

/// The same for middle ones, of which one at a time is in memory.
const MIDDLE_BATCH: (u64, usize) = (4 << 20, 200);

/// One request and what is to come of it.
#[derive(Debug)]
pub(super) enum Task {
    Small(Vec<Fetch>),
    Middle(Vec<Fetch>),
    /// A request of its own, and how often it is tried.
    Single(Fetch, u32),
}

impl Task {
    pub(super) async fn run(self, context: &Context<'_>) -> Report {
        match self {
            Self::Small(batch) => small::receive(context, batch).await,
            Self::Middle(batch) => middle::receive(context, batch).await,
            Self::Single(fetch, tries) => {
                let outcome = single::receive(context, fetch, tries).await;
                Report { outcomes: vec![outcome], ..Report::default() }
            }
        }
    }
}

/// Sorts what is wanted into requests. Attachments of one document come in one of them, for each brings all.
pub(super) fn tasks(mut wanted: Vec<Fetch>) -> Vec<Task> {
    wanted.sort_by(|one, other| (&one.id, &one.revision).cmp(&(&other.id, &other.revision)));
    let (mut small, mut middle) = (Batches::new(SMALL_BATCH), Batches::new(MIDDLE_BATCH));
    let mut single = Vec::new();
    let mut group: Vec<Fetch> = Vec::new();
    let mut sort = |group: Vec<Fetch>| {
        let total: u64 = group.iter().fold(0, |total, fetch| total.saturating_add(fetch.length));
        if total > MIDDLE {
            single.extend(group);
        } else if total <= SMALL && group.iter().all(comes_inside) {
            small.add(group, total);
        } else {
            middle.add(group, total);
        }
    };
    for fetch in wanted {
        if group.first().is_some_and(|first| (&first.id, &first.revision) != (&fetch.id, &fetch.revision)) {
            sort(std::mem::take(&mut group));
        }
        group.push(fetch);
    }
    sort(group);
    let small = small.finish().map(Task::Small);
    let middle = middle.finish().map(Task::Middle);
    small.chain(middle).chain(single.into_iter().map(|fetch| Task::Single(fetch, super::TRIES))).collect()
}

/// Whether the current revision will do, and content that arrives inflated can be checked.
fn comes_inside(fetch: &Fetch) -> bool {
    !fetch.pinned && (!fetch.encoded || fetch.sha256.is_some())
}

/// The two halves of a batch whose request failed; a single one gets a request of its own.
pub(super) fn halves(mut batch: Vec<Fetch>, task: fn(Vec<Fetch>) -> Task) -> Vec<Task> {
    match batch.len() {
        0 => Vec::new(),
        1 => batch.into_iter().map(|fetch| Task::Single(fetch, super::TRIES - 1)).collect(),
        length => {
            let second = batch.split_off(length / 2);
            vec![task(batch), task(second)]
        }
    }
}

/// Groups that fill batches of a limited size.
struct Batches {
    limit: (u64, usize),
    full: Vec<Vec<Fetch>>,
    current: Vec<Fetch>,
    bytes: u64,
}

impl Batches {
    fn new(limit: (u64, usize)) -> Self {
        Self { limit, full: Vec::new(), current: Vec::new(), bytes: 0 }
    }

    fn add(&mut self, group: Vec<Fetch>, bytes: u64) {
        let (most_bytes, most) = self.limit;
        let is_full = self.bytes + bytes > most_bytes || self.current.len() + group.len() > most;
        if is_full && !self.current.is_empty() {
            self.full.push(std::mem::take(&mut self.current));
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.current.extend(group);
    }

    fn finish(self) -> impl Iterator<Item = Vec<Fetch>> {
        self.full.into_iter().chain((!self.current.is_empty()).then_some(self.current))
    }
}
