"use strict";
// The queue: polls while it is visible, redraws rows in place, and never moves one under the cursor.
(function () {
  const page = document.querySelector("[data-queue]");
  if (!page) return;
  const zh = document.documentElement.lang.startsWith("zh");
  const body = page.querySelector("[data-body]");
  const bar = page.querySelector("[data-newbar]");
  const live = page.querySelector("[data-live]");
  let tag = "", goodAt = Date.now();

  function rows() { return Array.from(body.querySelectorAll("tr[data-case]")); }

  function age() {
    const seconds = Math.round((Date.now() - goodAt) / 1000);
    if (seconds < 20) return;
    live.classList.add("nh-tone-orange");
    live.querySelector("span").textContent = zh ? "已 " + seconds + " 秒没有更新" : "Not updated for " + seconds + " s";
  }

  function take(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    fresh.querySelectorAll("[data-count]").forEach(function (count) {
      const shown = page.querySelector('.fb-views [data-count="' + count.dataset.count + '"]');
      if (shown) { shown.textContent = count.textContent; shown.className = count.className; }
    });
    const clock = fresh.querySelector("[data-clock]");
    if (clock) { live.classList.remove("nh-tone-orange"); live.querySelector("span").textContent = (zh ? "实时 · " : "Live · ") + clock.dataset.clock; }
    const known = new Map(rows().map(function (row) { return [row.dataset.case, row]; }));
    let added = 0;
    const present = new Set();
    fresh.querySelectorAll("tr[data-case]").forEach(function (row) {
      present.add(row.dataset.case);
      const shown = known.get(row.dataset.case);
      if (!shown) { added += 1; return; }
      shown.classList.remove("fb-gone");
      if (shown.dataset.mark === row.dataset.mark || shown.contains(document.activeElement) && document.activeElement !== shown) return;
      shown.innerHTML = row.innerHTML;
      shown.dataset.mark = row.dataset.mark;
      htmx.process(shown);
    });
    known.forEach(function (row, id) { row.classList.toggle("fb-gone", !present.has(id)); });
    bar.hidden = added === 0;
    bar.textContent = page.dataset.new.replace("%d", added);
    if (window.fbDrawClocks) window.fbDrawClocks();
  }

  async function poll() {
    if (document.visibilityState !== "visible" || !page.dataset.rows) return;
    try {
      const answer = await fetch(page.dataset.rows, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      if (answer.status === 304) { goodAt = Date.now(); return; }
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      tag = answer.headers.get("ETag") || "";
      goodAt = Date.now();
      take(await answer.text());
    } catch (error) { age(); }
  }
  bar.addEventListener("click", function () { location.reload(); });
  setInterval(poll, 5000);
  document.addEventListener("visibilitychange", poll);

  function current() { return body.querySelector("tr.fb-current"); }
  function choose(row) {
    if (!row) return;
    const old = current();
    if (old) old.classList.remove("fb-current");
    row.classList.add("fb-current");
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
  // A claimed row is drawn anew; it stays the current one.
  let chosen = "";
  body.addEventListener("htmx:beforeSwap", function () { chosen = current() ? current().dataset.case : ""; });
  document.addEventListener("htmx:load", function (event) {
    const row = event.detail.elt;
    if (chosen && row.matches && row.matches("tr[data-case]") && row.dataset.case === chosen) { choose(row); chosen = ""; }
  });
  document.addEventListener("keydown", function (event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, dialog[open]")) return;
    const list = rows(), at = list.indexOf(current()), key = event.key.toLowerCase();
    if (key === "j") choose(list[Math.min(at + 1, list.length - 1)]);
    else if (key === "k") choose(list[Math.max(at - 1, 0)]);
    else if (key === "enter" && current() && !event.target.closest("a, button")) current().querySelector("[data-open]").click();
    else if (key === "c" && current()) { const button = current().querySelector("[data-claim]"); if (button) button.click(); }
    else return;
    event.preventDefault();
  });
  body.addEventListener("click", function (event) {
    const row = event.target.closest("tr[data-case]");
    if (row && !event.target.closest("a, button") && !String(getSelection())) row.querySelector("[data-open]").click();
  });
})();
