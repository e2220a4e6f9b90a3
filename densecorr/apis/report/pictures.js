// Labels drawn over a picture: prediction, truth, or where the two differ. Joints are
// drawn by joints.js.

const TINT = 140; // opacity of a label, of 255
const VOID = 255; // pixels of an annotation that do not count
// Missed is plain, false is striped, wrong object is chequered: told apart without
// colour, too. The stylesheet has the same for the legend.
const MISSED = [0x00, 0x72, 0xb2];
const FALSE = [[0xe6, 0x9f, 0x00], [0x2b, 0x1d, 0x00]];
const WRONG = [[0x66, 0x00, 0x55], [0xff, 0xff, 0xff]];
const DIFFERENT = 215; // opacity of a difference
// Labels that have the same colour: plain, white stripes, dots, bars.
const PATTERNS = [
  () => false,
  (x, y) => (x + y) % 7 < 2,
  (x, y) => x % 5 < 2 && y % 5 < 2,
  (x) => x % 7 < 2,
];
const PATTERN = [[0xff, 0xff, 0xff], 200]; // colour and opacity

/** Red, green and blue of an object's colour. */
function colorOf(label) {
  const text = strokeOf(label).stroke;
  return [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
}

/** Whether a pixel belongs to the pattern by which labels of one colour differ. */
function onPattern(label, x, y) {
  const round = Math.floor((label - 1) / OBJECT_COLORS.length) % PATTERNS.length;
  return PATTERNS[round](x, y);
}

/** Label maps of a picture, unpacked once. */
function mapsOf(picture) {
  const size = picture.width * picture.height;
  for (const kind of ['pred', 'truth']) {
    if (typeof picture[kind] === 'string') picture[kind] = labelsOf(picture[kind], size);
  }
  return picture;
}

/** Whether a pixel of an object touches a pixel with another label. */
function onBorder(labels, place, width) {
  const [label, x] = [labels[place], place % width];
  if (!label) return false;
  return (x > 0 && labels[place - 1] !== label)
    || (x + 1 < width && labels[place + 1] !== label)
    || (place >= width && labels[place - width] !== label)
    || (place + width < labels.length && labels[place + width] !== label);
}

/** 0 right, 1 missed, 2 false, 3 wrong object. */
function differenceOf(pred, truth) {
  if (pred === truth || truth === VOID) return 0;
  if (!pred) return 1;
  return truth ? 3 : 2;
}

/** Colour and opacity of a pixel where prediction and truth differ. */
function differencePaint(kind, x, y) {
  if (kind === 1) return MISSED;
  if (kind === 2) return FALSE[(x + y) % 8 < 6 ? 0 : 1];
  return WRONG[((x >> 2) + (y >> 2)) % 2];
}

/** Sets one pixel of an ImageData. */
function setPixel(data, place, color, opacity) {
  data.set(color, 4 * place);
  data[4 * place + 3] = opacity;
}

/** Paints a label map: tinted inside, its full colour on borders. */
function paintLabels(data, labels, width) {
  const colors = new Map();
  for (let place = 0; place < labels.length; place++) {
    const label = labels[place];
    if (!label || label === VOID) continue;
    if (!colors.has(label)) colors.set(label, colorOf(label));
    const [x, y] = [place % width, Math.floor(place / width)];
    if (onBorder(labels, place, width)) setPixel(data, place, colors.get(label), 255);
    else if (onPattern(label, x, y)) setPixel(data, place, ...PATTERN);
    else setPixel(data, place, colors.get(label), TINT);
  }
}

/** Paints the difference of two label maps, and the border of the true one. */
function paintDifference(data, pred, truth, width) {
  for (let place = 0; place < truth.length; place++) {
    const kind = differenceOf(pred[place], truth[place]);
    const [x, y] = [place % width, Math.floor(place / width)];
    if (kind) setPixel(data, place, differencePaint(kind, x, y), DIFFERENT);
    else if (onBorder(truth, place, width)) setPixel(data, place, [255, 255, 255], 255);
  }
}

/** Why a picture cannot be drawn in a mode, or an empty text. */
function lackOf(picture, mode) {
  const needed = {image: [], prediction: ['pred'], truth: ['truth'], difference: ['pred', 'truth']};
  const words = {pred: 'no prediction of this frame', truth: 'no annotation of this frame'};
  const lacking = needed[mode].filter((kind) => !picture[kind]).map((kind) => words[kind]);
  if (mode === 'difference' && !lacking.length && !picture.compared) {
    lacking.push('the labels of this frame were given');
  }
  return lacking.join(', ');
}

/** Draws one picture in one mode; returns what it lacks. */
function paint(canvas, picture, mode, bones) {
  const lack = lackOf(picture, mode);
  canvas.parentElement.classList.toggle('grey', mode === 'difference' && !lack);
  if (bones) {
    paintJoints(canvas, picture, lack ? 'image' : mode, bones);
    return lack;
  }
  const {width, height, pred, truth} = mapsOf(picture);
  [canvas.width, canvas.height] = [width, height]; // also clears it
  if (mode !== 'image' && !lack) {
    const context = canvas.getContext('2d');
    const image = context.createImageData(width, height);
    if (mode === 'difference') paintDifference(image.data, pred, truth, width);
    else paintLabels(image.data, mode === 'truth' ? truth : pred, width);
    context.putImageData(image, 0, 0);
  }
  return lack;
}

/** Numbers of the objects that any picture of a video shows. */
function labelsShown(pictures) {
  const seen = new Set();
  for (const picture of pictures) {
    for (const labels of [picture.pred, picture.truth]) {
      if (labels) new Set(labels).forEach((label) => seen.add(label));
    }
  }
  return [...seen].filter((label) => label && label !== VOID).sort((a, b) => a - b);
}

/** A small picture of a label: its colour and its pattern. */
function labelSwatch(label) {
  const canvas = document.createElement('canvas');
  canvas.className = 'swatch';
  [canvas.width, canvas.height] = [24, 16];
  const context = canvas.getContext('2d');
  const image = context.createImageData(canvas.width, canvas.height);
  for (let place = 0; place < canvas.width * canvas.height; place++) {
    const [x, y] = [place % canvas.width, Math.floor(place / canvas.width)];
    setPixel(image.data, place, onPattern(label, x, y) ? PATTERN[0] : colorOf(label), 255);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** What a label is called. */
function nameOf(names, label) {
  return names[label] || `object ${label}`;
}

/** Legend of the labels' colours. */
function fillLegend(list, labels, names) {
  list.replaceChildren(...labels.map((label) => {
    const item = document.createElement('li');
    item.append(labelSwatch(label), nameOf(names, label));
    return item;
  }));
}

/** What lies at a place of a picture, in shares of its width and height. */
function wordsAt(picture, mode, names, x, y) {
  const {width, height} = picture;
  const place = Math.floor(y * height) * width + Math.floor(x * width);
  const said = (kind) => {
    const label = picture[kind][place];
    if (label === VOID && kind === 'truth') return 'does not count';
    return label ? nameOf(names, label) : 'background';
  };
  if (mode === 'image' || lackOf(picture, mode)) return '';
  if (mode === 'difference') return `${said('pred')}, truly ${said('truth')}`;
  return said(mode === 'truth' ? 'truth' : 'pred');
}

/** Says what lies under the pointer, below the picture. */
function setUpPointing(figure, picture, read) {
  const frame = figure.querySelector('.frame');
  const note = figure.querySelector('.here');
  frame.addEventListener('pointermove', (event) => {
    const {left, top, width, height} = frame.getBoundingClientRect();
    const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height];
    if (x >= 0 && x < 1 && y >= 0 && y < 1) note.textContent = read(picture, x, y);
  });
  frame.addEventListener('pointerleave', () => { note.textContent = ''; });
}

/** Makes the mode buttons and the pictures of a video work. */
function setUpPictures(section, pictures, {thing, labels: names, bones}) {
  const figures = [...section.querySelectorAll('.picture')];
  const buttons = [...section.querySelectorAll('[data-mode]')];
  if (!figures.length) return;
  const skeleton = thing === 'joint' ? bones : null;
  let current = 'prediction';
  const show = (mode) => {
    current = mode;
    figures.forEach((figure, place) => {
      const lack = paint(figure.querySelector('canvas'), pictures[place], mode, skeleton);
      const note = figure.querySelector('.lacking');
      note.textContent = lack ? ` · ${lack}` : '';
      note.hidden = !lack;
    });
    for (const button of buttons) button.setAttribute('aria-pressed', button.dataset.mode === mode);
    section.querySelector('.legend.differences').hidden = mode !== 'difference';
    section.querySelector('.legend.objects').hidden = mode !== 'prediction' && mode !== 'truth';
  };
  for (const button of buttons) {
    const {mode} = button.dataset;
    button.disabled = pictures.every((picture) => lackOf(picture, mode));
    button.addEventListener('click', () => show(mode));
  }
  const read = skeleton ? jointAt : wordsAt;
  figures.forEach((figure, place) => {
    const frame = figure.querySelector('.frame');
    frame.addEventListener('click', () => figure.classList.toggle('large'));
    setUpPointing(figure, pictures[place], (picture, x, y) => read(picture, current, names, x, y));
    if (skeleton) { // its lines are as sharp as the screen
      const canvas = frame.querySelector('canvas');
      new ResizeObserver(() => paint(canvas, pictures[place], current, skeleton)).observe(frame);
    }
  });
  show('prediction');
  const legend = section.querySelector('.legend.objects');
  if (skeleton) fillJointLegend(legend);
  else fillLegend(legend, labelsShown(pictures), names);
}
