// Keeps the open page equal to what the server would send now. The list function is the only template: the page is
// fetched again and only what differs is exchanged, so that nothing flickers, plays from the start or loses its focus.

export const gallery = document.getElementById('gallery');
export const refreshed = new EventTarget();

const PARTS = ['folders', 'tags', 'names', 'pages', 'empty'];
let running = null;
let again = false;

// Calls while one is under way make one more, however many they are.
export function refresh() {
  if (running) {
    again = true;
    return running;
  }
  running = fetchAndExchange().finally(() => {
    running = null;
    if (again) {
      again = false;
      refresh().catch(() => {});
    }
  });
  return running;
}

async function fetchAndExchange() {
  const page = await fetchPage(location.href);
  if (gallery) exchange(gallery, page.getElementById('gallery'));
  const [folders, tags] = gallery ? await Promise.all([names('by_folder'), names('by_tag')]) : [];
  for (const id of PARTS) {
    const old = document.getElementById(id);
    const fresh = { folders, tags }[id] ?? page.getElementById(id);
    if (!old || !fresh) continue;
    old.hidden = fresh.hidden;
    if (old.innerHTML !== fresh.innerHTML) old.replaceChildren(...fresh.childNodes);
  }
  refreshed.dispatchEvent(new Event('done'));
}

async function fetchPage(url) {
  const answer = await fetch(url, { cache: 'no-cache', headers: { Accept: 'text/html' } });
  if (!answer.ok || answer.redirected) throw new Error(`The server answered ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), 'text/html');
}

// All folders or tags with their numbers, as the page that lists them has them.
async function names(view) {
  const page = await fetchPage(`../../_list/browse/${view}?group_level=1`);
  const element = page.getElementById('names');
  for (const link of element.querySelectorAll('a')) {
    if (new URL(link.getAttribute('href'), location.href).href === location.href.split('#')[0]) link.setAttribute('aria-current', 'page');
  }
  return element;
}

function exchange(old, fresh) {
  if (!fresh) return;
  const known = new Map([...old.children].map((tile) => [tile.dataset.id, tile]));
  let place = old.firstElementChild;
  for (const tile of [...fresh.children]) {
    const current = known.get(tile.dataset.id);
    known.delete(tile.dataset.id);
    // What somebody is writing into stays until it is saved or left.
    const keeps = current && (current.dataset.revision === tile.dataset.revision || current.querySelector('form'));
    const next = keeps ? current : document.importNode(tile, true);
    if (current && !keeps) {
      if (place === current) place = current.nextElementSibling;
      // Pictures that are the same need no second decoding.
      const shown = current.querySelector('img, video, audio');
      const same = next.querySelector('img, video, audio');
      if (shown && same && shown.src === same.src && shown.alt === same.alt) same.replaceWith(shown);
      current.remove();
    } else if (!current) {
      next.classList.add('new');
    }
    if (next === place) place = place.nextElementSibling;
    else old.insertBefore(next, place);
  }
  for (const tile of known.values()) tile.remove();
}
