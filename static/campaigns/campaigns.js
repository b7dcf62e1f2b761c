"use strict";
// The tabs of a campaign: which choices show, moving channels, the launch button that waits for the number.
(function () {
  function showValues() {
    const chosen = document.querySelector('input[name="kind"]:checked');
    document.querySelectorAll("[data-values]").forEach(function (part) {
      part.classList.toggle("cp-on", !!chosen && part.dataset.values === chosen.value);
    });
    const when = document.querySelector('input[name="schedule"]:checked');
    document.querySelectorAll("[data-when]").forEach(function (part) {
      part.hidden = !when || part.dataset.when !== when.value;
    });
  }
  function narrow(field) {
    const wanted = field.value.trim().toLowerCase();
    field.closest("[data-values]").querySelectorAll(".cp-pick").forEach(function (pick) {
      const kept = pick.querySelector("input").checked;
      pick.hidden = !kept && !!wanted && !pick.textContent.toLowerCase().includes(wanted);
    });
  }
  // Only a step that has a next one waits for it.
  function showWaits() {
    const rows = Array.from(document.querySelectorAll("[data-chain] li"));
    const used = rows.filter(function (row) { return row.querySelector('input[name="chain"]').checked; });
    rows.forEach(function (row) {
      row.querySelector("[data-wait]").hidden = !used.includes(row) || row === used[used.length - 1];
    });
  }
  function digits(text) { return text.replace(/[\s,，]/g, ""); }

  document.addEventListener("DOMContentLoaded", function () { showValues(); showWaits(); });
  document.addEventListener("change", function (event) {
    if (event.target.matches('input[name="kind"], input[name="schedule"]')) showValues();
    if (event.target.matches('[data-chain] input[name="chain"]')) showWaits();
  });
  document.addEventListener("input", function (event) {
    if (event.target.matches("[data-narrow]")) narrow(event.target);
    if (event.target.matches("[data-expect]")) {
      const right = digits(event.target.value) === event.target.dataset.expect;
      event.target.setCustomValidity("");
      event.target.classList.toggle("cp-right", right);
    }
  });
  document.addEventListener("click", function (event) {
    const mover = event.target.closest("[data-move]");
    if (mover) {
      const row = mover.closest("li"), up = mover.dataset.move === "-1";
      const other = up ? row.previousElementSibling : row.nextElementSibling;
      if (other) { if (up) other.before(row); else other.after(row); mover.focus(); showWaits(); }
    }
    const open = document.querySelector("details.cp-more[open]");
    if (open && !open.contains(event.target)) open.open = false;
  });
})();
