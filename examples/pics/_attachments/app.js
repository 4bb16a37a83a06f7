// Every page comes from the server complete; what is found in it is brought to life here.
import * as account from './account.js';
import { app } from './couch.js';

const has = (selector) => document.querySelector(selector);

document.documentElement.classList.add('alive');

if (has('#gallery')) {
  const [gallery, viewer, live] = await Promise.all([
    import('./gallery.js'),
    import('./viewer.js'),
    import('./live.js')
  ]);
  gallery.begin();
  viewer.begin();
  live.follow(viewer.renew);
} else if (has('main > article.item')) {
  const { enliven } = await import('./item.js');
  enliven(has('article.item'), {
    again: async () => location.reload(),
    gone: () => location.assign(new URL('_list/images/main', app))
  });
} else if (has('#uploads')) {
  (await import('./upload.js')).begin();
} else if (has('#albums')) {
  (await import('./albums.js')).begin();
}

await account.begin();
document.documentElement.dataset.ready = 'yes';
