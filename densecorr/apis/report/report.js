// Starts what a video shows when it is opened for the first time.

const started = new WeakSet();

/** Sets up one video, once. */
function start(section) {
  if (started.has(section) || !section.open) return;
  started.add(section);
  const {curves, pictures, votes} = JSON.parse(section.querySelector('script').textContent);
  setUpCurves(section, curves, pictures.map((picture) => picture.index));
  setUpPictures(section, pictures);
  setUpVoters(section, votes, pictures);
}

/** Opens the video that the address names. */
function openNamed() {
  const section = document.getElementById(location.hash.slice(1));
  if (section && section.matches('details.video')) {
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
window.addEventListener('hashchange', openNamed);
openNamed();
