// Which patches of the context frames decided the label of a chosen cell.

const SMALLEST = 9; // pixels of the screen of an outline
const FAINTEST = 0.3; // opacity of a vote without weight
const MOVES = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};

/** Votes with their numbers unpacked. */
function unpackVotes(votes) {
  return {
    ...votes,
    queries: integersOf(votes.queries),
    position: integersOf(votes.position),
    weight: halvesOf(votes.weight),
  };
}

/** Voters of a query by weight: slot, row, column, weight, copies. Copies are one. */
function votersOf(votes, query) {
  const cells = votes.grid[0] * votes.grid[1];
  const found = new Map();
  for (let k = query * votes.voters; k < (query + 1) * votes.voters; k++) {
    const [position, weight] = [votes.position[k], votes.weight[k]];
    if (!(weight > 0)) continue; // an empty slot
    const cell = position % cells;
    const voter = found.get(position) || {
      slot: Math.floor(position / cells),
      row: Math.floor(cell / votes.grid[1]),
      column: cell % votes.grid[1],
      weight: 0,
      copies: 0,
    };
    voter.weight += weight;
    voter.copies += 1;
    found.set(position, voter);
  }
  return [...found.values()].sort((a, b) => b.weight - a.weight || a.slot - b.slot);
}

/** The stored query that is nearest to a cell of the grid. */
function nearestQuery(votes, row, column) {
  let [best, least] = [0, Infinity];
  votes.queries.forEach((cell, place) => {
    const down = Math.floor(cell / votes.grid[1]) - row;
    const right = (cell % votes.grid[1]) - column;
    const distance = down * down + right * right;
    if (distance < least) [best, least] = [place, distance];
  });
  return best;
}

/** Outlines a cell: a dark line around a bright one, at least SMALLEST wide. */
function outline(context, scale, cell, row, column, opacity) {
  const [height, width] = [cell[0] * scale[0], cell[1] * scale[1]];
  const [tall, wide] = [Math.max(height, SMALLEST), Math.max(width, SMALLEST)];
  const [y, x] = [(row + 0.5) * height - tall / 2, (column + 0.5) * width - wide / 2];
  context.globalAlpha = opacity;
  for (const [color, line, out] of [['#000', 1.5, 1.75], ['#ffd54a', 2, 0]]) {
    context.strokeStyle = color;
    context.lineWidth = line;
    context.strokeRect(x - out, y - out, wide + 2 * out, tall + 2 * out);
  }
}

/** A canvas as sharp as the screen, cleared; returns its context. */
function sharpContext(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const {width, height} = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const context = canvas.getContext('2d');
  context.scale(ratio, ratio);
  return context;
}

/** Pixels of the screen per pixel of the video, down and right. */
function scaleOf(canvas, votes) {
  const {width, height} = canvas.getBoundingClientRect();
  return [height / votes.size[0], width / votes.size[1]];
}

/** What draws the prediction of a small picture on a context, or null. */
function layerOf(picture, bones) {
  if (!picture.pred) return null;
  if (bones) {
    return (context, width, height) =>
      drawJoints(context, picture, 'prediction', bones, width, height);
  }
  const layer = labelLayer(picture);
  return (context, width, height) => context.drawImage(layer, 0, 0, width, height);
}

/** Labels of a small picture, painted on a canvas of its own. */
function labelLayer(picture) {
  const {width, height, pred} = mapsOf(picture);
  const layer = document.createElement('canvas');
  [layer.width, layer.height] = [width, height];
  const context = layer.getContext('2d');
  const image = context.createImageData(width, height);
  paintLabels(image.data, pred, width);
  context.putImageData(image, 0, 0);
  return layer;
}

/** Draws labels and the outlines of voters on the canvas of a frame. */
function drawFrame(canvas, votes, layer, cells) {
  const context = sharpContext(canvas);
  const {width, height} = canvas.getBoundingClientRect();
  context.globalAlpha = 0.7;
  if (layer) layer(context, width, height);
  const scale = scaleOf(canvas, votes);
  for (const {row, column, opacity} of cells) outline(context, scale, votes.cell, row, column, opacity);
}

