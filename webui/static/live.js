// What moves. Every page works without it: parts marked data-live are fetched again when the box says something.
"use strict";
(() => {
  const token = document.querySelector('meta[name="token"]')?.content ?? "";
  const speak = (text) => { const live = document.getElementById("live"); if (live) live.textContent = text; };

  const refresh = async (part) => {
    if (part.dataset.busy || document.hidden || part.contains(document.activeElement) && document.activeElement.matches("input,select,textarea")) return;
    part.dataset.busy = "1";
    try {
      const answer = await fetch(part.dataset.from || location.pathname, { headers: { "HX-Request": "true" } });
      if (answer.redirected || !answer.ok) { if (answer.status === 401) location.reload(); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of [part.id, "verdict-top"]) {
        const fresh = page.getElementById(id), old = document.getElementById(id);
        if (fresh && old && fresh.innerHTML !== old.innerHTML) {
          const focused = document.activeElement?.id;
          old.replaceWith(document.adoptNode(fresh));
          if (focused) document.getElementById(focused)?.focus();
        }
      }
    } catch { /* the box is away for a moment: the stream tells when it is back */ }
    finally { const now = document.getElementById(part.id); if (now) delete now.dataset.busy; delete part.dataset.busy; }
  };
  const refreshAll = (name) => {
    for (const part of document.querySelectorAll("[data-live]"))
      if (part.dataset.live.split(" ").includes(name)) part.id ? refresh(part) : location.reload();
  };

  // Several events come together: one look for all of them.
  let waiting = 0;
  const soon = (name) => { clearTimeout(waiting); waiting = setTimeout(() => refreshAll(name), 40); };

  let stream = null;
  const listen = () => {
    if (stream || !token) return;
    stream = new EventSource("/live");
    stream.addEventListener("event", (news) => {
      const event = JSON.parse(news.data);
      speak(event.text);
      const list = document.getElementById("timeline");
      if (list) {
        const line = document.createElement("li"), time = document.createElement("time"), text = document.createElement("span");
        time.dateTime = new Date(event.at * 1000).toISOString(); time.textContent = new Date(event.at * 1000).toLocaleString();
        text.textContent = event.text; line.append(time, text); list.prepend(line);
      }
      soon("event");
    });
    stream.addEventListener("changed", () => soon("event"));
    for (const name of ["back", "gone"]) stream.addEventListener(name, () => soon(name));
    stream.onerror = () => { if (stream?.readyState === EventSource.CLOSED) { stream = null; setTimeout(listen, 5000); } };
  };
  const quiet = () => { stream?.close(); stream = null; };
  document.addEventListener("visibilitychange", () => { if (document.hidden) quiet(); else { listen(); refreshAll("event"); } });
  window.addEventListener("pagehide", quiet);
  listen();
  setInterval(() => refreshAll("event"), 5000);

  // A button that takes a while says so, and is not pressed twice.
  document.addEventListener("submit", (submitted) => {
    const button = submitted.submitter;
    if (button?.dataset.busy) { button.textContent = button.dataset.busy; setTimeout(() => { button.disabled = true; }); }
  });
  document.addEventListener("click", (clicked) => {
    const copy = clicked.target.closest("[data-copy]");
    if (copy) navigator.clipboard?.writeText(copy.dataset.copy).then(() => speak(copy.dataset.copy));
  });
  const countdown = document.querySelector("[data-countdown]");
  if (countdown) {
    const end = Date.now() + 1000 * countdown.dataset.countdown;
    const tick = setInterval(() => {
      const left = Math.max(0, Math.round((end - Date.now()) / 1000));
      countdown.textContent = `${left} s`;
      if (!left) { clearInterval(tick); setTimeout(() => location.assign(countdown.dataset.then), 1500); }
    }, 500);
  }
  for (const time of document.querySelectorAll("time[datetime]")) if (time.dateTime) time.title = new Date(time.dateTime).toLocaleString();
})();
