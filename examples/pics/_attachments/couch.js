// The database, as far as this app needs it. Pages are at `DATABASE/_design/pics/_list/…/…`; nothing here knows names.

export const database = new URL('../../../../', location.href).href;
export const server = new URL('../', database).href;
export const app = new URL('../../', location.href).href;
export const databaseName = decodeURIComponent(new URL(database).pathname.split('/').at(-2));

// Lone surrogates have no URL.
export const component = (text) => encodeURIComponent(String(text).toWellFormed?.() ?? String(text));
export const documentUrl = (id) => database + component(id);

export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

// JSON in, JSON out; a refusal is an error that carries the server's reason.
export async function ask(url, { method = 'GET', body } = {}) {
  const answer = await fetch(url, {
    method,
    credentials: 'same-origin',
    cache: 'no-cache',
    headers: { Accept: 'application/json', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body)
  });
  const result = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, result.reason || result.error || answer.statusText);
  return result;
}

// Changes what people may change and leaves the rest as the server has it. Somebody else's write in between is no
// reason to lose this one: the change is applied again to what is there now.
export async function change(id, apply) {
  for (let attempt = 1; ; attempt += 1) {
    const document = await ask(documentUrl(id));
    apply(document);
    try {
      return await ask(documentUrl(id), { method: 'PUT', body: document });
    } catch (error) {
      if (error.status !== 409 || attempt === 5) throw error;
    }
  }
}

export async function remove(id) {
  const { _rev } = await ask(documentUrl(id));
  return ask(`${documentUrl(id)}?rev=${component(_rev)}`, { method: 'DELETE' });
}
