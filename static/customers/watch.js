"use strict";
// The guided page of a watch rule: only the fields of the chosen kind, under the words that suit it.
(function () {
  function suit(form) {
    const kind = form.querySelector("[name=kind]").value, holds = form.querySelector("[name=holds]");
    form.querySelectorAll("[data-kinds]").forEach(function (part) {
      part.hidden = !part.dataset.kinds.split(" ").includes(kind);
      const labels = part.dataset.labels ? JSON.parse(part.dataset.labels) : {};
      const label = part.querySelector("label");
      if (label && labels[kind]) {
        label.firstChild.textContent = labels[kind] + " ";
        part.querySelectorAll(".nh-chips input").forEach(function (typed) { typed.setAttribute("aria-label", labels[kind]); });
      }
    });
    form.querySelectorAll("[data-with=holds]").forEach(function (part) { part.hidden = !holds.checked; });
  }
  document.addEventListener("DOMContentLoaded", function () {
    const form = document.getElementById("watch-form");
    if (!form) return;
    form.addEventListener("change", function (event) { if (event.target.matches("[name=kind], [name=holds]")) suit(form); });
    suit(form);
  });
})();
