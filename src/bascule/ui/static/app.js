// What pages do by themselves: stay true, and the few things that HTML has no words for.
(() => {
  // Live parts: an element with data-live names kinds of events; when one comes that concerns it,
  // it is told "live", and htmx asks for it again. Many events at once make one request.
  const WAIT = 300; // ms
  const waiting = new Set();

  const concerns = (part, kind, data) => {
    if (!part.dataset.live.split(" ").includes(kind)) return false;
    const { liveConnection, liveRun, liveRecord } = part.dataset;
    if (liveConnection && data.connection_id && data.connection_id !== liveConnection) return false;
    if (liveRecord && data.record_id && String(data.record_id) !== liveRecord) return false;
    return !(liveRun && data.run_id && String(data.run_id) !== liveRun);
  };
  const refresh = (part) => {
    if (waiting.has(part)) return;
    waiting.add(part);
    setTimeout(() => {
      waiting.delete(part);
      if (part.isConnected && !document.querySelector("dialog[open]")) htmx.trigger(part, "live");
      else if (part.isConnected) refresh(part);
    }, WAIT);
  };
  // What somebody asked for and waits for: a form that was sent or a link that was followed (until its
  // page is there, or it turned out to be a file), and what htmx asks for but for live parts.
  const LONGEST = 120000; // ms that nobody waits for a page any more
  let leftAt = -Infinity;
  const asked = new Map(); // of htmx: since when
  const isLive = ({ ctx }) => ctx.sourceElement.matches("[data-live]");
  const isWaiting = () => performance.now() - Math.max(leftAt, ...asked.values()) < LONGEST;
  addEventListener("beforeunload", () => { leftAt = performance.now(); });
  addEventListener("pageshow", () => { leftAt = -Infinity; });
  document.addEventListener("htmx:before:request", ({ detail }) => { if (!isLive(detail)) asked.set(detail.ctx, performance.now()); });
  document.addEventListener("htmx:finally:request", ({ detail }) => asked.delete(detail.ctx));
  // A live part never takes the page away from that: what it reloads for may be what was asked for,
  // such as the end of what the page is about, which leads elsewhere.
  let reloading = false;
  const reload = () => {
    if (isWaiting()) setTimeout(reload, WAIT);
    else location.reload();
  };
  // An error's page has no such part: what is shown stays, unless it is gone or not one's to see any more.
  document.addEventListener("htmx:before:response", (event) => {
    const { response } = event.detail.ctx;
    if (response.status < 400 || !isLive(event.detail)) return;
    event.preventDefault();
    if (response.status >= 500 || reloading) return;
    reloading = true;
    setTimeout(reload, WAIT);
  });
  // What somebody unfolded stays unfolded.
  window.htmx?.registerExtension("unfolded", {
    htmx_before_morph_attr: (each, { attrName }) => attrName !== "open" || !each.matches("details:not(.menu)"),
  });
  // A browser opens six connections to one host and no more, all its tabs together. So a tab that
  // nobody looks at has none, and catches up when somebody does.
  const listen = (url) => {
    const state = document.getElementById("live-state");
    let events = null;
    let behind = document.hidden;
    const close = () => {
      events?.close();
      events = null;
      behind = true;
    };
    const open = () => {
      if (events || document.hidden) return;
      // Who is behind asks for every part anew: what happened may be older than what the hub keeps.
      events = new EventSource(behind ? url.split("?")[0] : url);
      for (const kind of ["run", "stream", "connection", "user", "audit", "log", "delivery", "record"]) {
        events.addEventListener(kind, (event) => {
          const data = JSON.parse(event.data);
          for (const part of document.querySelectorAll("[data-live]"))
            if (concerns(part, kind, data)) refresh(part);
        });
      }
      events.addEventListener("open", () => {
        state.hidden = true;
        if (behind) document.querySelectorAll("[data-live]").forEach(refresh);
        behind = false;
      });
      events.addEventListener("error", ({ target }) => {
        if (target !== events) return;
        behind = true;
        state.hidden = false;
        if (events.readyState !== EventSource.CLOSED) return;
        close();
        setTimeout(open, 5000);
      });
    };
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
  };
  if (document.body.dataset.events && document.querySelector("[data-live]")) listen(document.body.dataset.events);

  // "5 minutes ago" goes on counting.
  const units = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];
  const distance = (seconds) => {
    const left = seconds >= 0 ? seconds : 30 - seconds;
    for (const [unit, size] of units) {
      const count = Math.floor(left / size);
      if (!count) continue;
      const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
      return seconds >= 0 ? `${words} ago` : `in ${words}`;
    }
    return seconds >= 0 ? "just now" : "in a moment";
  };
  setInterval(() => {
    for (const time of document.querySelectorAll("time[data-ago]"))
      time.textContent = distance((Date.now() - Date.parse(time.dateTime)) / 1000);
  }, 20000);

  // Browsers lend the clipboard to HTTPS and loopback alone; elsewhere the text is selected.
  const copy = async (button) => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      const shown = button.parentElement.querySelector("input, pre");
      if (shown instanceof HTMLInputElement) shown.select();
      else getSelection().selectAllChildren(shown);
      button.textContent = "Selected; copy it with Ctrl+C";
    }
  };

  document.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    let found;
    if ((found = on("[data-dialog]"))) document.getElementById(found.dataset.dialog).showModal();
    else if ((found = on("[data-dialog-close]"))) found.closest("dialog").close();
    else if ((found = on("[data-dismiss]"))) found.closest(".alert").remove();
    else if ((found = on("[data-copy]"))) {
      copy(found);
    } else if ((found = on("[data-theme-choice]"))) {
      const chosen = found.dataset.themeChoice;
      document.cookie = `bascule_theme=${chosen};path=/;max-age=31536000;samesite=lax`;
      document.documentElement.dataset.theme = chosen;
      for (const each of document.querySelectorAll("[data-theme-choice]"))
        each.setAttribute("aria-pressed", String(each === found));
      dispatchEvent(new Event("bascule:theme"));
    }
    for (const menu of document.querySelectorAll("details.menu[open]"))
      if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  // What is followed (a log) stays at its end while somebody looks at its end.
  const ends = new WeakMap();
  const follow = () => {
    for (const each of document.querySelectorAll("[data-follow]"))
      if (ends.get(each) !== false) each.scrollTop = each.scrollHeight;
  };
  document.addEventListener("scroll", ({ target: each }) => {
    if (each.dataset?.follow !== undefined)
      ends.set(each, each.scrollHeight - each.scrollTop - each.clientHeight < 8);
  }, true);
  document.addEventListener("htmx:after:swap", follow);
  follow();

  // What cannot be undone waits for a word to be typed.
  const guard = (typed) => {
    typed.form.querySelector("button:not([type=button])").disabled = typed.value !== typed.dataset.mustBe;
  };
  document.addEventListener("input", ({ target }) => { if (target.dataset.mustBe !== undefined) guard(target); });
  document.querySelectorAll("[data-must-be]").forEach(guard);

  // A form that was sent is not sent twice by an impatient hand.
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button || event.defaultPrevented || event.target.method !== "post") return;
    setTimeout(() => { button.disabled = true; button.setAttribute("aria-busy", "true"); });
    addEventListener("pageshow", () => { button.disabled = false; button.removeAttribute("aria-busy"); }, { once: true });
  });
})();
