// What goes on while a page is open: the banner, the steps of a change, the time that is left, that there is news.
"use strict";

const told = document.getElementById("told");
let events = null;
let standing = null;

const put = (id, html) => {
  const place = document.getElementById(id);
  if (!place || place.innerHTML === html) return;
  const kept = document.activeElement && place.contains(document.activeElement) ? document.activeElement.id : "";
  place.innerHTML = html;
  if (kept) document.getElementById(kept)?.focus();
  count();
};

const open = () => {
  if (events) return;
  events = new EventSource(document.getElementById("act") ? "/live?act=true" : "/live");
  events.addEventListener("open", () => { if (told.dataset.lost) { told.textContent = ""; delete told.dataset.lost; } });
  events.addEventListener("banner", (event) => put("banner", event.data));
  events.addEventListener("act", (event) => put("act", event.data));
  events.addEventListener("standing", (event) => {
    if (standing !== null && standing !== event.data) document.body.dispatchEvent(new Event("standing"));
    standing = event.data;
  });
  events.addEventListener("over", () => location.assign("/login"));
  events.addEventListener("error", () => {
    told.textContent = "No connection to the console. Trying again.";
    told.dataset.lost = "yes";
    if (events?.readyState === EventSource.CLOSED) { close(); setTimeout(open, 3000); }
  });
};

const close = () => { events?.close(); events = null; };

// A browser has six connections to a server: a page that nobody sees needs none.
document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
window.addEventListener("pagehide", close);
window.addEventListener("pageshow", () => { if (!document.hidden) open(); });

const count = () => {
  for (const place of document.querySelectorAll("[data-until]")) {
    const left = Math.max(0, Math.round((Date.parse(place.dataset.until) - Date.now()) / 1000));
    place.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  }
};
setInterval(count, 1000);
count();

// Working out what would change takes a second or two: the button says that it was pressed.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button?.dataset.busy) return;
  setTimeout(() => { button.textContent = button.dataset.busy; button.disabled = true; });
});
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
