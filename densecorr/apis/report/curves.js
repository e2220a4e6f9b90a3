// Numbers over time, such as J and F of every object: charts with one cursor and table.

// Okabe and Ito's colours, told apart by readers with any kind of colour vision; a
// second round of objects gets dashes.
const OBJECT_COLORS = ['#d55e00', '#0072b2', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c6bb1'];
const DASHES = ['', '6 3', '2 3', '8 3 2 3'];
const MARGIN = {left: 32, right: 8, top: 8, bottom: 34};

/** Colour and dashes of an object by its number, from 1. */
function strokeOf(label) {
  const place = Math.max(label - 1, 0);
  const round = Math.floor(place / OBJECT_COLORS.length) % DASHES.length;
  return {stroke: OBJECT_COLORS[place % OBJECT_COLORS.length], 'stroke-dasharray': DASHES[round]};
}

/** An SVG element of the namespace of `parent`, added to it. */
function draw(parent, tag, attributes, text) {
  const element = document.createElementNS(parent.namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

/** What is drawn: the mean first if there are several objects, then each object. */
function seriesOf(curves) {
  const objects = curves.objects.map((item) => item.label
    ? {...item, style: strokeOf(item.label), kind: ''}
    : {...item, style: {}, kind: 'mean'});
  if (objects.length === 1) return objects;
  const average = (measure) =>
    curves.x.map((_, place) => mean(objects.map((item) => item[measure][place])));
  const means = Object.fromEntries(curves.measures.map((name) => [name, average(name)]));
  return [{name: 'mean of the objects', style: {}, kind: 'mean', ...means}, ...objects];
}

/** The path through the points of a series; an unknown value breaks it. */
function pathOf(values, xs, y) {
  let pen = 'M';
  return values.map((value, place) => {
    if (value === null) {
      pen = 'M';
      return '';
    }
    const step = `${pen}${xs[place].toFixed(1)} ${y(value).toFixed(1)}`;
    pen = 'L';
    return step;
  }).join('');
}

/** Draws one chart; returns the x of every scored frame. */
function drawChart(svg, curves, series, marked, cursor) {
  const [width, height] = [svg.clientWidth || 320, svg.clientHeight || 190];
  const bottom = height - MARGIN.bottom;
  const x = (frame) => MARGIN.left + (frame / curves.last) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => bottom - value * (bottom - MARGIN.top);
  const xs = curves.x.map(x);
  const measure = svg.dataset.measure;
  svg.replaceChildren();
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  for (const value of [0, 0.25, 0.5, 0.75, 1]) {
    const level = y(value);
    draw(svg, 'line', {class: 'grid-line', x1: MARGIN.left, x2: width - MARGIN.right, y1: level, y2: level});
    draw(svg, 'text', {x: MARGIN.left - 5, y: level + 4, 'text-anchor': 'end'}, 100 * value);
  }
  draw(svg, 'text', {x: MARGIN.left, y: height - 6}, '0');
  draw(svg, 'text', {x: width / 2, y: height - 6, 'text-anchor': 'middle'}, 'frame');
  draw(svg, 'text', {x: width - MARGIN.right, y: height - 6, 'text-anchor': 'end'}, `${curves.last}`);
  for (const frame of marked) {
    const place = x(frame);
    draw(svg, 'path', {class: 'marker', d: `M${place} ${bottom + 4}l4 7h-8z`});
  }
  for (const {kind, style, [measure]: values} of series) { // the mean lies below the objects
    draw(svg, 'path', {class: `series ${kind}`, ...style, d: pathOf(values, xs, y)});
    values.forEach((value, place) => {
      const beside = [values[place - 1] ?? null, values[place + 1] ?? null];
      const alone = beside.every((other) => other === null);
      const lonely = xs.length <= 40 || alone || place === cursor;
      if (value !== null && lonely) {
        const radius = place === cursor ? 4 : 2;
        const at = {cx: xs[place], cy: y(value), r: radius};
        draw(svg, 'circle', {class: `dot ${kind}`, fill: style.stroke || '', ...at});
      }
    });
  }
  if (cursor !== null) {
    draw(svg, 'line', {class: 'cursor', x1: xs[cursor], x2: xs[cursor], y1: MARGIN.top, y2: bottom});
  }
  return xs;
}

/** A short line in the stroke of a series, for the table. */
function sampleLine(template, item) {
  const svg = document.createElementNS(template.namespaceURI, 'svg');
  svg.setAttribute('viewBox', '0 0 28 10');
  draw(svg, 'path', {class: `series ${item.kind}`, ...item.style, d: 'M0 5H28'});
  return svg;
}

/** Mean of a series over its frames; of all objects it is the mean of theirs. */
function meanOf(item, series, measure) {
  const others = series.filter((other) => other.label);
  if (item.label !== undefined || !others.length) return mean(item[measure]);
  return mean(others.map((other) => mean(other[measure])));
}

/** Fills the table with the values at the cursor, or with the means over the frames. */
function fillReadout(table, template, curves, series, cursor) {
  table.caption.textContent = cursor === null
    ? `mean over the ${curves.x.length} frame${curves.x.length === 1 ? '' : 's'} that count`
    : `frame ${curves.names[cursor]}`;
  table.tBodies[0].replaceChildren(...series.map((item) => {
    const values = curves.measures.map((measure) =>
      percent(cursor === null ? meanOf(item, series, measure) : item[measure][cursor]));
    const head = document.createElement('span');
    head.append(sampleLine(template, item), item.name);
    return tableRow([head, ...values]);
  }));
}

/** Makes the charts of a video answer to mouse, touch and keyboard. */
function setUpCurves(section, curves, marked) {
  const charts = [...section.querySelectorAll('.curve svg')];
  const table = section.querySelector('.readout');
  if (!charts.length || !curves.objects) return;
  const series = seriesOf(curves);
  let cursor = null;
  let xs = [];
  const show = (place) => {
    cursor = place;
    for (const svg of charts) xs = drawChart(svg, curves, series, marked, cursor);
    fillReadout(table, charts[0], curves, series, cursor);
  };
  const nearest = (event, svg) => {
    const at = event.clientX - svg.getBoundingClientRect().left;
    let best = 0;
    xs.forEach((place, i) => {
      if (Math.abs(place - at) < Math.abs(xs[best] - at)) best = i;
    });
    return best;
  };
  const steps = {ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity};
  for (const svg of charts) {
    const follow = (event) => show(nearest(event, svg));
    svg.addEventListener('pointerdown', follow);
    svg.addEventListener('pointermove', follow);
    svg.addEventListener('pointerleave', (event) => {
      if (event.pointerType === 'mouse') show(null);
    });
    svg.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') show(null);
      if (!(event.key in steps)) return;
      event.preventDefault();
      const from = cursor === null ? (event.key === 'ArrowLeft' ? xs.length : -1) : cursor;
      show(Math.min(Math.max(from + steps[event.key], 0), xs.length - 1));
    });
    new ResizeObserver(() => show(cursor)).observe(svg);
  }
  show(null);
}
