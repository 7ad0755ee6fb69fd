// The live parts: a job's progress as it comes. Without it a page shows how things stood when it was asked for.
"use strict";
for (const place of document.querySelectorAll("[data-events]")) {
  const source = new EventSource(place.dataset.events);
  const show = (name, text) => {
    const part = place.querySelector(`[data-part=${name}]`);
    if (part) part.textContent = text;
  };
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    show("state", event.state);
    show("doing", event.doing);
    show("message", event.message);
    const bar = place.querySelector("progress");
    if (bar) bar.value = event.share;
    if (event.over) {
      source.close();
      // What it came to stands on the page as it is now.
      location.reload();
    }
  };
}
