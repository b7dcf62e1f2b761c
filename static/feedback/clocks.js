"use strict";
// Counts down what carries data-due, from the server's time, so that a wrong clock at the desk misleads nobody.
(function () {
  const zh = document.documentElement.lang.startsWith("zh");
  const stamp = document.querySelector("[data-now]");
  const skew = stamp ? Date.parse(stamp.dataset.now) - Date.now() : 0;
  const said = new Set();

  function span(seconds) {
    const d = Math.floor(seconds / 86400), h = Math.floor(seconds % 86400 / 3600), m = Math.floor(seconds % 3600 / 60);
    const parts = zh
      ? [[d, d + " 天"], [h, h + " 小时"], [m, m + " 分"], [seconds % 60, seconds % 60 + " 秒"]]
      : [[d, d + (d === 1 ? " day" : " days")], [h, h + " h"], [m, m + " min"], [seconds % 60, seconds % 60 + " s"]];
    const first = parts.findIndex(function (p) { return p[0] > 0; });
    if (first < 0) return parts[3][1];
    if (first >= 2) return parts[first][1];
    return parts[first][1] + (parts[first + 1][0] ? " " + parts[first + 1][1] : "");
  }

  function tell(left, element) {
    // Only these two moments are spoken; a countdown read out every second helps nobody.
    for (const minute of [5, 1]) {
      const key = element.dataset.due + minute;
      if (left > (minute - 1) * 60 && left <= minute * 60 && !said.has(key)) {
        said.add(key);
        const live = document.querySelector("[data-speak]");
        if (live) live.textContent = element.textContent.trim();
      }
    }
  }

  function draw() {
    const now = Date.now() + skew;
    document.querySelectorAll("[data-due]").forEach(function (element) {
      const left = Math.round((Date.parse(element.dataset.due) - now) / 1000);
      const text = element.querySelector("[data-left]");
      if (!text || Number.isNaN(left)) return;
      const late = left <= 0;
      text.textContent = zh ? (late ? "超时 " : "剩 ") + span(Math.abs(left)) : span(Math.abs(left)) + (late ? " late" : " left");
      if (element.classList.contains("fb-clock")) {
        const tone = late ? "red" : left <= 1800 ? "orange" : "outline";
        for (const name of ["red", "orange", "outline"]) element.classList.toggle("nh-chip--" + name, name === tone);
        const symbol = element.querySelector(".nh-icon");
        if (symbol) symbol.textContent = late ? "error" : tone === "orange" ? "schedule" : "timer";
      }
      if (left <= 300 && left > 0) tell(left, element);
    });
  }
  window.fbDrawClocks = draw;
  draw();
  setInterval(draw, 10000);
})();
