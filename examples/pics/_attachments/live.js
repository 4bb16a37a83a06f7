// Tells when anything arrives in the database, from wherever, by its feed of changes.
import { database } from './couch.js';

const RETRY = 10_000;
const GATHER = 150;

const listeners = new Set();
let source;
let gathering;

// Several changes at once are told as one; a long row of them is told on the way.
function soon() {
  gathering ??= setTimeout(() => {
    gathering = undefined;
    listeners.forEach((changed) => changed());
  }, GATHER);
}

// A hidden page lets go of the feed: browsers have few connections for each server.
function open() {
  source?.close();
  delete document.documentElement.dataset.live;
  if (document.hidden) return;
  source = new EventSource(new URL('_changes?feed=eventsource&since=now&heartbeat=25000', database));
  source.onopen = () => {
    document.documentElement.dataset.live = 'yes';
    // Something may have arrived between the page and its feed.
    soon();
  };
  source.onmessage = soon;
  source.onerror = () => {
    delete document.documentElement.dataset.live;
    // The browser itself comes back after a lost connection, but not after a refusal.
    if (source.readyState === EventSource.CLOSED) setTimeout(open, RETRY);
  };
}

// Calls `changed` after every change, and whenever the feed begins.
export function follow(changed) {
  listeners.add(changed);
  if (listeners.size > 1) return;
  document.addEventListener('visibilitychange', open);
  addEventListener('pagehide', () => source?.close());
  addEventListener('pageshow', (event) => event.persisted && open());
  open();
}
