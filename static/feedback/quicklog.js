"use strict";
// The quick log: opens from anywhere with N, works without a mouse, keeps its draft on this device.
(function () {
  const KEY = "nh-quicklog", KEEP = 24 * 3600 * 1000;
  const zh = document.documentElement.lang.startsWith("zh");
  const dialog = document.getElementById("fb-log");

  function form() { return document.querySelector("form[data-log]"); }
  function typing(event) { return event.isComposing || event.keyCode === 229; }

  function open(query) {
    if (!dialog || dialog.open) return;
    const inPage = form();
    if (inPage && !dialog.contains(inPage)) { inPage.querySelector("[data-phone]").focus(); return; }
    dialog.showModal();
    if (query || !form()) htmx.ajax("GET", dialog.dataset.url + (query || ""), { target: dialog, swap: "innerHTML" });
    else form().querySelector("[data-phone]").focus();
  }
  document.addEventListener("click", function (event) {
    const link = event.target.closest("a[href*=\"/feedback/case/add/\"]");
    if (!link || !dialog || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    open(link.search || "");
  });
  document.addEventListener("keydown", function (event) {
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey || event.key.toLowerCase() !== "n") return;
    if (event.target.closest("input, textarea, select, [contenteditable], dialog[open]")) return;
    event.preventDefault();
    open();
  });

  // The draft.
  let restoring = false;
  function read() {
    try {
      const draft = JSON.parse(localStorage.getItem(KEY) || "null");
      return draft && Date.now() - draft.at < KEEP ? draft : null;
    } catch (error) { return null; }
  }
  function status(text) { const f = form(), at = f && f.querySelector("[data-draft]"); if (at) at.textContent = text; }
  function time(at) { return new Date(at).toTimeString().slice(0, 5); }
  function save() {
    const f = form();
    if (!f) return;
    const values = {};
    for (const name of ["phone", "summary", "detail", "category", "kind", "caller_relation", "remedy_sought"]) values[name] = new FormData(f).get(name) || "";
    if (!values.phone && !values.summary && !values.detail) { localStorage.removeItem(KEY); status(""); return; }
    const at = Date.now();
    localStorage.setItem(KEY, JSON.stringify({ at: at, values: values }));
    status((zh ? "草稿已存在本机 " : "Draft kept on this device, ") + time(at));
  }
  function restore(f) {
    const draft = read();
    if (!draft || f.phone.value || f.summary.value || f.querySelector("[role=alert]")) return;
    for (const [name, value] of Object.entries(draft.values)) {
      if (name === "category") { const radio = f.querySelector('[name=category][value="' + CSS.escape(value) + '"]'); if (radio) radio.checked = true; }
      else if (value && f.elements[name]) f.elements[name].value = value;
    }
    status((zh ? "已恢复草稿 " : "Draft restored from ") + time(draft.at));
    restoring = true;
    if (f.phone.value) htmx.trigger(f.phone, "input");
    restoring = false;
  }

  // Severity: words and category only ever raise it; the server decides again.
  function judge(f) {
    const radio = f.querySelector("[name=category]:checked");
    const words = JSON.parse(f.querySelector("#fb-words").textContent);
    const text = (f.summary.value + " " + f.detail.value).toLowerCase();
    let level = radio ? radio.dataset.severity : "S4", word = "";
    for (const severity of ["S1", "S2"]) {
      if (severity >= level) break;
      const hit = words[severity].find(function (w) { return text.includes(w); });
      if (hit) { level = severity; word = hit; break; }
    }
    const serious = level === "S1" || level === "S2";
    const note = f.querySelector("[data-raised]"), line = note.querySelector("span[data-text]");
    note.hidden = !serious;
    line.textContent = (word ? line.dataset.text : line.dataset.plain).replace("%(word)s", word).replace("%(severity)s", level);
    f.querySelector("[data-detail]").hidden = !serious && !f.detail.value;
    f.querySelector("[data-length]").textContent = Array.from(f.summary.value).length;
    f.querySelector("[data-detail-length]").textContent = Array.from(f.detail.value).length;
  }

  function chosen(f, next) {
    htmx.ajax("POST", f.dataset.caller, { target: f.querySelector("[data-side]"), swap: "innerHTML", values: { customer: new FormData(f).get("customer") || "", phone: f.phone.value } });
    if (next) { const radio = f.querySelector("[name=category]:checked") || f.querySelector("[name=category]"); radio.focus(); }
  }

  function prepare(root) {
    const f = root.querySelector ? root.querySelector("form[data-log]") : null;
    if (!f || f.dataset.ready) return;
    f.dataset.ready = "1";
    f.dataset.caller = f.querySelector("[data-phone]").getAttribute("hx-post").replace("lookup/", "caller/");
    restore(f);
    judge(f);
    const wrong = f.querySelector("[aria-invalid=true]");
    (wrong || f.querySelector("[name=customer]:checked") && f.querySelector("[name=category]") || f.phone).focus();
  }

  document.addEventListener("input", function (event) {
    const f = event.target.closest("form[data-log]");
    if (f) { judge(f); if (!restoring) save(); }
  });
  document.addEventListener("change", function (event) {
    const f = event.target.closest("form[data-log]");
    if (!f) return;
    if (event.target.name === "customer") chosen(f, false);
    if (event.target.name === "category") { judge(f); save(); }
  });
  document.addEventListener("keydown", function (event) {
    const f = event.target.closest && event.target.closest("form[data-log]");
    if (!f || typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && event.target.matches("[data-phone]")) {
      event.preventDefault();
      const first = f.querySelector("[name=customer]");
      if (first) { first.checked = true; chosen(f, true); }
      else if (f.phone.value.trim()) f.dataset.wanted = "1";
    } else if (event.key === "Enter" && event.target.matches("input")) {
      // Enter in a one-line field must not send a half-typed case.
      event.preventDefault();
      if (event.target.name === "category") { event.target.checked = true; judge(f); f.summary.focus(); }
    } else if (/^[1-8]$/.test(event.key) && !event.target.matches("input:not([type=radio]), textarea, select")) {
      const radio = f.querySelector('[data-digit="' + event.key + '"]');
      if (radio) { event.preventDefault(); radio.checked = true; judge(f); save(); f.summary.focus(); }
    }
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    prepare(event.target);
    const f = form();
    if (f && event.target.matches("[data-matches]")) {
      const found = event.target.querySelector("[data-took-text]");
      f.querySelector("[data-took]").textContent = found ? found.dataset.tookText : "";
      if (f.dataset.wanted) { delete f.dataset.wanted; const first = f.querySelector("[name=customer]"); if (first) { first.checked = true; chosen(f, true); } }
    }
  });
  document.addEventListener("htmx:beforeRequest", function (event) { if (event.target.matches("form[data-log]")) save(); });
  // Before the answer is followed: a redirect leaves this page at once.
  document.addEventListener("htmx:beforeOnLoad", function (event) {
    if (event.target.matches && event.target.matches("form[data-log]") && event.detail.xhr.status < 400) localStorage.removeItem(KEY);
  });
  document.addEventListener("htmx:sendError", function (event) {
    if (event.target.matches("form[data-log]")) status(zh ? "连接断开：已存在本机，请再保存一次" : "No connection: kept on this device, save again");
  });
  setInterval(function () {
    const f = form(), at = f && f.querySelector("[data-calltime]");
    if (!at) return;
    const seconds = Math.max(0, Math.round((Date.now() - Date.parse(f.call_started_at.value)) / 1000)) || 0;
    at.textContent = String(Math.floor(seconds / 60)).padStart(2, "0") + ":" + String(seconds % 60).padStart(2, "0");
  }, 1000);
  document.addEventListener("DOMContentLoaded", function () { prepare(document); });
  if (document.readyState !== "loading") prepare(document);
})();
