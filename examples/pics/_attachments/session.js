// Who is signed in, by CouchDB's cookie; the button and the dialog for it.
import { ask, component, database, server } from './couch.js';
import { complain, note } from './notes.js';

export const session = Object.assign(new EventTarget(), { name: null, isAdmin: false });

const button = document.getElementById('account');
const dialog = document.getElementById('sign');
const form = dialog.querySelector('form');
const error = dialog.querySelector('.error');

export const mayChange = (owner) => session.isAdmin || (session.name !== null && session.name === owner);

export async function readSession() {
  const { userCtx } = await ask(`${server}_session`);
  session.name = userCtx.name;
  session.isAdmin = userCtx.roles.includes('_admin') || (userCtx.name !== null && (await isDatabaseAdmin(userCtx)));
  button.hidden = false;
  button.textContent = session.name === null ? 'Sign in' : session.name;
  button.title = session.name === null ? '' : 'Sign out';
  button.setAttribute('aria-label', session.name === null ? 'Sign in' : `Signed in as ${session.name}. Sign out`);
  document.body.classList.toggle('signed-in', session.name !== null || session.isAdmin);
  session.dispatchEvent(new Event('change'));
}

async function isDatabaseAdmin({ name, roles }) {
  const { admins = {} } = await ask(`${database}_security`).catch(() => ({}));
  return (admins.names ?? []).includes(name) || roles.some((role) => (admins.roles ?? []).includes(role));
}

export function signIn() {
  error.hidden = true;
  dialog.showModal();
}

async function signOut() {
  await ask(`${server}_session`, { method: 'DELETE' });
  note('Signed out.');
  await readSession();
}

// `up` makes the account first; many servers leave that to their admins and say so.
async function enter(name, password, isNew) {
  if (isNew) {
    const id = `org.couchdb.user:${name}`;
    const body = { _id: id, type: 'user', name, password, roles: [] };
    await ask(`${server}_users/${component(id)}`, { method: 'PUT', body }).catch((refusal) => {
      if (refusal.status === 409) throw new Error('There is somebody of that name already.');
      throw refusal.status === 401 || refusal.status === 403
        ? new Error(`This server leaves new accounts to its admins (${refusal.message}).`)
        : refusal;
    });
  }
  await ask(`${server}_session`, { method: 'POST', body: { name, password } });
  await readSession();
}

button.addEventListener('click', () => (session.name === null ? signIn() : signOut().catch(complain)));
dialog.querySelector('[value=cancel]').addEventListener('click', () => dialog.close());
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { name, password } = form.elements;
  try {
    await enter(name.value, password.value, event.submitter?.value === 'up');
    dialog.close();
    form.reset();
    note(`Welcome, ${session.name}.`);
  } catch (refusal) {
    error.textContent = refusal.message;
    error.hidden = false;
    password.select();
  }
});
