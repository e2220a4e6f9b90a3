// Starts what a video shows when it is opened for the first time.

const started = new WeakSet();

/** Sets up one video, once. */
function start(section) {
  if (started.has(section) || !section.open) return;
  started.add(section);
  const data = JSON.parse(section.querySelector('script').textContent);
  const {curves, pictures, votes} = data;
  setUpCurves(section, curves, pictures.map((picture) => picture.index));
  setUpPictures(section, pictures, data);
  setUpVoters(section, votes, pictures, data);
}

/** Opens the video that the address names. */
function openNamed() {
  const section = document.getElementById(location.hash.slice(1));
  if (section && section.matches('details.video')) {
    section.hidden = false;
    section.open = true;
    section.scrollIntoView();
  }
}

for (const section of document.querySelectorAll('details.video')) {
  section.addEventListener('toggle', () => start(section));
  start(section);
}
for (const button of document.querySelectorAll('[data-fold]')) {
  button.addEventListener('click', () => {
    for (const section of document.querySelectorAll('details.video')) {
      section.open = button.dataset.fold === 'open';
    }
  });
}

/** Shows the videos, and the rows of the table, whose names hold a text. */
function find(text) {
  const wanted = text.trim().toLowerCase();
  const matches = (name) => name.textContent.toLowerCase().includes(wanted);
  const sections = [...document.querySelectorAll('details.video')];
  for (const section of sections) section.hidden = !matches(section.querySelector('.name'));
  for (const row of document.querySelectorAll('.per-video tbody tr')) {
    row.hidden = !matches(row.cells[0]);
  }
  const left = sections.filter((section) => !section.hidden).length;
  document.querySelector('.found').textContent = wanted ? `${left} of ${sections.length}` : '';
}

/** Puts the videos in the order of their scores, those without last, or as they were. */
function order(worstFirst) {
  const list = document.querySelector('.list');
  const key = worstFirst
    ? ({dataset: {score}}) => (score === '' ? Infinity : Number(score))
    : ({id}) => Number(id.replace('video-', ''));
  const rank = (section, other) => (key(section) < key(other) ? -1 : Number(key(section) > key(other)));
  list.append(...[...list.querySelectorAll('details.video')].sort(rank));
}

for (const input of document.querySelectorAll('[data-find]')) {
  input.addEventListener('input', () => find(input.value));
}
for (const button of document.querySelectorAll('[data-order]')) {
  button.addEventListener('click', () => {
    const worstFirst = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', worstFirst);
    order(worstFirst);
  });
}
window.addEventListener('hashchange', openNamed);
openNamed();
