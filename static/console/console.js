"use strict";
// What every page needs: htmx manners, dialogs, single-key shortcuts, charts. No inline script anywhere (CSP).
(function () {
  // A conflict (409) and a refusal (422) are answers to show, not errors to drop.
  htmx.config.responseHandling = [
    { code: "204", swap: false },
    { code: "286", swap: true },
    { code: "[23]..", swap: true },
    { code: "409", swap: true },
    { code: "422", swap: true },
    { code: "[45]..", swap: false, error: true },
  ];
  htmx.config.includeIndicatorStyles = false;

  function cookie(name) {
    const found = document.cookie.split("; ").find((part) => part.startsWith(name + "="));
    return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
  }

  document.addEventListener("htmx:configRequest", function (event) {
    event.detail.headers["X-CSRFToken"] = cookie("csrftoken");
  });

  function offline(show) {
    let note = document.getElementById("nh-offline");
    if (!show) { if (note) note.remove(); return; }
    if (note) return;
    note = document.createElement("div");
    note.id = "nh-offline";
    note.className = "nh-offline";
    note.setAttribute("role", "status");
    note.textContent = document.documentElement.lang.startsWith("zh")
      ? "连接断开，正在重试" : "Connection lost, trying again";
    document.body.appendChild(note);
  }
  document.addEventListener("htmx:sendError", function () { offline(true); });
  document.addEventListener("htmx:afterOnLoad", function () { offline(false); });

  // Dialogs: data-dialog="#id" opens, data-close closes; focus returns to where it was by the browser.
  document.addEventListener("click", function (event) {
    const opener = event.target.closest("[data-dialog]");
    if (opener) {
      const dialog = document.querySelector(opener.dataset.dialog);
      if (dialog && dialog.showModal && !dialog.open) { event.preventDefault(); dialog.showModal(); }
      return;
    }
    const closer = event.target.closest("[data-close]");
    if (closer) { const dialog = closer.closest("dialog"); if (dialog) { event.preventDefault(); dialog.close(); } }
    const copier = event.target.closest("[data-copy]");
    if (copier && navigator.clipboard) navigator.clipboard.writeText(copier.dataset.copy);
  });
  // A swapped-in <dialog data-open> opens itself: a refused form comes back into its dialog.
  document.addEventListener("htmx:afterSwap", function (event) {
    event.target.querySelectorAll("dialog[data-open]").forEach(function (d) { if (!d.open) d.showModal(); });
  });

  // One-letter keys: never while typing, composing, or with a modifier.
  document.addEventListener("keydown", function (event) {
    if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (at.closest("input, textarea, select, [contenteditable], dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const target = document.querySelector('[data-key="' + CSS.escape(key) + '"]');
    if (target && target.offsetParent !== null) { event.preventDefault(); target.click(); if (target.matches("input, textarea")) target.focus(); }
  });
  // Ctrl+Enter sends the form one is in.
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    const form = event.target.closest("form[data-ctrl-enter]");
    if (form) { event.preventDefault(); form.requestSubmit(form.querySelector("[data-primary]") || undefined); }
  });
  // Ctrl+K goes to the search; Escape empties it.
  document.addEventListener("keydown", function (event) {
    const field = document.querySelector("[data-find]");
    if (!field) return;
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); field.focus(); field.select(); }
    if (event.key === "Escape" && event.target === field) { field.value = ""; document.getElementById("nh-find-results").replaceChildren(); field.blur(); }
  });
  document.addEventListener("click", function (event) {
    const results = document.getElementById("nh-find-results");
    if (results && !event.target.closest(".nh-find")) results.replaceChildren();
  });
  // Autosubmit selects (filters).
  document.addEventListener("change", function (event) {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });

  // Charts: <canvas data-chart="id"> reads the JSON script of that id.
  function token(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
  function draw(canvas) {
    if (canvas.dataset.drawn || typeof Chart === "undefined") return;
    const source = document.getElementById(canvas.dataset.chart);
    if (!source) return;
    canvas.dataset.drawn = "1";
    const spec = JSON.parse(source.textContent);
    const text = token("--nh-soft"), line = token("--nh-border");
    const sets = spec.datasets.map(function (set) {
      const colour = token("--nh-" + (set.tone || "violet") + "-bar");
      return Object.assign({ backgroundColor: colour, borderColor: colour, borderWidth: 2, pointRadius: 0, borderRadius: 2, tension: .25, maxBarThickness: 26 }, set);
    });
    new Chart(canvas, {
      type: spec.type || "bar",
      data: { labels: spec.labels, datasets: sets },
      options: {
        responsive: true, maintainAspectRatio: false, animation: false,
        indexAxis: spec.horizontal ? "y" : "x",
        interaction: { mode: "index", intersect: false },
        plugins: { legend: { display: sets.length > 1, position: "top", align: "end", labels: { color: text, boxWidth: 8, boxHeight: 8, font: { size: 12 } } } },
        scales: {
          x: { stacked: !!spec.stacked, grid: { display: !!spec.horizontal, color: line }, ticks: { color: text, font: { size: 11 }, maxRotation: 0, autoSkipPadding: 8 }, title: { display: !!spec.x_label, text: spec.x_label, color: text } },
          y: { stacked: !!spec.stacked, beginAtZero: true, grid: { display: !spec.horizontal, color: line }, border: { display: false }, ticks: { display: true, color: text, font: { size: 11 }, precision: 0 }, title: { display: !!spec.y_label, text: spec.y_label, color: text } },
        },
      },
    });
  }
  function drawAll(root) { (root || document).querySelectorAll("canvas[data-chart]").forEach(draw); }
  document.addEventListener("DOMContentLoaded", function () { drawAll(); });
  document.addEventListener("htmx:afterSwap", function (event) { drawAll(event.target); });
})();
