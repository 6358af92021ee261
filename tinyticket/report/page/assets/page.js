// What a page does when it is used: sliders that show one of several frames, and tables that sort. Without this script everything
// but the frames of other rounds can be read.
"use strict";

for (const group of document.querySelectorAll(".frames")) {
  const slider = group.querySelector("input[type=range]");
  const frames = [...group.querySelectorAll(".frame")];
  const words = group.querySelector("output");
  const show = () => {
    const place = Number(slider.value);
    frames.forEach((frame, i) => { frame.hidden = i !== place; });
    words.textContent = frames[place].dataset.words;
    slider.setAttribute("aria-valuetext", words.textContent);
  };
  slider.addEventListener("input", show);
  for (const button of group.querySelectorAll("button[data-step]")) {
    button.addEventListener("click", () => { slider.value = Number(slider.value) + Number(button.dataset.step); show(); });
  }
  show(); // a browser may remember where the slider was
}

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map((row) => [row.cells[column].dataset.value, row]);
      rows.sort(([a], [b]) => {
        const numbers = a !== "" && b !== "" && !isNaN(a) && !isNaN(b);
        const order = numbers ? a - b : a < b ? -1 : a > b ? 1 : 0;
        return up ? order : -order;
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
