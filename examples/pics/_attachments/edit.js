// Captions and tags, edited where they stand.
import { change } from './couch.js';
import { refresh } from './gallery.js';
import { complain } from './notes.js';

export const splitTags = (text) =>
  [...new Set(text.split(',').map((tag) => tag.trim().replace(/^#/, '')).filter(Boolean))];

function field(label, value, placeholder) {
  const element = document.createElement('label');
  const input = Object.assign(document.createElement('input'), { value, placeholder });
  element.append(label, input);
  return { element, input };
}

// Puts a form in the place of `figcaption` and gives its words back when it is done. Enter saves, Escape leaves.
export function edit(figcaption, { id, caption, tags }) {
  if (figcaption.querySelector('form')) return;
  const before = [...figcaption.childNodes];
  const form = document.createElement('form');
  const words = field('Caption', caption, 'What is to be seen?');
  const marks = field('Tags', JSON.parse(tags).join(', '), 'beach, friends');
  const actions = Object.assign(document.createElement('div'), { className: 'actions' });
  const save = Object.assign(document.createElement('button'), { textContent: 'Save' });
  const leave = Object.assign(document.createElement('button'), { textContent: 'Cancel', type: 'button', className: 'quiet' });
  actions.append(save, leave);
  form.append(words.element, marks.element, actions);
  const close = () => figcaption.replaceChildren(...before);
  leave.addEventListener('click', close);
  form.addEventListener('keydown', (event) => {
    // Not further: Escape closes the viewer, arrows turn its pages.
    event.stopPropagation();
    if (event.key !== 'Escape') return;
    event.preventDefault();
    close();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    save.disabled = true;
    try {
      await change(id, (document) => {
        const text = words.input.value.trim();
        if (text) document.caption = text;
        else delete document.caption;
        document.tags = splitTags(marks.input.value);
      });
      close();
      await refresh();
    } catch (error) {
      save.disabled = false;
      complain(error);
    }
  });
  figcaption.replaceChildren(form);
  words.input.focus();
}
