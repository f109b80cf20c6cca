"use strict";
// What every page has: data, sorting, charts. The rest of a page's scripts find it as window.mlh.
window.mlh = (() => {
  const data = (identifier) => JSON.parse(document.getElementById(identifier).textContent);

  // Tables: a heading becomes a button, which sorts by the cells' data-sort, or else by their text.

  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function keyOf(cell) {
    const given = cell?.dataset.sort ?? cell?.textContent.trim() ?? "";
    const number = given === "" ? NaN : Number(given);
    return { text: given, number, empty: given === "" };
  }

  function order(a, b) {
    if (!Number.isNaN(a.number) && !Number.isNaN(b.number)) return a.number - b.number;
    return collator.compare(a.text, b.text);
  }

  function sortBy(table, heading, descending) {
    const place = heading.cellIndex;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[place]) }));
    // what is not known comes last either way
    rows.sort((a, b) => a.key.empty - b.key.empty || (descending ? order(b.key, a.key) : order(a.key, b.key)));
    body.append(...rows.map((entry) => entry.row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  }

  function sortable(table) {
    if (table.tBodies[0].rows.length < 2) return;
    for (const heading of table.tHead.rows[0].cells) {
      if (heading.querySelector("button") || heading.textContent.trim() === "") continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const now = heading.getAttribute("aria-sort");
        // figures are mostly looked at from the largest down
        const first = heading.classList.contains("figure") ? "descending" : "ascending";
        sortBy(table, heading, (now ? (now === "ascending" ? "descending" : "ascending") : first) === "descending");
      });
    }
  }

  // Charts: colours are the page's variables, so that light, dark and print need no second drawing.

  const palette = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => `var(--c${number})`);
  const words = { labelColor: "var(--muted)", titleColor: "var(--text)", labelFontSize: 11, titleFontSize: 12 };
  const config = {
    background: "transparent",
    font: "system-ui, sans-serif",
    view: { stroke: "transparent" },
    axis: { ...words, titleFontWeight: 500, gridColor: "var(--line)", domainColor: "var(--line)",
            tickColor: "var(--line)", titlePadding: 10 },
    axisX: { labelFlush: false, labelOverlap: "greedy" },
    legend: { ...words, titleFontWeight: 500, symbolStrokeWidth: 2,
              symbolBaseFillColor: "var(--muted)" },
    header: { ...words, labelFontSize: 12, labelColor: "var(--text)" },
    title: { color: "var(--text)", subtitleColor: "var(--muted)", fontWeight: 600, fontSize: 14, anchor: "start" },
    range: { category: palette },
    mark: { color: palette[0] },
    text: { color: "var(--text)" },
    rule: { color: "var(--text)" },
  };

  async function draw(figure) {
    const place = figure.querySelector(".plot");
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const options = { ast: true, actions: false, renderer: "svg", config, defaultStyle: false,
                      tooltip: { disableDefaultStyle: true } };
    try {
      const { view } = await window.vegaEmbed(place, spec, options);
      figure.view = view;
      addButtons(figure, view);
      figure.dataset.drawn = "yes";
    } catch (error) {
      place.textContent = "This chart could not be drawn.";
      figure.dataset.drawn = "no";
      console.error(error);
    }
  }

  // A selection that is bound to scales keeps each domain in a signal named after the selection and the field.

  function domains(view) {
    const names = Object.keys(view.getState({ signals: (name) => /^zoom_(?!x$|y$)/.test(name), data: () => false }).signals);
    const channels = names.includes("zoom_tuple_fields") ? view.signal("zoom_tuple_fields") : [];
    return channels.map(({ field, channel }) => ({ signal: `zoom_${field.replace(/\W/g, "_")}`, channel }));
  }

  async function zoom(view, factor) {
    for (const { signal, channel } of domains(view)) {
      const now = view.signal(signal) ?? view.scale(channel).domain();
      const middle = (now[0] + now[1]) / 2;
      const half = ((now[1] - now[0]) / 2) * factor;
      view.signal(signal, [middle - half, middle + half]);
    }
    await view.runAsync();
  }

  async function reset(view) {
    for (const { signal } of domains(view)) view.signal(signal, null);
    await view.runAsync();
  }

  function addButtons(figure, view) {
    if (domains(view).length === 0) return;
    const bar = document.createElement("div");
    bar.className = "zoom";
    const actions = [
      ["+", "Zoom in", () => zoom(view, 0.5)],
      ["−", "Zoom out", () => zoom(view, 2)],
      ["Reset", "Show all", () => reset(view)],
    ];
    for (const [text, told, action] of actions) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.title = told;
      button.setAttribute("aria-label", told);
      button.addEventListener("click", action);
      bar.append(button);
    }
    figure.prepend(bar);
  }

  document.querySelectorAll("table.sortable").forEach(sortable);
  const drawn = Promise.all([...document.querySelectorAll("figure.chart")].map(draw));
  return { data, sortable, draw, drawn };
})();
