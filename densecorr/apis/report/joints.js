// Joints drawn over a picture: discs for the prediction, squares for the truth. Places
// are shares of the width and height of the picture; a lost joint is null.

const PREDICTED = '#e69f00'; // Okabe and Ito's orange
const TRUE = '#56b4e9'; // and sky blue
const DARK = '#141414';
const NEAR = 0.04; // of the width: a joint this near to the pointer is named

/** Places on the screen of the joints of a picture. */
function placesOf(joints, width, height) {
  return joints.map((joint) => joint && [joint[0] * width, joint[1] * height]);
}

/** A line with a dark edge. */
function stroke(context, [from, to], color, width, dashes) {
  context.lineCap = 'round';
  for (const [ink, line, pattern] of [[DARK, width + 2, []], [color, width, dashes]]) {
    context.strokeStyle = ink;
    context.lineWidth = line;
    context.setLineDash(pattern);
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  }
  context.setLineDash([]);
}

/** The bones between joints that are known. */
function drawBones(context, places, bones, color, width, dashes) {
  for (const [start, end] of bones) {
    if (places[start] && places[end]) {
      stroke(context, [places[start], places[end]], color, width, dashes);
    }
  }
}

/** A disc with a dark edge. */
function drawDisc(context, [x, y], radius) {
  for (const [ink, size] of [[DARK, radius + 1.5], [PREDICTED, radius]]) {
    context.fillStyle = ink;
    context.beginPath();
    context.arc(x, y, size, 0, 2 * Math.PI);
    context.fill();
  }
}

/** An open square with a dark edge, crossed where the joint is lost. */
function drawSquare(context, [x, y], radius, lost) {
  for (const [ink, line] of [[DARK, 4.5], [TRUE, 2.2]]) {
    context.strokeStyle = ink;
    context.lineWidth = line;
    context.beginPath();
    context.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    if (lost) {
      context.moveTo(x - radius, y - radius);
      context.lineTo(x + radius, y + radius);
      context.moveTo(x + radius, y - radius);
      context.lineTo(x - radius, y + radius);
    }
    context.stroke();
  }
}

/** Draws the joints of a picture on a context of a size, without clearing it. */
function drawJoints(context, picture, mode, bones, width, height) {
  const radius = Math.min(6, Math.max(2.5, width / 85));
  const pred = picture.pred && placesOf(picture.pred, width, height);
  const truth = picture.truth && placesOf(picture.truth, width, height);
  if (mode === 'prediction') {
    drawBones(context, pred, bones, PREDICTED, radius / 2, []);
    for (const place of pred) if (place) drawDisc(context, place, radius);
  } else if (mode === 'truth') {
    drawBones(context, truth, bones, TRUE, radius / 2, [5, 5]);
    for (const place of truth) if (place) drawSquare(context, place, radius);
  } else if (mode === 'difference') {
    truth.forEach((place, joint) => {
      if (!place) return;
      if (pred[joint]) stroke(context, [pred[joint], place], '#fff', 1.5, []);
      drawSquare(context, place, radius, !pred[joint]);
    });
    for (const place of pred) if (place) drawDisc(context, place, 0.7 * radius);
  }
}

/** Draws one picture in one mode. */
function paintJoints(canvas, picture, mode, bones) {
  const context = sharpContext(canvas);
  const {width, height} = canvas.getBoundingClientRect();
  drawJoints(context, picture, mode, bones, width, height);
}

/** The joint that is nearest to a place of a picture, if one is near. */
function jointAt(picture, mode, names, x, y) {
  if (mode === 'image' || lackOf(picture, mode)) return '';
  const shape = picture.height / picture.width;
  let [best, least] = ['', NEAR];
  for (const [kind, word] of [['pred', 'predicted'], ['truth', 'true']]) {
    if (mode !== 'difference' && kind !== (mode === 'truth' ? 'truth' : 'pred')) continue;
    picture[kind].forEach((place, joint) => {
      const far = place ? Math.hypot(place[0] - x, (place[1] - y) * shape) : Infinity;
      if (far < least) [best, least] = [`${names[joint] || `joint ${joint + 1}`}, ${word}`, far];
    });
  }
  return best;
}

/** Legend of the two kinds of marks. */
function fillJointLegend(list) {
  list.replaceChildren(...[['prediction', 'predicted joints'], ['truth', 'true joints']]
    .map(([mode, words]) => {
      const item = document.createElement('li');
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [48, 16];
      canvas.className = 'swatch wide';
      const ends = [[0.2, 0.5], [0.8, 0.5]];
      drawJoints(canvas.getContext('2d'), {pred: ends, truth: ends}, mode, [[0, 1]], 48, 16);
      item.append(canvas, words);
      return item;
    }));
}
