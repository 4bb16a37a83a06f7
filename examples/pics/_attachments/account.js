// Who is looking: signing in, out and up.
import { ask, make, part, say, server } from './couch.js';

const session = new URL('_session', server);

let person = { name: null, roles: [] };

export const who = () => person;
export const isAdmin = () => person.roles.includes('_admin');
// The validation decides; this only spares people buttons that would be refused.
export const mayWrite = () => person.name !== null || isAdmin();
export const mayChange = (owner) => isAdmin() || (person.name !== null && person.name === owner);

// Pages listen to `person` on the document.
async function learn() {
  try {
    person = (await ask(session)).userCtx;
  } catch (refusal) {
    say(refusal.message);
  }
  show();
  document.dispatchEvent(new CustomEvent('person'));
}

async function signIn(name, password) {
  await ask(session, { method: 'POST', body: { name, password } });
}

async function signUp(name, password) {
  const id = `org.couchdb.user:${name}`;
  try {
    await ask(new URL(`_users/${part(id)}`, server), {
      method: 'PUT',
      body: { _id: id, name, password, roles: [], type: 'user' }
    });
  } catch (refusal) {
    if (refusal.status === 409) throw new Error('This name is taken.');
    if (refusal.status === 401 || refusal.status === 403)
      throw new Error('On this server only admins make accounts. Please ask one.');
    throw refusal;
  }
}

async function signOut() {
  await ask(session, { method: 'DELETE' });
  await learn();
  say('You are signed out.');
}

const dialog = make('dialog', { className: 'sign' });
dialog.setAttribute('aria-labelledby', 'sign-title');

function field(label, properties) {
  const input = make('input', { required: true, ...properties });
  return [make('label', {}, label, ' ', input), input];
}

// `isNew` is about an account that does not exist yet.
function openDialog(isNew) {
  const forOther = isNew && isAdmin();
  const title = forOther ? 'Add a person' : isNew ? 'Make an account' : 'Sign in';
  const [nameLabel, name] = field('Name', {
    name: 'name',
    autocomplete: 'username',
    autocapitalize: 'none',
    spellcheck: false
  });
  const [wordLabel, word] = field('Password', {
    name: 'password',
    type: 'password',
    autocomplete: isNew ? 'new-password' : 'current-password'
  });
  const trouble = make('p', { className: 'trouble' });
  trouble.setAttribute('role', 'alert');
  const submit = make('button', { className: 'primary' }, title);
  const cancel = make('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel');
  const form = make(
    'form',
    { method: 'dialog' },
    make('h2', { id: 'sign-title' }, title),
    nameLabel,
    wordLabel,
    trouble,
    make('p', { className: 'actions' }, submit, cancel)
  );
  if (!forOther) {
    const other = make(
      'button',
      { type: 'button', className: 'link', onclick: () => openDialog(!isNew) },
      isNew ? 'I have an account' : 'I have no account yet'
    );
    form.append(make('p', {}, other));
  }
  form.onsubmit = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    trouble.textContent = '';
    try {
      if (isNew) await signUp(name.value, word.value);
      if (!forOther) await signIn(name.value, word.value);
      dialog.close();
      await learn();
      say(forOther ? `${name.value} can sign in now.` : `Hello, ${name.value}!`);
    } catch (refusal) {
      trouble.textContent = refusal.message;
      word.select();
    }
    submit.disabled = false;
  };
  dialog.replaceChildren(form);
  if (!dialog.open) dialog.showModal();
  name.focus();
}

function show() {
  const place = document.getElementById('account');
  document.documentElement.classList.toggle('writer', mayWrite());
  if (person.name === null) {
    const words = isAdmin() ? [make('span', { className: 'quiet' }, 'Everybody is admin here')] : [];
    place.replaceChildren(
      ...words,
      make('button', { type: 'button', className: 'sign-in', onclick: () => openDialog(false) }, 'Sign in')
    );
    return;
  }
  const menu = make(
    'details',
    { className: 'menu' },
    make(
      'summary',
      { title: 'Your account' },
      make('span', { className: 'initial', ariaHidden: 'true' }, [...person.name][0].toUpperCase()),
      make('span', { className: 'name' }, person.name)
    )
  );
  const choices = make('div', { className: 'choices' });
  if (isAdmin())
    choices.append(
      make(
        'button',
        {
          type: 'button',
          onclick: () => {
            menu.open = false;
            openDialog(true);
          }
        },
        'Add a person'
      )
    );
  choices.append(make('button', { type: 'button', className: 'sign-out', onclick: signOut }, 'Sign out'));
  menu.append(choices);
  menu.addEventListener('focusout', (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
  menu.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') menu.open = false;
  });
  place.replaceChildren(menu);
}

export function begin() {
  document.body.append(dialog);
  for (const element of document.querySelectorAll('.script')) element.hidden = false;
  return learn();
}
