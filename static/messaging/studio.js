"use strict";
// The studio: insert variables, save by Ctrl+S, post the typed mail into its sandboxed frame.
(function () {
  const form = document.getElementById("st-form");
  if (!form) return;
  const body = document.getElementById("st-body");
  let saved = snapshot();

  function field(name) { return form.elements[name] ? form.elements[name].value : ""; }
  function snapshot() { return ["subject", "preheader", "body", "digest_subject", "digest_body"].map(field).join("\u0000"); }

  function showMail() {
    const mail = document.getElementById("st-mail");
    if (!mail || !document.querySelector('iframe[name="st-mail-frame"]')) return;
    ["channel", "language", "subject", "preheader", "body", "customer"].forEach(function (name) {
      mail.elements[name].value = field(name);
    });
    mail.submit();
  }
  showMail();

  document.addEventListener("htmx:afterSettle", function (event) {
    const answer = event.detail.xhr;
    if (answer && answer.getResponseHeader("X-Preview") === "stale") return;
    if (event.detail.target && event.detail.target.id === "st-frame") showMail();
  });
  // A text that cannot be filled in leaves the last good preview in place, dimmed.
  document.addEventListener("htmx:beforeSwap", function (event) {
    const stage = document.getElementById("st-frame");
    if (!event.detail.target || event.detail.target !== stage) return;
    const stale = event.detail.xhr.getResponseHeader("X-Preview") === "stale";
    stage.classList.toggle("st-stage--stale", stale);
  });
  document.addEventListener("htmx:afterRequest", function (event) {
    if (event.detail.elt === form && event.detail.successful) saved = snapshot();
  });
  window.addEventListener("beforeunload", function (event) {
    if (!body.readOnly && snapshot() !== saved) event.preventDefault();
  });
  form.addEventListener("submit", function () { if (!window.htmx) saved = snapshot(); });

  let last = body;
  form.addEventListener("focusin", function (event) {
    if (event.target.matches("#st-subject, #st-preheader, #st-body, #st-digest_subject, #st-digest_body")) last = event.target;
  });
  function changed() { last.dispatchEvent(new Event("input", { bubbles: true })); }

  document.addEventListener("click", function (event) {
    const insert = event.target.closest("[data-insert]");
    if (insert) {
      last.focus();
      last.setRangeText(insert.dataset.insert, last.selectionStart, last.selectionEnd, "end");
      changed();
      return;
    }
    // What is published is what is saved, so the typed text goes first.
    if (event.target.closest('[data-dialog="#st-test"]')) document.getElementById("st-test-customer").value = field("customer");
    if (event.target.closest('[data-dialog="#st-publish"], [data-dialog="#st-test"]') && !body.readOnly && snapshot() !== saved) form.requestSubmit();
    const pick = event.target.closest("[data-customer]");
    if (pick) {
      document.getElementById("st-customer").value = pick.dataset.customer;
      document.getElementById("st-customers").close();
      document.body.dispatchEvent(new Event("st-customer"));
      return;
    }
    const keep = event.target.closest("[data-keep]");
    if (keep) {
      document.getElementById("st-version").value = keep.dataset.keep;
      form.requestSubmit();
      return;
    }
    const width = event.target.closest("[data-width]");
    if (width) {
      document.getElementById("st-frame").classList.toggle("st-narrow", width.dataset.width === "narrow");
      document.querySelectorAll("[data-width]").forEach(function (one) { one.setAttribute("aria-pressed", String(one === width)); });
      return;
    }
    const line = event.target.closest("[data-line]");
    if (line) {
      const at = document.getElementById("st-" + line.dataset.field) || body;
      const lines = at.value.split("\n");
      const start = lines.slice(0, Number(line.dataset.line) - 1).join("\n").length + (Number(line.dataset.line) > 1 ? 1 : 0);
      at.focus();
      at.setSelectionRange(start, start + (lines[Number(line.dataset.line) - 1] || "").length);
    }
  });
  document.addEventListener("keydown", function (event) {
    if (!(event.ctrlKey || event.metaKey) || event.isComposing) return;
    if (event.key.toLowerCase() === "s") {
      event.preventDefault();
      if (!body.readOnly) form.requestSubmit();
    }
    if (event.key.toLowerCase() === "p" && event.shiftKey) {
      const shuffle = document.getElementById("st-shuffle");
      if (shuffle) { event.preventDefault(); shuffle.click(); }
    }
  });
})();
