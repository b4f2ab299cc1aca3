// The report's controls. Everything is in the page already, for every measure, K and query: this
// script hides what is not chosen, sorts and filters tables, and draws the dots with Vega-Lite.
"use strict";

const byId = (id) => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const study = JSON.parse(byId("study").textContent);
const [measure, size, filter, order] = ["measure", "k", "filter", "order"].map(byId);
const queries = all("#queries > details");
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
let view = null; // of the dots

const chosen = () => study.choices.find((c) => c.measure === measure.value && c.k === +size.value);
const matches = (method) => {
  const words = filter.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
  return !words.length || words.some((word) => method.toLowerCase().includes(word));
};
// How far a cell is beyond random removal, in the good direction; undefined where unknown.
const excess = (choice, method, query) => {
  const own = choice.methods[method]?.[query], random = choice.random[query];
  return own?.length && random.length ? choice.direction * (mean(own) - mean(random)) : undefined;
};

// ---- measure, K and methods
function choose() {
  byId("chosen").textContent =
    `[data-measure]:not([data-measure="${measure.value}"]), [data-k]:not([data-k="${size.value}"]), ` +
    `[data-ks]:not([data-ks~="${size.value}"]) { display: none !important }`;
  all("[data-method]").forEach((one) => { one.hidden = !matches(one.dataset.method); });
  const methods = Object.keys(chosen().methods);
  byId("count").textContent = `${methods.filter(matches).length} of ${methods.length} methods`;
  offerOrders(methods);
  arrange();
  draw();
}

// ---- sorting a table by a column: its first number, or its text
function makeSortable(table) {
  const number = (text) => parseFloat(text.replace("−", "-").replace(/[^\d.eE-]/g, " ").trim());
  all("thead th", table).forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.onclick = () => {
      const sign = head.ariaSort === "descending" ? 1 : -1;
      all("thead th", table).forEach((one) => one.removeAttribute("aria-sort"));
      head.ariaSort = sign > 0 ? "ascending" : "descending";
      const compare = (a, b) => {
        const [x, y] = [a, b].map((row) => row.cells[column].textContent.trim());
        const [p, q] = [x, y].map(number);
        if (isNaN(p) && isNaN(q)) return sign * y.localeCompare(x) * -1;
        return isNaN(p) ? 1 : isNaN(q) ? -1 : sign * (p - q);
      };
      table.tBodies[0].append(...[...table.rows].slice(1).sort(compare));
    };
  });
}

// ---- queries
function offerOrders(methods) {
  const kept = order.value;
  const options = methods.map((method) => new Option(`by effect of ${method}, least first`, method));
  order.replaceChildren(new Option("by number", ""), ...options);
  order.value = methods.includes(kept) ? kept : "";
}

function arrange() {
  const list = byId("thumbs");
  const place = (link) => study.queries.indexOf(link.hash.slice(1));
  const effect = (link) => excess(chosen(), order.value, place(link)) ?? Infinity;
  const compare = order.value ? (a, b) => effect(a) - effect(b) : (a, b) => place(a) - place(b);
  list.append(...all("a", list).sort(compare));
  all("a", list).forEach((link) => {
    const value = order.value ? chosen().direction * effect(link) : NaN;
    link.querySelector("span").textContent =
      link.hash.slice(1) + (isFinite(value) ? ` ${value > 0 ? "+" : ""}${value.toPrecision(2)}` : "");
    link.classList.toggle("fails", order.value !== "" && effect(link) <= 0);
  });
}

const current = () => queries.find((one) => one.id === location.hash.slice(1));

function openQuery(scroll) {
  const shown = current() ?? queries.find((one) => !one.hidden) ?? queries[0];
  queries.forEach((one) => { one.hidden = one !== shown; one.open = one === shown; });
  all("#thumbs a").forEach((link) =>
    link.toggleAttribute("aria-current", link.hash === `#${shown?.id}`));
  view?.signal("opened", shown?.id ?? "").run();
  if (scroll && current()) byId("pictures").scrollIntoView();
}

