// What a file tells of itself: the same facts that `couchapp sync-dir` finds, and a small copy of a picture.

const SMALL = 640;
const LARGEST_SUM = 512 * 1024 * 1024;

// When it was taken and how the camera was held, from the EXIF part of a JPEG.
export async function exif(file) {
  const view = new DataView(await file.slice(0, 256 * 1024).arrayBuffer());
  try {
    return readExif(view);
  } catch {
    return {}; // Cut short or damaged: then there is nothing to know.
  }
}

function readExif(view) {
  if (view.getUint16(0) !== 0xffd8) return {};
  for (let at = 2; view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
    const isExif = view.getUint8(at + 1) === 0xe1 && view.getUint32(at + 4) === 0x45786966;
    if (isExif) return readTiff(view, at + 10);
    if (view.getUint8(at + 1) === 0xda) break;
  }
  return {};
}

function readTiff(view, start) {
  const little = view.getUint16(start) === 0x4949;
  const short = (at) => view.getUint16(at, little);
  const long = (at) => view.getUint32(at, little);
  const entry = (directory, tag) => {
    for (let number = 0; number < short(directory); number++) {
      const at = directory + 2 + number * 12;
      if (short(at) === tag) return at;
    }
    return 0;
  };
  const found = {};
  const first = start + long(start + 4);
  const orientation = entry(first, 0x0112);
  if (orientation && short(orientation + 8) >= 1 && short(orientation + 8) <= 8)
    found.orientation = short(orientation + 8);
  const details = entry(first, 0x8769);
  const moment = details && entry(start + long(details + 8), 0x9003);
  if (moment) {
    const text = Array.from({ length: 19 }, (_, at) =>
      String.fromCharCode(view.getUint8(start + long(moment + 8) + at))
    ).join('');
    if (/^\d{4}:\d\d:\d\d \d\d:\d\d:\d\d$/.test(text))
      found.taken = `${text.slice(0, 10).replaceAll(':', '-')}T${text.slice(11)}`;
  }
  return found;
}

// The size of a picture and a small JPEG of it, upright; nothing for what this browser cannot draw.
export async function measure(file, orientation) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return {};
  }
  const scale = Math.min(1, SMALL / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const pen = canvas.getContext('2d');
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const small = await new Promise((done) => canvas.toBlob(done, 'image/jpeg', 0.82));
  const lies = orientation > 4;
  const size = { width: lies ? bitmap.height : bitmap.width, height: lies ? bitmap.width : bitmap.height };
  bitmap.close();
  // A small picture needs no smaller one.
  const isWorthIt = small && small.size < file.size * 0.7;
  return isWorthIt ? { ...size, small, thumbnail: { width: canvas.width, height: canvas.height } } : size;
}

// Hexadecimal; browsers compute it only on https and on this machine itself.
export async function sha256(file) {
  if (!globalThis.crypto?.subtle || file.size > LARGEST_SUM) return undefined;
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
