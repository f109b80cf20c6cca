"use strict";
// What the timeline and the flame graph share: colours, canvases, figures for people, a tooltip.
window.mlhTrace = (() => {
  const TYPES = 9; // from this hue on, colours are those of the page
  const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';
  let known = null;

  function colours() {
    if (known) return known;
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    const hues = [];
    for (let hue = 0; hue < TYPES; hue++) hues.push(read(`--h${hue}`));
    for (let type = 1; type <= 8; type++) hues.push(read(`--c${type}`));
    const named = Object.fromEntries(["text", "muted", "line", "surface", "raised", "accent"].map((name) => [name, read(`--${name}`)]));
    known = { ...named, hues, ink: hues.map(inkOn), soft: hues.map((hue) => mix(hue, named.raised, 0.45)) };
    known.softInk = known.soft.map(inkOn);
    return known;
  }

  const parts = (hex) => [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));
  const mix = (hex, other, share) => {
    const [a, b] = [parts(hex), parts(other)];
    return `#${a.map((part, place) => Math.round(part * (1 - share) + b[place] * share).toString(16).padStart(2, "0")).join("")}`;
  };
  // whichever of black and white is easier to read on it (WCAG's relative luminance)
  function inkOn(hex) {
    const [r, g, b] = parts(hex).map((part) => (part / 255 <= 0.03928 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.2 ? "#10161d" : "#ffffff";
  }

  // A canvas as sharp as the screen; `draw(context, width)` is called whenever it must be drawn anew.
  function sheet(canvas, draw) {
    let height = 0;
    let asked = 0;
    const now = () => {
      asked = 0;
      const width = canvas.clientWidth;
      if (!width || !height) return;
      const scale = window.devicePixelRatio || 1;
      if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
        canvas.width = Math.round(width * scale);
        canvas.height = Math.round(height * scale);
      }
      const context = canvas.getContext("2d");
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, width, height);
      context.font = FONT;
      context.textBaseline = "middle";
      draw(context, width);
      if (!canvas.dataset.drawn) canvas.dataset.drawn = String(Math.round(performance.now()));
    };
    const redraw = () => { asked ||= requestAnimationFrame(now); };
    const again = () => { known = null; now(); };
    new ResizeObserver(redraw).observe(canvas);
    for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", again);
    const resize = (wanted) => { height = wanted; canvas.style.height = `${wanted}px`; redraw(); };
    return { redraw, resize, width: () => canvas.clientWidth };
  }

  const widths = new Map();
  // The text, or as much of its beginning as there is room for.
  function fit(context, text, room) {
    if (room < 14) return "";
    let width = widths.get(text);
    if (width === undefined) widths.set(text, (width = context.measureText(text).width));
    if (width <= room) return text;
    const count = Math.floor((text.length * (room - 8)) / width);
    return count < 2 ? "" : `${text.slice(0, count)}…`;
  }

  function duration(ns) {
    const size = Math.abs(ns);
    if (size < 1e3) return `${+ns.toFixed(0)} ns`;
    const [unit, factor] = size < 999.5e3 ? ["µs", 1e3] : size < 999.5e6 ? ["ms", 1e6] : ["s", 1e9];
    return `${(ns / factor).toPrecision(size / factor >= 999.5 ? 4 : 3)} ${unit}`;
  }

  const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 2 : 1)} %`;
  const number = (value) => value.toLocaleString("en");

  // Everything that comes from a run is put on the page as text.
  const tip = document.createElement("div");
  tip.className = "trace-tip";
  tip.hidden = true;
  tip.setAttribute("role", "tooltip");
  document.body.append(tip);

  function show(title, facts, x, y) {
    const name = document.createElement("b");
    name.textContent = title;
    const list = document.createElement("dl");
    for (const [key, value] of facts) {
      if (value === "" || value === undefined || value === null) continue;
      const term = document.createElement("dt");
      const told = document.createElement("dd");
      term.textContent = key;
      told.textContent = value;
      list.append(term, told);
    }
    tip.replaceChildren(name, list);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = x + 14 + box.width > innerWidth ? Math.max(4, x - 14 - box.width) : x + 14;
    const top = y + 16 + box.height > innerHeight ? Math.max(4, y - 12 - box.height) : y + 16;
    tip.style.left = `${left}px`;
    tip.style.top = `${top}px`;
  }

  const hide = () => { tip.hidden = true; };
  addEventListener("scroll", hide, { passive: true, capture: true });

  function table(caption, headings, rows) {
    const made = document.createElement("table");
    made.className = "sortable";
    made.createCaption().textContent = caption;
    const top = made.createTHead().insertRow();
    for (const [text, figures] of headings) {
      const heading = document.createElement("th");
      heading.scope = "col";
      heading.textContent = text;
      if (figures) heading.className = "figure";
      top.append(heading);
    }
    const body = made.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      row.forEach(([text, sort], place) => {
        const cell = line.insertCell();
        cell.textContent = text;
        if (sort !== undefined) cell.dataset.sort = sort;
        if (headings[place][1]) cell.className = "figure";
      });
    }
    window.mlh.sortable(made);
    return made;
  }

  return { colours, sheet, fit, duration, percent, number, show, hide, table };
})();
