// The live parts: a job's progress as it comes. Without it a page shows how things stood when it was asked for.
"use strict";
const sources = new Map();
function follow(place) {
  const source = new EventSource(place.dataset.events);
  sources.set(place, source);
  const show = (name, text) => {
    const part = place.querySelector(`[data-part=${name}]`);
    // What is said aloud is said once.
    if (part && part.textContent !== text) part.textContent = text;
  };
  // The stream begins with the job: what was before the page's own state is none of its changes.
  let isCurrent = false;
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    show("state", event.state);
    show("doing", event.doing);
    show("remaining", event.remaining);
    show("message", event.message);
    for (const curve of event.curves) {
      const figure = place.querySelector(`[data-curve=${curve.name}]`);
      if (!figure) continue;
      figure.querySelector("polyline").setAttribute("points", curve.points);
      figure.querySelector("[data-part=first]").textContent = curve.first;
      figure.querySelector("[data-part=last]").textContent = curve.last;
      figure.hidden = false;
    }
    const bar = place.querySelector("progress");
    if (bar) bar.value = event.share;
    const isOther = isCurrent && event.state !== place.dataset.state;
    isCurrent = isCurrent || event.state === place.dataset.state;
    if (event.over || isOther) {
      source.close();
      // What it came to, and what can be done now, stands on the page as it is now.
      location.reload();
    }
  };
}
// A browser opens six connections to a place at most: pages that nobody sees hold none.
function look() {
  for (const place of document.querySelectorAll("[data-events]")) {
    if (document.hidden) {
      sources.get(place)?.close();
      sources.delete(place);
    } else if (!sources.has(place)) {
      follow(place);
    }
  }
}
document.addEventListener("visibilitychange", look);
look();
