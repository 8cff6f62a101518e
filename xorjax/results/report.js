"use strict";
const LIMIT = 200;
const body = document.querySelector("#rows tbody");
const more = document.querySelector("#rows button");
let rows = ROWS.rows.slice();
let limit = LIMIT;

function showRows() {
  body.replaceChildren(...rows.slice(0, limit).map((row) => {
    const line = document.createElement("tr");
    row.forEach((value, i) => {
      const cell = document.createElement("td");
      cell.textContent = value === null ? "" : ROWS.digits[i] > 0 ? value.toFixed(ROWS.digits[i]) : value;
      cell.className = ROWS.digits[i] === null ? `text ${ROWS.columns[i]}` : "";
      line.append(cell);
    });
    return line;
  }));
  more.hidden = rows.length <= limit;
  more.textContent = `Show all ${rows.length} rows`;
}

document.querySelectorAll("#rows th").forEach((heading, i, headings) => {
  const sort = () => {
    const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    rows.sort(({ [i]: a }, { [i]: b }) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return direction * (typeof a === "number" ? a - b : String(a).localeCompare(String(b)));
    });
    showRows();
  };
  heading.addEventListener("click", sort);
  heading.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
});
more.addEventListener("click", () => { limit = Infinity; showRows(); });
showRows();