/** Fills the list of voters. */
function fillVotes(table, votes, voters) {
  table.tBodies[0].replaceChildren(...voters.map((voter) => {
    const copies = voter.copies > 1 ? ` (${voter.copies} copies)` : '';
    const {frame} = votes.context[voter.slot];
    return tableRow([`${frame}${copies}`, voter.row, voter.column, voter.weight.toFixed(3)]);
  }));
}

/** Shows the context frames that voted, each with the sum of its weights. */
function showContext(section, votes, layers, voters) {
  const strongest = Math.max(...voters.map((voter) => voter.weight));
  const silent = [];
  for (const figure of section.querySelectorAll('.context figure')) {
    const slot = Number(figure.dataset.slot);
    const own = voters.filter((voter) => voter.slot === slot);
    figure.hidden = !own.length;
    if (!own.length) {
      silent.push(votes.context[slot].frame);
      continue;
    }
    const sum = own.reduce((total, voter) => total + voter.weight, 0);
    figure.querySelector('figcaption b').textContent = sum.toFixed(3);
    const opacity = ({weight}) => FAINTEST + (1 - FAINTEST) * weight / strongest;
    const cells = own.map((voter) => ({...voter, opacity: opacity(voter)})).reverse();
    drawFrame(figure.querySelector('canvas'), votes, layers[slot], cells);
  }
  section.querySelector('.silent').textContent = silent.length
    ? `Context frames without a vote here: ${silent.join(', ')}.` : '';
}

/** The stored query under the pointer. */
function queryUnder(event, canvas, votes) {
  const bounds = canvas.getBoundingClientRect();
  const scale = scaleOf(canvas, votes);
  const row = Math.floor((event.clientY - bounds.top) / (scale[0] * votes.cell[0]));
  const column = Math.floor((event.clientX - bounds.left) / (scale[1] * votes.cell[1]));
  return nearestQuery(votes, row, column);
}

/** The stored query next to another one. */
function queryBeside(votes, query, [down, right]) {
  const cell = votes.queries[query];
  const row = Math.floor(cell / votes.grid[1]) + down * votes.step;
  return nearestQuery(votes, row, (cell % votes.grid[1]) + right * votes.step);
}

/** Makes the picture of a stored frame answer to clicks and arrow keys. */
function setUpVoters(section, packed, pictures, {thing, bones}) {
  const box = section.querySelector('.query .frame');
  if (!packed || !box) return;
  const votes = unpackVotes(packed);
  const place = pictures.findIndex((picture) => picture.index === votes.index);
  if (place < 0) return;
  const picture = pictures[place];
  const source = section.querySelectorAll('.picture')[place].querySelector('img');
  const image = box.querySelector('img');
  if (source) image.src = source.src;
  else image.remove();
  box.style.aspectRatio = `${picture.width} / ${picture.height}`;
  const canvas = box.querySelector('canvas');
  const skeleton = thing === 'joint' ? bones : null;
  const layers = votes.context.map((frame) => layerOf(frame, skeleton));
  const own = layerOf(picture, skeleton);
  let query = votes.start;
  const show = () => {
    const cell = votes.queries[query];
    const [row, column] = [Math.floor(cell / votes.grid[1]), cell % votes.grid[1]];
    const voters = votersOf(votes, query);
    drawFrame(canvas, votes, own, [{row, column, opacity: 1}]);
    section.querySelector('.query figcaption').textContent =
      `frame ${picture.frame}: cell in row ${row}, column ${column} of ${votes.grid[0]} x ${votes.grid[1]}`;
    fillVotes(section.querySelector('.votes'), votes, voters);
    showContext(section, votes, layers, voters);
  };
  canvas.addEventListener('click', (event) => {
    query = queryUnder(event, canvas, votes);
    show();
  });
  box.addEventListener('keydown', (event) => {
    if (!(event.key in MOVES)) return;
    event.preventDefault();
    query = queryBeside(votes, query, MOVES[event.key]);
    show();
  });
  for (const figure of section.querySelectorAll('.context figure')) {
    figure.querySelector('.frame').addEventListener('click', () => {
      figure.classList.toggle('large');
      show();
    });
  }
  new ResizeObserver(show).observe(box);
  show();
}
