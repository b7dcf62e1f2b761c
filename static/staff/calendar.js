"use strict";
// The year: a click or Enter opens the day's dialog, arrow keys move by day and week, one Tab stop for all.
(function () {
  document.addEventListener("DOMContentLoaded", function () {
    // A dialog that the server opened becomes a modal one.
    document.querySelectorAll("dialog[data-start]").forEach(function (dialog) { dialog.close(); dialog.showModal(); });
    const grid = document.getElementById("year-grid"), dialog = document.getElementById("day");
    if (!grid) return;
    const days = Array.from(grid.querySelectorAll("[data-day]"));
    let at = Math.max(0, days.findIndex(function (day) { return day.classList.contains("nh-cal-day--today"); }));
    days.forEach(function (day, n) { day.tabIndex = n === at ? 0 : -1; });
    function go(to) {
      if (to < 0 || to >= days.length) return;
      days[at].tabIndex = -1; at = to; days[at].tabIndex = 0; days[at].focus();
    }
    grid.addEventListener("keydown", function (event) {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 }[event.key];
      if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      go(at + step);
    });
    grid.addEventListener("click", function (event) {
      const day = event.target.closest("[data-day]");
      if (!day) return;
      event.preventDefault();
      go(days.indexOf(day));
      if (!dialog) return;
      dialog.querySelector("[name=day]").value = day.dataset.day;
      dialog.querySelector("[name=name]").value = day.dataset.name;
      const plain = day.dataset.what === "weekday";
      dialog.querySelectorAll("[name=what]").forEach(function (choice) { choice.checked = choice.value === day.dataset.what; });
      dialog.querySelector("[value=weekday]").closest("label").hidden = plain;
      dialog.showModal();
      (dialog.querySelector("[name=what]:checked") || dialog.querySelector("[name=what]")).focus();
    });
  });
})();
