"use strict";
// Chips for comma-parted fields, rows that come and go, and cards that follow a choice.
(function () {
  function changed(node) { node.dispatchEvent(new Event("rule-changed", { bubbles: true })); }

  function chips(field) {
    if (field.dataset.made) return;
    field.dataset.made = "1";
    const box = document.createElement("div");
    box.className = "nh-chips";
    const typed = document.createElement("input");
    typed.type = "text";
    typed.setAttribute("autocomplete", "off");
    typed.setAttribute("aria-label", field.getAttribute("aria-label") || (field.labels[0] ? field.labels[0].textContent : ""));
    if (field.getAttribute("list")) typed.setAttribute("list", field.getAttribute("list"));
    field.type = "hidden";
    field.after(box);
    box.append(typed);
    let values = split(field.value);

    function split(text) { return text.split(/[,，]/).map((part) => part.trim()).filter(Boolean); }
    function show() {
      box.querySelectorAll(".nh-chip").forEach((chip) => chip.remove());
      values.forEach(function (value) {
        const chip = document.createElement("span");
        chip.className = "nh-chip nh-chip--large";
        chip.textContent = value;
        const off = document.createElement("button");
        off.type = "button";
        off.textContent = "×";
        off.setAttribute("aria-label", (field.dataset.remove || "Remove") + " " + value);
        off.addEventListener("click", function () { values = values.filter((v) => v !== value); show(); typed.focus(); });
        chip.append(off);
        typed.before(chip);
      });
      field.value = values.join(",");
      changed(field);
    }
    function take() {
      const more = split(typed.value).filter((v) => !values.includes(v));
      typed.value = "";
      if (more.length) { values = values.concat(more); show(); }
    }
    typed.addEventListener("keydown", function (event) {
      if (event.isComposing) return;
      if (event.key === "Enter" && typed.value.trim()) { event.preventDefault(); take(); }
      if (event.key === "Backspace" && !typed.value && values.length) { values.pop(); show(); }
    });
    typed.addEventListener("input", function (event) {
      if (!event.isComposing && /[,，]/.test(typed.value)) take();
    });
    typed.addEventListener("change", take);
    typed.addEventListener("blur", take);
    show();
  }
  function prepare(root) { root.querySelectorAll("[data-chips]").forEach(chips); }

  document.addEventListener("click", function (event) {
    const remove = event.target.closest("[data-remove-row]");
    if (remove) {
      const row = remove.closest("[data-row]"), list = row.parentNode;
      // The last pair stays as the empty row that the next one is made from.
      if (list.id === "attributes" && list.children.length === 1) row.querySelectorAll("input").forEach((input) => { input.value = ""; });
      else row.remove();
      changed(list);
      return;
    }
    const add = event.target.closest("[data-add-row]");
    if (add) {
      const list = document.querySelector(add.dataset.addRow), last = list.querySelector("[data-row]:last-child");
      if (!last) return;
      const row = last.cloneNode(true);
      row.querySelectorAll("input").forEach((input) => { input.value = ""; });
      list.append(row);
      row.querySelector("input").focus();
    }
    const menu = document.querySelector("details.nh-more[open]");
    if (menu && !event.target.closest("details.nh-more")) menu.removeAttribute("open");
  });

  // A revealed number does not stay in the page behind a closed dialog.
  document.addEventListener("close", function (event) {
    if (event.target.querySelector(".nh-revealed")) window.location.replace(window.location.href);
  }, true);

  function follow() {
    document.querySelectorAll("[data-shows]:checked").forEach((on) => { document.querySelector(on.dataset.shows).hidden = false; });
    document.querySelectorAll("[data-hides]:checked").forEach((on) => { document.querySelector(on.dataset.hides).hidden = true; });
  }
  // A comparison brings the fields it needs; the others stand still and are not sent.
  function needs(select) {
    select.closest("[data-row]").querySelectorAll("[data-when]").forEach(function (part) {
      part.hidden = part.disabled = !part.dataset.when.split(" ").includes(select.value);
    });
  }
  document.addEventListener("change", function (event) { if (event.target.matches("[data-operator]")) needs(event.target); });
  // A list that adds something goes back to its first line, so that the same can be added again.
  document.addEventListener("htmx:afterRequest", function (event) { if (event.target.matches("select[data-again]")) event.target.value = ""; });
  document.addEventListener("change", follow);
  document.addEventListener("htmx:afterSwap", function (event) { prepare(event.target); if (event.target.id === "rule-rows") changed(event.target); });
  prepare(document);
  follow();
})();
