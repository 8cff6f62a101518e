"use strict";
// The table of all rows that the filters leave, a page at a time.
const PAGE = 100;
const names = DATA.listed;
const headings = [...document.querySelectorAll("#rows th")];
const steppers = [...document.querySelectorAll("#rows [data-step]")];
let first = 0;

function ordered() {
  const rows = [];
  for (let row = 0; row < DATA.n; row++) if (kept[row]) rows.push(row);
  const values = column[sorting.replace(/^-/, "")];
  if (!values) return rows;
  const direction = sorting.startsWith("-") ? -1 : 1;
  return rows.sort((i, j) => {
    const [a, b] = [values[i], values[j]];
    if (a === null || b === null) return (a === null) - (b === null);
    return direction * (a < b ? -1 : a > b ? 1 : 0);
  });
}

function cell(name, row) {
  const { digits } = DATA.columns[name];
  const value = column[name][row];
  const text = value === null ? "" : digits > 0 ? value.toFixed(digits) : String(nameOf(name, row));
  return [text, `${digits === undefined ? `text ${name}` : ""}${DATA.printed.includes(name) ? "" : " wide"}`];
}

function showRows() {
  const rows = ordered();
  first = Math.max(0, Math.min(first, PAGE * Math.floor((rows.length - 1) / PAGE)));
  const shown = rows.slice(first, first + PAGE);
  fill(document.querySelector("#rows tbody"), shown.map((row) => line(row, names.map((name) => cell(name, row)))));
  headings.forEach((heading, i) => {
    const order = { [names[i]]: "ascending", [`-${names[i]}`]: "descending" }[sorting];
    if (order) heading.setAttribute("aria-sort", order);
    else heading.removeAttribute("aria-sort");
  });
  const of = `${rows.length.toLocaleString("en")} rows`;
  document.querySelector("#rows [role=status]").textContent =
    shown.length ? `Rows ${first + 1} to ${first + shown.length} of ${of}` : "No row is left by the filters";
  steppers[0].disabled = first === 0;
  steppers[1].disabled = first + PAGE >= rows.length;
}

headings.forEach((heading, i) => heading.querySelector("button").addEventListener("click", () => {
  sorting = sorting === names[i] ? `-${names[i]}` : names[i];
  first = 0;
  showRows();
  writeAddress();
}));
steppers.forEach((button) => button.addEventListener("click", () => {
  first += PAGE * Number(button.dataset.step);
  showRows();
}));
listeners.push(() => { first = 0; showRows(); });
showRows();
