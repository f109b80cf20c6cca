"use strict";
// The list works without this. It keeps addresses short, applies a choice at once, and counts what is chosen.
(() => {
  const form = document.getElementById("runs");
  const boxes = [...form.querySelectorAll('input[name="run"]')];
  const compare = document.getElementById("compare");
  let pressed = null;

  form.addEventListener("submit", (event) => { pressed = event.submitter; });
  form.addEventListener("formdata", ({ formData }) => {
    const comparing = pressed === compare;
    for (const name of new Set(formData.keys())) {
      const kept = comparing && name !== "run" ? [] : formData.getAll(name).filter((value) => value.trim() !== "");
      formData.delete(name);
      // of several orders the last one counts, and the usual one need not be said
      const said = name === "sort" ? kept.slice(-1).filter((value) => value !== "-started") : kept;
      for (const value of said) formData.append(name, value);
    }
  });

  for (const select of form.querySelectorAll("select")) {
    select.addEventListener("change", () => form.requestSubmit());
  }

  function count() {
    const chosen = boxes.filter((box) => box.checked);
    document.getElementById("picked").textContent = chosen.length;
    document.querySelector(".picked").classList.toggle("some", chosen.length > 0);
    compare.disabled = chosen.length < 2;
    for (const box of boxes) box.closest("tr")?.classList.toggle("chosen", box.checked);
    const shown = boxes.filter((box) => box.closest("tr"));
    all.checked = shown.length > 0 && shown.every((box) => box.checked);
    all.indeterminate = !all.checked && shown.some((box) => box.checked);
  }

  const all = document.createElement("input");
  all.type = "checkbox";
  all.setAttribute("aria-label", "Choose all runs on this page");
  form.querySelector("thead .pick")?.append(all);
  all.addEventListener("change", () => {
    for (const box of boxes) if (box.closest("tr")) box.checked = all.checked;
    count();
  });
  form.addEventListener("change", count);
  window.addEventListener("pageshow", count);
  count();
})();
