"use strict";
// The flame graph: all queries together, from the outside (top) to the inside.
(() => {
  const view = document.getElementById("flame-view");
  if (!view) return;
  const { colours, sheet, fit, duration, percent, number, show, hide } = window.mlhTrace;
  const data = window.mlh.data("flame-data");
  const canvas = view.querySelector("canvas.main");
  const find = view.querySelector("input");
  const order = view.querySelector("select");
  const chosen = view.querySelector(".selected");
  const ROW = 19;

  // The whole stands above the outermost nodes, so that all can be seen again with one click.
  const every = { name: "everything", kind: "", level: -1, count: 0, total: 0, own: 0, width: 0, hue: 1, depth: 0, children: [] };
  const nodes = data.depth.map((depth, place) => ({
    name: data.name[place], kind: data.kind[place], level: data.level[place], count: data.count[place], total: data.total[place],
    own: data.own[place], width: data.width[place], hue: data.hue[place], depth: depth + 1, children: [], above: null,
  }));
  const way = [every];
  for (const node of nodes) {
    way.length = node.depth;
    node.above = way[node.depth - 1];
    node.above.children.push(node);
    way.push(node);
  }
  every.width = every.total = every.children.reduce((sum, child) => sum + child.width, 0);
  const deepest = nodes.reduce((most, node) => Math.max(most, node.depth), 0);

  let focus = every;
  let hovered = null;
  let selected = null;
  let words = "";

  // Where every node stands: `at` and `width` in nanoseconds of all queries.
  function arrange() {
    const bySize = order.value === "size";
    const put = (node, at) => {
      node.at = at;
      let next = at;
      const children = bySize ? [...node.children].sort((a, b) => b.width - a.width) : node.children;
      for (const child of children) {
        put(child, next);
        next += child.width;
      }
      node.shown = children;
    };
    put(every, 0);
  }

  const within = (node, above) => {
    for (let one = node; one; one = one.above) if (one === above) return true;
    return false;
  };

  // A node's place on the canvas; nodes above the focus fill it.
  function box(node) {
    if (within(focus, node)) return [0, flame.width()];
    const scale = flame.width() / (focus.width || 1);
    return [(node.at - focus.at) * scale, node.width * scale];
  }

  const visible = () => {
    const found = [];
    for (let one = focus.above; one; one = one.above) found.unshift(one);
    const open = [focus];
    while (open.length) {
      const node = open.pop();
      found.push(node);
      for (const child of node.shown) if (box(child)[1] >= 0.4) open.push(child);
    }
    return found;
  };

  const matches = (node) => words !== "" && (node.name.toLowerCase().includes(words) || node.kind.toLowerCase().includes(words));

  function draw(context) {
    const c = colours();
    for (const node of visible()) {
      const [x, w] = box(node);
      const y = node.depth * (ROW + 1);
      const inner = node.above && node.above.hue === node.hue && node.hue >= 9 && node.above.level === node.level;
      const [fill, ink] = inner ? [c.soft[node.hue], c.softInk[node.hue]] : [c.hues[node.hue], c.ink[node.hue]];
      context.globalAlpha = (words && !matches(node)) || (node !== focus && within(focus, node)) ? 0.35 : 1;
      context.fillStyle = fill;
      context.fillRect(x, y, w > 3 ? w - 0.7 : w, ROW);
      const text = w > 24 ? fit(context, labelOf(node, w), w - 8) : "";
      context.fillStyle = ink;
      if (text) context.fillText(text, x + 4, y + ROW / 2 + 0.5);
    }
    context.globalAlpha = 1;
    for (const [node, colour, thick] of [[hovered, c.muted, 1], [selected, c.text, 2]]) {
      if (!node || (!within(node, focus) && !within(focus, node))) continue;
      const [x, w] = box(node);
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.strokeRect(x + 0.5, node.depth * (ROW + 1) + 0.5, Math.max(w - 1, 1), ROW - 1);
    }
    Object.assign(canvas.dataset, { focus: focus.name, selected: selected ? selected.name : "" });
  }

  // A primitive's name is its implementation: what it computes says more.
  const LIBRARY = data.levels.indexOf("library");
  const titleOf = (node) => (node.level === LIBRARY && node.kind ? `${node.kind} ${node.name}` : node.name);
  const labelOf = (node, w) => (w > 90 ? `${titleOf(node)}  ${percent(node.width / every.width)}` : titleOf(node));

  function facts(node) {
    const each = data.units ? ` (${duration(node.total / data.units)} a ${data.word})` : "";
    return [
      ["level", node.level >= 0 ? data.levels[node.level] : ""],
      ["type", node.kind],
      ["time", duration(node.total) + each],
      ["share", `${percent(node.width / every.width)} of all` + (node.above?.above ? `, ${percent(node.width / node.above.width)} of ${node.above.name}` : "")],
      ["own time", node.level >= 0 && node.children.length ? `${duration(node.own)} in nothing further in` : ""],
      ["spans", node.count ? `${number(node.count)}, ${duration(node.total / node.count)} on average` : ""],
    ];
  }

  function zoomTo(node) {
    focus = node;
    flame.redraw();
  }

  function select(node, keyed) {
    selected = node;
    const [level, type, time, share] = node ? facts(node) : [];
    chosen.textContent = node ? `${node.name}: ${[level[1], type[1], time[1], share[1]].filter(Boolean).join(", ")}` : "";
    if (keyed && node) {
      if (!within(node, focus) && !within(focus, node)) focus = every;
      const [x] = box(node);
      const at = canvas.getBoundingClientRect();
      show(node.name, facts(node), at.left + x, at.top + (node.depth + 1) * (ROW + 1));
    }
    flame.redraw();
  }

  function nodeAt(event) {
    const at = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - at.left, event.clientY - at.top];
    return visible().find((node) => {
      const [left, width] = box(node);
      return Math.floor(y / (ROW + 1)) === node.depth && x >= left && x < left + Math.max(width, 1);
    }) ?? null;
  }

  canvas.addEventListener("click", (event) => {
    const node = hovered ?? nodeAt(event); // what the tooltip tells: a click's place is rounded, a pointer's is not
    if (!node) return;
    select(node, false);
    zoomTo(node);
  });
  canvas.addEventListener("pointermove", (event) => {
    const node = nodeAt(event);
    if (node !== hovered) {
      hovered = node;
      flame.redraw();
    }
    if (node) show(node.name, facts(node), event.clientX, event.clientY);
    else hide();
  });
  canvas.addEventListener("pointerleave", () => {
    hovered = null;
    hide();
    flame.redraw();
  });

  const beside = (direction) => {
    if (!selected?.above) return selected ?? every;
    const row = selected.above.shown;
    return row[Math.min(Math.max(row.indexOf(selected) + direction, 0), row.length - 1)];
  };
  const widest = (node) => [...node.children].sort((a, b) => b.width - a.width)[0];
  const KEYS = {
    ArrowDown: () => select(selected ? widest(selected) ?? selected : focus, true),
    ArrowUp: () => select(selected?.above ?? every, true),
    ArrowRight: () => select(beside(1), true),
    ArrowLeft: () => select(beside(-1), true),
    Enter: () => selected && zoomTo(selected),
    Escape: all,
    0: all,
  };
  canvas.addEventListener("keydown", (event) => {
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : KEYS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  function all() {
    hide();
    select(null, false);
    zoomTo(every);
  }

  // What is found, without counting anything twice that stands inside of what was found.
  function search() {
    words = find.value.trim().toLowerCase();
    let time = 0;
    let count = 0;
    const walk = (node, inside) => {
      const hit = matches(node);
      count += hit;
      if (hit && !inside) time += node.width;
      for (const child of node.children) walk(child, inside || hit);
    };
    if (words) walk(every, false);
    view.querySelector(".found").textContent = words ? `${number(count)} found, ${percent(time / (every.width || 1))} of the time` : "";
    flame.redraw();
  }

  find.addEventListener("input", search);
  order.addEventListener("change", () => {
    arrange();
    flame.redraw();
  });
  view.querySelector("[data-do=all]").addEventListener("click", all);

  arrange();
  const flame = sheet(canvas, draw);
  flame.resize((deepest + 1) * (ROW + 1));
  canvas.setAttribute("aria-label", `Flame graph of ${number(nodes.length)} ways; the table below it says the same in words.`);
})();
