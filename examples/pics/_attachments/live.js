// The `_changes` feed of the database: `onChange` is called after every connection and every change that arrives.
import { ask, database } from './couch.js';

const sign = document.getElementById('live');

function show(isLive) {
  sign.hidden = false;
  sign.className = isLive ? 'live' : 'offline';
  sign.textContent = isLive ? 'Live' : 'Offline';
  sign.title = isLive ? 'This page shows changes as they arrive' : 'Trying to reach the server again';
}

export function follow(onChange) {
  const feed = new EventSource(`${database}_changes?feed=eventsource&since=now&heartbeat=20000`);
  let everOpen = false;
  feed.addEventListener('open', () => {
    everOpen = true;
    show(true);
    // What happened between the page and this connection, or while there was none.
    onChange();
  });
  feed.addEventListener('message', onChange);
  feed.addEventListener('error', () => {
    if (everOpen && feed.readyState !== EventSource.CLOSED) {
      show(false);
      return;
    }
    // Refused, or swallowed by a proxy: ask in turns instead.
    feed.close();
    poll(onChange);
  });
  // Browsers allow six connections to a server; a page that is left gives its own back.
  addEventListener('pagehide', () => feed.close());
  addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
}

async function poll(onChange) {
  let since = 'now';
  for (let failures = 0; ;) {
    try {
      if (since === 'now') {
        since = (await ask(`${database}_changes?since=now&limit=1`)).last_seq;
        onChange();
      }
      show(true);
      const { last_seq, results } = await ask(
        `${database}_changes?feed=longpoll&timeout=55000&since=${encodeURIComponent(since)}`);
      since = last_seq;
      failures = 0;
      if (results.length > 0) onChange();
    } catch {
      show(false);
      since = 'now';
      failures += 1;
      await new Promise((wake) => setTimeout(wake, Math.min(1000 * 2 ** failures, 30000)));
    }
  }
}
