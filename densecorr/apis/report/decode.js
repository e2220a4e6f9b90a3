'use strict';
// Unpacking what the page carries in its JSON: see visualization/difference.py and
// apis/report/voters.py for the other side.

/** Bytes of a base64 text. */
function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Labels of a map of `size` pixels that encode_runs packed. */
function labelsOf(text, size) {
  const packed = bytesOf(text);
  const labels = new Uint8Array(size);
  let place = 0;
  for (let pixel = 0; place < packed.length; ) {
    const label = packed[place++];
    let length = 0;
    let shift = 0;
    let byte;
    do {
      byte = packed[place++];
      length += (byte & 127) * 2 ** shift;
      shift += 7;
    } while (byte & 128);
    labels.fill(label, pixel, pixel + length);
    pixel += length;
  }
  return labels;
}

/** Little-endian int32 numbers of a base64 text. */
function integersOf(text) {
  const view = new DataView(bytesOf(text).buffer);
  return Int32Array.from({length: view.byteLength / 4}, (_, i) => view.getInt32(4 * i, true));
}

/** Numbers of a base64 text of little-endian float16. */
function halvesOf(text) {
  const view = new DataView(bytesOf(text).buffer);
  return Float64Array.from({length: view.byteLength / 2}, (_, i) => {
    const bits = view.getUint16(2 * i, true);
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    return bits & 0x8000 ? -size : size;
  });
}

/** A fraction as percent with one digit; a dash where it is not known. */
function percent(value) {
  return value === null || value === undefined ? '-' : (100 * value).toFixed(1);
}

/** Mean of the numbers that are known, or null. */
function mean(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

/** A table row: the first cell heads it. */
function tableRow(cells) {
  const row = document.createElement('tr');
  cells.forEach((cell, place) => {
    const box = document.createElement(place ? 'td' : 'th');
    if (!place) box.scope = 'row';
    box.append(cell);
    row.append(box);
  });
  return row;
}
