"use strict";
// The table of layers: only those whose name or type holds the words, and from a layer's name to the flame graph.
(() => {
  const filter = document.getElementById("layers-filter");
  if (!filter) return;
  const table = document.querySelector("table.layers");
  const rows = [...table.tBodies[0].rows];
  const found = filter.closest(".search").querySelector(".found");
  filter.addEventListener("input", () => {
    const words = filter.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      const hit = [row.cells[1], row.cells[2]].some((cell) => cell.textContent.toLowerCase().includes(words));
      row.hidden = !hit;
      count += hit;
    }
    found.textContent = words ? `${count} of ${rows.length}` : "";
  });

  table.addEventListener("click", (event) => {
    const name = event.target.closest("td.name button");
    const find = document.querySelector("#flame-view input");
    if (!name || !find) return;
    find.value = name.textContent;
    find.dispatchEvent(new Event("input"));
    document.getElementById("flame").scrollIntoView();
    find.focus({ preventScroll: true });
  });
})();
