// The rule page: each date brings the stops that suit it, and only the fields that it has.
(function () {
  const anchor = document.querySelector("select[data-stops]");
  if (!anchor) return;
  const defaults = JSON.parse(anchor.dataset.stops);
  const stops = Array.from(document.querySelectorAll("input[name=stop_states]"));
  const attribute = document.querySelector("input[name=attribute]");
  let before = anchor.value;

  function chosen() { return stops.filter(function (box) { return box.checked; }).map(function (box) { return box.value; }); }
  function same(left, right) { return left.length === right.length && left.every(function (one) { return right.includes(one); }); }

  function show() {
    const ofOrder = anchor.value.startsWith("order.");
    document.querySelectorAll("[data-of=order]").forEach(function (part) { part.hidden = !ofOrder; });
    document.querySelectorAll("[data-of=customer]").forEach(function (part) { part.hidden = ofOrder && !part.querySelector(".errorlist"); });
  }

  anchor.addEventListener("change", function () {
    // What somebody chose by hand stays.
    if (!chosen().length || same(chosen(), defaults[before] || [])) {
      const wanted = defaults[anchor.value] || [];
      stops.forEach(function (box) { box.checked = wanted.includes(box.value); });
    }
    if (anchor.value.startsWith("order.") && attribute) attribute.value = "";
    before = anchor.value;
    show();
  });
  show();
})();
