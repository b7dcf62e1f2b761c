"use strict";
// The case page: drafts kept as one types, the thread kept fresh, tabs on a phone.
(function () {
  const page = document.querySelector("[data-casepage]");
  if (!page) return;
  const thread = page.querySelector("[data-thread-body]");
  const composer = page.querySelector("[data-composer]");
  const csrf = (page.querySelector("[name=csrfmiddlewaretoken]") || {}).value;
  let tag = "";
  thread.scrollTop = thread.scrollHeight;

  document.querySelectorAll("dialog[data-reopen]").forEach(function (dialog) { dialog.showModal(); });

  // Tabs below 1024 px.
  function show(name) {
    page.dataset.tab = name;
    page.querySelectorAll("[data-tab-for]").forEach(function (tab) { tab.setAttribute("aria-pressed", String(tab.dataset.tabFor === name)); });
  }
  page.querySelectorAll("[data-tab-for]").forEach(function (tab) { tab.addEventListener("click", function () { show(tab.dataset.tabFor); }); });
  show(page.dataset.tab || "thread");

  async function poll() {
    if (document.visibilityState !== "visible") return;
    try {
      const answer = await fetch(page.dataset.thread, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      if (answer.headers.get("X-Case-Version") && answer.headers.get("X-Case-Version") !== page.dataset.version) page.querySelector("[data-changed]").hidden = false;
      if (answer.status !== 200 || answer.redirected) return;
      const first = !tag;
      tag = answer.headers.get("ETag") || "";
      const html = await answer.text();
      if (first && html.trim() === thread.innerHTML.trim()) return;
      if (thread.contains(document.activeElement) && document.activeElement !== thread) return;
      const open = Array.from(thread.querySelectorAll("details")).map(function (d) { return d.open; });
      const down = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 40;
      thread.innerHTML = html;
      thread.querySelectorAll("details").forEach(function (d, i) { d.open = !!open[i]; });
      if (down) thread.scrollTop = thread.scrollHeight;
    } catch (error) { tag = ""; }
  }
  setInterval(poll, 3000);
  page.querySelector("[data-changed]").addEventListener("click", function () { location.reload(); });

  const party = document.querySelector("[data-party]");
  if (party) party.addEventListener("change", function () { party.form.until.value = party.selectedOptions[0].dataset.until; });

  if (!composer) return;
  const text = composer.querySelector("[data-body-text]");
  let timer = 0, sent = false;
  function mode() { const chosen = composer.querySelector("[name=mode]:checked"); return chosen ? chosen.value : "note"; }
  function dress() {
    const now = mode();
    composer.dataset.mode = now;
    text.placeholder = text.dataset[now];
    const verb = composer.querySelector("[data-verb]");
    verb.textContent = verb.dataset[now];
    composer.querySelectorAll("[data-only]").forEach(function (part) { part.hidden = part.dataset.only !== now; });
    composer.querySelector("[data-channels]").hidden = now !== "reply";
  }
  function keep() {
    clearTimeout(timer);
    timer = setTimeout(async function () {
      const data = new FormData(composer);
      data.delete("then");
      try {
        const answer = await fetch(page.dataset.draft, { method: "POST", body: data, headers: { "X-CSRFToken": csrf } });
        if (answer.ok && !sent) composer.querySelector("[data-saved]").textContent = (await answer.json()).text;
      } catch (error) { /* The text stays in the page; the next key tries again. */ }
    }, 700);
  }
  composer.addEventListener("change", function () { dress(); if (text.value) keep(); });
  text.addEventListener("input", keep);
  composer.addEventListener("submit", function (event) {
    if (sent) { event.preventDefault(); return; }
    sent = true;
    clearTimeout(timer);
  });
  // Coming back by the browser's history shows a live form again.
  addEventListener("pageshow", function () { sent = false; });
  const resolve = document.getElementById("fb-resolve");
  if (resolve) resolve.addEventListener("toggle", function () {
    const last = resolve.querySelector("[data-last-message]");
    if (resolve.open && !last.value && mode() === "reply") last.value = text.value;
  });
  dress();
})();
