"use strict";
(function () {
  function read(id) { return JSON.parse(document.getElementById(id).textContent); }

  /* Charts. The loader refuses every address: the page holds all it shows. */
  var refuse = function () { return Promise.reject(new Error("this page loads nothing")); };
  var loader = { load: refuse, sanitize: refuse, http: refuse, file: refuse };
  var specs = read("chart-specs"), config = read("chart-config"), shaped = [];
  if (window.innerWidth < 640) {
    config.legend.columns = 1;
    config.legend.labelLimit = Math.max(120, window.innerWidth - 190);
    config.axis.labelLimit = 130;
  }

  function height(view, box, aspect) {
    var width = box.clientWidth;
    if (width) { view.height(Math.round(width * aspect)); }
  }

  async function draw(box) {
    var spec = specs[box.dataset.chart], aspect = spec.usermeta && spec.usermeta.aspect;
    if (aspect && box.clientWidth) { spec.height = Math.round(box.clientWidth * aspect); }
    var options = {
      mode: "vega-lite", renderer: "svg", config: config, loader: loader, tooltip: { theme: "custom" },
      actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
      downloadFileName: "entrepot-" + box.dataset.chart
    };
    var done = await vegaEmbed(box, spec, options);
    if (aspect) { shaped.push([done.view, box, aspect]); }
  }

  window.addEventListener("resize", function () {
    shaped.forEach(function (s) { height(s[0], s[1], s[2]); s[0].runAsync(); });
  });

  (async function () {
    for (var box of document.querySelectorAll("[data-chart]")) {
      try { await draw(box); } catch (error) { box.textContent = "This chart could not be drawn: " + error.message; console.error(error); }
    }
    document.documentElement.dataset.charts = "drawn";
  })();

  /* Tables: click a heading to sort, type to find. */
  function value(cell) {
    var text = cell.textContent.trim();
    if (!cell.classList.contains("n")) { return text; }
    var number = parseFloat(text.replace(/,/g, "").replace("\u2212", "-"));
    return isNaN(number) ? null : number;
  }
  function compare(a, b) {
    if (a === null || b === null) { return (a === null) - (b === null); }
    return typeof a === "string" ? a.localeCompare(b) : a - b;
  }
  document.querySelectorAll("table.sortable").forEach(function (table) {
    var heads = Array.from(table.tHead.rows[0].cells), body = table.tBodies[0];
    heads.forEach(function (head, column) {
      var button = head.querySelector("button");
      if (!button) { return; }
      button.addEventListener("click", function () {
        var first = head.classList.contains("n") ? "descending" : "ascending";
        var next = head.getAttribute("aria-sort") === first ? (first === "ascending" ? "descending" : "ascending") : first;
        heads.forEach(function (h) { h.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", next);
        var way = next === "ascending" ? 1 : -1;
        Array.from(body.rows)
          .map(function (row) { return [value(row.cells[column]), row]; })
          .sort(function (a, b) { return (a[0] === null || b[0] === null) ? compare(a[0], b[0]) : way * compare(a[0], b[0]); })
          .forEach(function (pair) { body.appendChild(pair[1]); });
      });
    });
  });
  var find = document.getElementById("find");
  if (find) { find.addEventListener("input", function () {
    var word = find.value.trim().toLowerCase();
    for (var row of document.getElementById("region-table").tBodies[0].rows) {
      row.hidden = !(row.cells[0].textContent + " " + row.cells[1].textContent).toLowerCase().includes(word);
    }
  }); }
})();
