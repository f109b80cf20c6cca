"use strict";
// The table of layers: only those whose name or type holds the words.
(() => {
  const filter = document.getElementById("layers-filter");
  if (!filter) return;
  const rows = [...document.querySelectorAll("table.layers tbody tr")];
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
})();
