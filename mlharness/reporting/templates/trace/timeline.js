"use strict";
// The timeline: every span of one window of the trace, zoomed and moved by pointer, wheel and keys.
(() => {
  const view = document.getElementById("timeline-view");
  if (!view) return;
  const { colours, sheet, fit, duration, percent, number, show, hide, table } = window.mlhTrace;
  const data = window.mlh.data("timeline-data");
  const canvas = view.querySelector("canvas.main");
  const viewport = view.querySelector(".viewport");
  const told = view.querySelector(".window-told");
  const chosen = view.querySelector(".selected");
  const spelled = view.querySelector(".as-table");
  const tabs = [...view.querySelectorAll(".tabs button")];
  const [SCALE, HEAD, ROW, SLICE, LONG, SHORT] = [22, 21, 17, 9, 128, 84];
  const [RAN, WAITED] = [6, 8]; // hues of what a thread did
  const STATES = { 6: "running", 7: "preempted", 8: "waiting" };
  const IN_TABLE = 200;
  const LEAST = 20; // nanoseconds: closer than that there is nothing to see

  let now = data.windows[0];
  let rows = [];
  let where = new Int32Array(0); // the row of each span
  let from = 0;
  let to = 1;
  let selected = -1;
  let hovered = -1;

  // What is drawn where.

  function arrange() {
    rows = [];
    where = new Int32Array(now.start.length);
    let y = SCALE;
    let first = 0;
    for (const group of now.groups) {
      const line = { y, h: HEAD, group, head: true };
      if (group.calls) {
        rows.push(line);
        y += HEAD;
      }
      for (const lane of group.lanes) {
        lane.rows.forEach((count, place) => {
          const slices = count > 0 && now.hue[first] >= RAN && now.hue[first] <= WAITED;
          const h = slices ? SLICE : ROW;
          rows.push({ y, h: group.calls ? h : ROW - 2, group, lane, first, count, label: place === 0, slices });
          where.fill(rows.length - 1, first, first + count);
          y += group.calls ? h + 1 : ROW - 1;
          first += count;
        });
        y += group.calls ? 3 : 0;
      }
    }
    main.resize(y + 6);
  }

  const gutter = () => (main.width() < 640 ? SHORT : LONG);
  const room = () => Math.max(1, main.width() - gutter());
  const xOf = (ns) => gutter() + ((ns - from) / (to - from)) * room();
  const timeAt = (x) => from + ((x - gutter()) / room()) * (to - from);
  const endOf = (span) => now.start[span] + now.duration[span];

  // The first span of a row that ends after a moment: within a row none overlap, but for what profilers round.
  function firstAfter(row, ns) {
    let low = row.first;
    let high = row.first + row.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (endOf(middle) <= ns) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function draw(context, width) {
    const c = colours();
    const edge = gutter();
    drawScale(context, width, c);
    context.save();
    context.beginPath();
    context.rect(edge, 0, width - edge, 1e6);
    context.clip();
    for (const row of rows) if (!row.head) drawRow(context, row, c, width);
    context.restore();
    if (selected >= 0) outline(context, selected, c.text, 2);
    if (hovered >= 0 && hovered !== selected) outline(context, hovered, c.muted, 1);
    drawLabels(context, width, edge, c);
    drawFigures(context, width, edge, c);
    Object.assign(canvas.dataset, { from, to, selected, window: data.windows.indexOf(now) });
  }

  function drawRow(context, row, c, width) {
    const scale = room() / (to - from);
    const edge = gutter();
    const stop = row.first + row.count;
    let last = -1; // the right end of what is drawn, in pixels: what is narrower than one is drawn once
    for (let span = firstAfter(row, from); span < stop && now.start[span] < to; span++) {
      const left = Math.max(edge + (now.start[span] - from) * scale, edge - 2);
      const right = Math.min(edge + (endOf(span) - from) * scale, width + 2);
      if (right <= last) continue;
      const x = Math.max(left, last);
      const w = Math.max(right - x, 0.75);
      last = x + w;
      const [fill, ink] = paint(span, row, c);
      context.globalAlpha = now.focus >= 0 && now.query[span] >= 0 && now.query[span] !== now.focus ? 0.3 : 1;
      context.fillStyle = fill;
      context.fillRect(x, row.y, w > 3 ? w - 0.6 : w, row.h);
      if (w > 24 && row.h > 12) {
        const text = fit(context, labelOf(span, row), w - 8);
        context.fillStyle = ink;
        if (text) context.fillText(text, x + 4, row.y + row.h / 2 + 0.5);
      }
    }
    context.globalAlpha = 1;
  }

  // What stands inside an operator of its own level is paler: layers are what the eye should find.
  function paint(span, row, c) {
    const above = now.parent[span];
    const hue = now.hue[span];
    const inner = above >= 0 && hue >= 9 && now.hue[above] === hue && levelOf(above) === row.lane.level;
    return inner ? [c.soft[hue], c.softInk[hue]] : [c.hues[hue], c.ink[hue]];
  }

  // A primitive's name is its implementation: what it computes says more.
  const LIBRARY = data.levels.indexOf("library");
  const labelOf = (span, row) => {
    if (row.slices) return STATES[now.hue[span]];
    return row.lane.level === LIBRARY ? `${data.texts[now.kind[span]]} ${data.texts[now.name[span]]}` : data.texts[now.name[span]];
  };

  const rowOf = (span) => rows[where[span]];
  const levelOf = (span) => rowOf(span).lane.level;

  function outline(context, span, colour, thick) {
    const row = rowOf(span);
    const left = Math.max(xOf(now.start[span]), gutter());
    const right = xOf(endOf(span));
    if (right < gutter()) return;
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.strokeRect(left - 0.5, row.y - 0.5, Math.max(right - left, 2), row.h + 1);
  }

  function steps() {
    const least = ((to - from) * 80) / room();
    const power = 10 ** Math.floor(Math.log10(least));
    return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10);
  }

  function drawScale(context, width, c) {
    const step = steps();
    context.fillStyle = c.line;
    for (let ns = Math.ceil(from / step) * step; ns <= to; ns += step) {
      const x = Math.round(xOf(ns));
      if (x >= gutter()) context.fillRect(x, 0, 1, canvas.clientHeight);
    }
  }

  // Over everything else, where the eye is even when the rows are scrolled.
  function drawFigures(context, width, edge, c) {
    const top = viewport.scrollTop;
    const step = steps();
    context.fillStyle = c.raised;
    context.fillRect(0, top, width, SCALE - 2);
    context.fillStyle = c.line;
    context.fillRect(0, top + SCALE - 3, width, 1);
    context.fillStyle = c.muted;
    const digits = Math.max(0, -Math.floor(Math.log10(step / unit()[1])));
    for (let ns = Math.ceil(from / step) * step; ns <= to; ns += step) {
      const x = xOf(ns);
      const text = `${(ns / unit()[1]).toFixed(Math.min(digits, 6))} ${unit()[0]}`;
      if (x >= edge - 1 && x + 44 < width) context.fillText(text, x + 4, top + SCALE / 2 - 1);
    }
    if (ruled) {
      const [a, b] = [...ruled].sort((one, other) => one - other);
      context.globalAlpha = 0.25;
      context.fillStyle = c.accent;
      context.fillRect(a, top, b - a, canvas.clientHeight);
      context.globalAlpha = 1;
    }
  }

  const unit = () => (now.length < 2e5 && to - from < 2e5 ? ["µs", 1e3] : now.length < 2e9 ? ["ms", 1e6] : ["s", 1e9]);

  function drawLabels(context, width, edge, c) {
    context.fillStyle = c.raised;
    context.fillRect(0, 0, edge - 4, canvas.clientHeight);
    for (const row of rows) {
      const middle = row.y + row.h / 2 + 0.5;
      if (row.head) {
        context.fillStyle = c.line;
        context.fillRect(0, row.y + 1, width, 1);
        context.fillStyle = c.text;
        context.font = context.font.replace(/^(600 )?/, "600 ");
        context.fillText(fit(context, row.group.label, width), 0, middle + 2);
        context.font = context.font.replace(/^600 /, "");
      } else if (row.label) {
        const hidden = row.lane.hidden ? ` (${number(row.lane.hidden)} hidden)` : "";
        const text = row.group.calls ? (row.slices ? "thread" : data.levels[row.lane.level]) + hidden : row.group.label;
        context.fillStyle = c.muted;
        context.fillText(fit(context, text, edge - 14), row.group.calls ? 8 : 0, middle);
      }
    }
  }

  // The view.

  function look(start, end) {
    const pad = now.length * 0.02 + 1;
    const [least, most] = [-pad, now.length + pad];
    const length = Math.min(Math.max(end - start, LEAST), most - least);
    from = Math.min(Math.max(start, least), most - length);
    to = from + length;
    main.redraw();
    respell();
  }

  const zoom = (factor, at = (from + to) / 2) => look(at - (at - from) * factor, at + (to - at) * factor);
  const move = (share) => look(from + (to - from) * share, to + (to - from) * share);
  const all = () => look(-Infinity, Infinity);
  const zoomTo = (span) => look(now.start[span] - now.duration[span] * 0.08, endOf(span) + now.duration[span] * 0.08);

  function open(window) {
    now = window;
    selected = hovered = -1;
    chosen.textContent = "";
    tabs.forEach((tab, place) => tab.setAttribute("aria-pressed", String(data.windows[place] === now)));
    told.textContent = `${now.title}: ${now.about}, ${duration(now.length)} long, ${duration(now.at)} after the first began. ` +
      `${number(now.start.length)} spans${now.left}.`;
    canvas.setAttribute("aria-label", `Timeline. ${told.textContent}`);
    arrange();
    look(-Infinity, Infinity);
    dots.redraw();
  }

  // One span.

  function facts(span) {
    const above = now.parent[span];
    const share = above >= 0 && now.duration[above] ? now.duration[span] / now.duration[above] : 0;
    const row = rowOf(span);
    return [
      ["level", row.slices ? "thread" : data.levels[row.lane.level]],
      ["type", row.slices ? "" : data.texts[now.kind[span]]],
      ["took", duration(now.duration[span])],
      ["of", above >= 0 && share <= 1 ? `${percent(share)} of ${data.texts[now.name[above]]}` : ""],
      ["began", `${duration(Math.abs(now.start[span]))} ${now.start[span] < 0 ? "before what is shown" : "after the beginning"}`],
      ["query", now.query[span] >= 0 ? number(now.query[span]) : ""],
      ["on", row.group.thread ? `${row.group.label}${row.group.calls ? ` (thread ${row.group.thread})` : ""}` : ""],
      ...data.facts[now.fact[span]],
    ];
  }

  const nameOf = (span) => (rowOf(span).slices ? STATES[now.hue[span]] : data.texts[now.name[span]] || "no name");

  function select(span, keyed) {
    selected = span;
    if (span < 0) {
      chosen.textContent = "";
      hide();
    } else {
      const [level, type, took, of] = facts(span);
      chosen.textContent = `${nameOf(span)}: ${[level[1], type[1], took[1], of[1]].filter(Boolean).join(", ")}`;
      if (keyed) bring(span);
    }
    main.redraw();
  }

  function bring(span) {
    if (endOf(span) < from || now.start[span] > to) {
      const middle = now.start[span] + now.duration[span] / 2;
      look(middle - (to - from) / 2, middle + (to - from) / 2);
    }
    const row = rowOf(span);
    if (row.y - SCALE < viewport.scrollTop) viewport.scrollTop = row.y - SCALE;
    else if (row.y + row.h > viewport.scrollTop + viewport.clientHeight) viewport.scrollTop = row.y + row.h - viewport.clientHeight + 4;
    const box = canvas.getBoundingClientRect();
    show(nameOf(span), facts(span), box.left + Math.min(Math.max(xOf(now.start[span]), gutter()), main.width()), box.top + row.y + row.h);
  }

  function spanAt(x, y) {
    if (x < gutter()) return -1;
    const row = rows.find((one) => !one.head && y >= one.y - 1 && y < one.y + one.h + 1);
    if (!row) return -1;
    const near = ((to - from) / room()) * 1.5;
    const span = firstAfter(row, timeAt(x) - near);
    return span < row.first + row.count && now.start[span] <= timeAt(x) + near ? span : -1;
  }

  // The longest span that is inside of another, or is in view; -1 where there is none.
  function longest(wanted) {
    let found = -1;
    for (let span = 0; span < now.start.length; span++) {
      if (wanted(span) && (found < 0 || now.duration[span] > now.duration[found])) found = span;
    }
    return found;
  }

  const inView = (span) => endOf(span) > from && now.start[span] < to;
  // Where keys begin: at the query for whose sake the window is drawn, else at the longest span; never at a thread's states.
  const begin = () => {
    const seen = (span) => inView(span) && !rowOf(span).slices;
    const own = now.focus < 0 ? -1 : longest((span) => seen(span) && now.query[span] === now.focus);
    return own < 0 ? longest(seen) : own;
  };
  const outside = () => (selected < 0 ? begin() : now.parent[selected]);
  const inside = () => (selected < 0 ? begin() : longest((span) => now.parent[span] === selected));
  const go = (span) => select(span >= 0 ? span : selected, true);

  function step(direction) {
    if (selected < 0) return begin();
    const row = rowOf(selected);
    const next = selected + direction;
    return next >= row.first && next < row.first + row.count ? next : selected;
  }

  // Pointer, wheel, keys.

  let grabbed = null;
  let ruled = null;
  const touches = new Map();
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const [x, y] = at(event);
    touches.set(event.pointerId, x);
    canvas.setPointerCapture(event.pointerId);
    grabbed = { x, from, to, moved: false, spread: touches.size === 2 ? spread() : 0 };
    ruled = touches.size === 1 && y - viewport.scrollTop < SCALE && x >= gutter() ? [x, x] : null;
  });

  const spread = () => {
    const [a, b] = [...touches.values()];
    return Math.max(8, Math.abs(a - b));
  };

  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (!touches.has(event.pointerId)) return hover(x, y, event);
    touches.set(event.pointerId, x);
    if (Math.abs(x - grabbed.x) > 3) grabbed.moved = true;
    hide();
    if (touches.size === 2) {
      const length = ((grabbed.to - grabbed.from) * grabbed.spread) / spread();
      const middle = (grabbed.from + grabbed.to) / 2;
      look(middle - length / 2, middle + length / 2);
    } else if (ruled) {
      ruled[1] = Math.max(x, gutter());
      main.redraw();
    } else if (grabbed.moved) {
      const shift = ((grabbed.x - x) / room()) * (grabbed.to - grabbed.from);
      look(grabbed.from + shift, grabbed.to + shift);
    }
  });

  function release(event) {
    if (!touches.delete(event.pointerId)) return;
    if (touches.size) { // of two fingers one stays, and goes on moving from where it is
      grabbed = { x: [...touches.values()][0], from, to, moved: true, spread: 0 };
      return;
    }
    const [x, y] = at(event);
    const rule = ruled;
    ruled = null;
    if (rule && Math.abs(rule[1] - rule[0]) > 4) look(...rule.map(timeAt).sort((a, b) => a - b));
    else if (event.type === "pointerup" && !grabbed.moved) select(spanAt(x, y), false);
    main.redraw();
  }
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);

  function hover(x, y, event) {
    const span = spanAt(x, y);
    if (span !== hovered) {
      hovered = span;
      main.redraw();
    }
    if (span < 0) hide();
    else show(nameOf(span), facts(span), event.clientX, event.clientY);
  }

  canvas.addEventListener("pointerleave", () => {
    hovered = -1;
    hide();
    main.redraw();
  });

  canvas.addEventListener("dblclick", (event) => {
    const span = spanAt(...at(event));
    if (span >= 0) zoomTo(span);
  });

  canvas.addEventListener("wheel", (event) => {
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : 0;
    if (event.ctrlKey || event.metaKey) zoom(Math.exp(event.deltaY * 0.003), timeAt(Math.max(at(event)[0], gutter())));
    else if (sideways) move(sideways / room());
    else return; // the page scrolls
    event.preventDefault();
    hide();
  }, { passive: false });

  const KEYS = {
    w: () => zoom(0.6), "+": () => zoom(0.6), "=": () => zoom(0.6),
    s: () => zoom(1 / 0.6), "-": () => zoom(1 / 0.6),
    a: () => move(-0.2), d: () => move(0.2),
    0: all, Home: all,
    ArrowRight: () => go(step(1)), ArrowLeft: () => go(step(-1)), ArrowUp: () => go(outside()), ArrowDown: () => go(inside()),
    Enter: () => selected >= 0 && zoomTo(selected),
    Escape: () => select(-1, true),
  };

  canvas.addEventListener("keydown", (event) => {
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });

  const BUTTONS = { in: () => zoom(0.5), out: () => zoom(2), all };
  view.querySelectorAll("[data-do]").forEach((button) => button.addEventListener("click", BUTTONS[button.dataset.do]));
  tabs.forEach((tab) => tab.addEventListener("click", () => open(data.windows[tab.dataset.window])));
  viewport.addEventListener("scroll", () => main.redraw(), { passive: true });

  // The same in words.

  let spelling = 0;
  function respell() {
    clearTimeout(spelling);
    if (spelled.open) spelling = setTimeout(spell, 150);
  }

  function spell() {
    const seen = [];
    for (let span = 0; span < now.start.length; span++) if (inView(span)) seen.push(span);
    const most = seen.sort((a, b) => now.duration[b] - now.duration[a]).slice(0, IN_TABLE).sort((a, b) => now.start[a] - now.start[b] || now.duration[b] - now.duration[a]);
    const caption = `${now.title}: the ${number(most.length)} longest of ${number(seen.length)} spans in view`;
    const headings = [["Span"], ["Level"], ["Type"], ["Inside of"], ["On"], ["Began", true], ["Took", true]];
    const lines = most.map((span) => {
      const row = rowOf(span);
      const above = now.parent[span];
      return [
        [nameOf(span)], [data.levels[row.lane.level]], [row.slices ? "" : data.texts[now.kind[span]]], [above >= 0 ? data.texts[now.name[above]] : ""],
        [row.group.label], [duration(now.start[span]), now.start[span]], [duration(now.duration[span]), now.duration[span]],
      ];
    });
    spelled.querySelector("div").replaceChildren(table(caption, headings, lines));
  }
  spelled.addEventListener("toggle", respell);

  // All queries: when each began, how long it took, and which are drawn.

  const small = view.querySelector("canvas.dots");
  const [lastAt, longestDot] = data.dots.reduce(([a, b], [when, took]) => [Math.max(a, when), Math.max(b, took)], [1, 1]);
  const dotX = (ns) => gutter() + 4 + (ns / lastAt) * (room() - 12);
  const dotY = (ns) => 50 - (ns / longestDot) * 42;

  function drawDots(context, width) {
    const c = colours();
    context.fillStyle = c.muted;
    context.fillText(fit(context, data.dotsTold, gutter() - 10), 0, 14);
    context.fillText(fit(context, `up to ${duration(longestDot)}`, gutter() - 10), 0, 30);
    context.fillStyle = c.line;
    context.fillRect(gutter(), 51, width - gutter(), 1);
    context.fillStyle = c.hues[5];
    const size = data.dots.length > 400 ? 2 : 3;
    for (const [when, took] of data.dots) context.fillRect(dotX(when) - size / 2, dotY(took) - size / 2, size, size);
    for (const one of [...data.windows.filter((other) => other !== now), now]) {
      context.fillStyle = one === now ? c.accent : c.muted;
      const x = dotX(one.at);
      const w = Math.max(dotX(one.at + one.length) - x, 2);
      context.globalAlpha = one === now ? 0.3 : 0.15;
      context.fillRect(x, 2, w, 49);
      context.globalAlpha = 1;
      context.fillRect(x, 51, w, 4);
    }
  }

  function windowAt(event) {
    const x = event.clientX - small.getBoundingClientRect().left;
    const away = (one) => Math.max(dotX(one.at) - x, x - dotX(one.at + one.length), 0);
    const nearest = data.windows.reduce((best, one) => (away(one) < away(best) ? one : best));
    return away(nearest) < 12 ? nearest : null;
  }

  small.addEventListener("click", (event) => {
    const found = windowAt(event);
    if (found) open(found);
  });
  small.addEventListener("pointermove", (event) => {
    const found = windowAt(event);
    if (found) show(found.title, [["", ""], ["which", found.about], ["took", duration(found.length)]], event.clientX, event.clientY);
    else hide();
  });
  small.addEventListener("pointerleave", hide);

  const main = sheet(canvas, draw);
  const dots = sheet(small, drawDots);
  dots.resize(56);
  open(now);
})();
