// Short messages at the edge of the page; screen readers say them too.

export function note(text, kind = 'info') {
  const item = document.createElement('p');
  item.className = `note ${kind}`;
  item.textContent = text;
  item.addEventListener('animationend', () => item.remove());
  item.addEventListener('click', () => item.remove());
  // An open dialog lies above everything else, so its notes go into it.
  (document.querySelector('dialog[open]') ?? document.getElementById('notes')).append(item);
}

export const complain = (error) => note(error.message || String(error), 'error');