function step(by) {
  const links = all("#thumbs a");
  const at = links.findIndex((link) => link.hasAttribute("aria-current"));
  history.replaceState(null, "", links[(at + by + links.length) % links.length].hash);
  openQuery(false);
}

// ---- the dots
const RANDOM = "random models";
function rows() {
  const choice = chosen(), table = [];
  const add = (method, query, values) => values.forEach((value, n) => table.push({
    method, value,
    query: study.queries[query],
    prompt: study.prompts[query],
    random: choice.random[query].length ? mean(choice.random[query]) : null,
    place: (query * 0.618 + n * 0.382) % 1, // spreads dots over the height of their line
  }));
  study.queries.forEach((_, query) => {
    for (const method of Object.keys(choice.methods).filter(matches))
      add(method, query, choice.methods[method][query]);
    add(RANDOM, query, choice.random[query]);
  });
  return table;
}

function draw() {
  const choice = chosen();
  const lines = [...Object.keys(choice.methods).filter(matches), RANDOM];
  const heading = choice.heading;
  const title = choice.effect.replace(/^.*?  /, `${heading}  `); // with its factor
  const x = { field: "value", type: "quantitative", scale: { zero: false }, axis: { tickCount: 10, labelOverlap: true }, title };
  const y = { field: "method", type: "nominal", scale: { domain: lines }, title: null };
  const isOpen = "datum.query === opened";
  const spec = {
    width: "container",
    height: 24 * lines.length,
    autosize: { type: "fit-x", contains: "padding" },
    params: [{ name: "opened", value: queries.find((one) => !one.hidden)?.id ?? "" }],
    data: { values: rows() },
    layer: [
      { // the random models of the open query, behind all lines
        transform: [{ filter: `${isOpen} && datum.method === '${RANDOM}'` }],
        mark: { type: "rule", color: "#999", opacity: 0.5 },
        encoding: { x },
      },
      {
        mark: { type: "circle", cursor: "pointer", clip: true },
        encoding: {
          x,
          y,
          yOffset: { field: "place", type: "quantitative", scale: { domain: [-0.3, 1.3] } },
          size: { condition: { test: isOpen, value: 90 }, value: 28 },
          opacity: { condition: { test: isOpen, value: 1 }, value: 0.5 },
          color: {
            condition: [
              { test: isOpen, value: "#c04c00" },
              { test: `datum.method === '${RANDOM}'`, value: "#777" },
            ],
            value: "#0072b2",
          },
          tooltip: [
            { field: "method", title: "removed by" }, { field: "query" }, { field: "prompt" },
            { field: "value", title: heading, format: ".3~g" },
            { field: "random", title: "mean of random", format: ".3~g" },
          ],
        },
      },
      {
        mark: { type: "tick", thickness: 2, color: "#000", size: 20 },
        encoding: {
          x: { ...x, aggregate: "mean" },
          y,
          tooltip: [{ aggregate: "mean", field: "value", title: "mean", format: ".3~g" }, { field: "method" }],
        },
      },
    ],
    config: { font: "system-ui, sans-serif", axis: { labelFontSize: 12, titleFontSize: 12, labelLimit: 130 } },
  };
  // `ast`: expressions are interpreted, so the page needs no permission to evaluate text as code.
  vegaEmbed("#dots", spec, { actions: false, ast: true, renderer: "svg" }).then((made) => {
    view = made.view;
    view.addEventListener("click", (_, item) => { if (item?.datum?.query) location.hash = item.datum.query; });
  });
}

// ---- start
all(".explore").forEach((one) => { one.hidden = false; });
all("table.sortable").forEach(makeSortable);
measure.onchange = size.onchange = filter.oninput = choose;
order.onchange = arrange;
byId("previous").onclick = () => step(-1);
byId("next").onclick = () => step(1);
window.onhashchange = () => openQuery(true);
openQuery(true);
choose();
