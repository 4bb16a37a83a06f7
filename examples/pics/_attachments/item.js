// An article of one file: captions and tags edited in place, text shown in the page's own colours.
import { change, make, remove, say, tagsOf } from './couch.js';
import { mayChange } from './account.js';

export const isEditing = (article) => article !== null && !article.querySelector('.editor').hidden;

function showRights(article) {
  const may = mayChange(article.dataset.owner);
  for (const button of article.querySelectorAll('.edit, .remove')) button.hidden = !may;
  if (!may) article.querySelector('.editor').hidden = true;
}

async function showText(article) {
  const frame = article.querySelector('.stage iframe');
  if (!frame) return;
  const answer = await fetch(frame.src);
  if (answer.ok) frame.replaceWith(make('pre', { tabIndex: 0 }, (await answer.text()).slice(0, 500_000)));
}

// Makes an article's buttons work. `again` shows what is stored now, `gone` what to do after it was removed.
export function enliven(article, { again, gone }) {
  const { id, owner } = article.dataset;
  const editor = article.querySelector('.editor');
  const trouble = editor.querySelector('.trouble');
  const edit = article.querySelector('.edit');
  const toggle = (isOpen) => {
    editor.hidden = !isOpen;
    article.classList.toggle('editing', isOpen);
    (isOpen ? editor.elements.caption : edit).focus();
  };

  edit.onclick = () => toggle(editor.hidden);
  editor.querySelector('.cancel').onclick = () => {
    editor.reset();
    toggle(false);
  };
  editor.onkeydown = (event) => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    event.stopPropagation();
    editor.reset();
    toggle(false);
  };
  editor.onsubmit = async (event) => {
    event.preventDefault();
    trouble.textContent = '';
    try {
      await change(id, (document) => {
        document.caption = editor.elements.caption.value.trim();
        document.tags = tagsOf(editor.elements.tags.value);
      });
      toggle(false);
      await again();
      say('Saved.');
    } catch (refusal) {
      trouble.textContent = refusal.message;
    }
  };
  article.querySelector('.remove').onclick = async () => {
    if (!confirm('Delete this file for everybody?')) return;
    try {
      await remove(id);
      gone();
      say('Deleted.');
    } catch (refusal) {
      say(refusal.message);
    }
  };
  const video = article.querySelector('.stage video, .stage audio');
  video?.addEventListener(
    'error',
    () => video.after(make('p', { className: 'trouble' }, 'This browser cannot play it; please download it.')),
    { once: true }
  );
  showRights(article);
  showText(article);
  document.addEventListener('person', () => article.isConnected && showRights(article));
}
