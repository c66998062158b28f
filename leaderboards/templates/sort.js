"use strict";
// Sorts the rows of tables marked data-sortable by the column whose heading is pressed. Rows are
// moved, never written; equal rows keep their order, and without this script all tables are whole.

const words = new Intl.Collator("en", { numeric: true });

function key(row, column) {
  const cell = row.cells[column];
  return cell.dataset.sort ?? cell.textContent.trim();
}

function compare(numeric) {
  if (!numeric) return words.compare;
  return (one, other) => (Number(one) > Number(other)) - (Number(one) < Number(other));
}

function sort(table, header) {
  const column = header.cellIndex;
  const direction = header.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  const sign = direction === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => [key(row, column), row]);
  const order = compare(rows.every(([text]) => text !== "" && !Number.isNaN(Number(text))));
  rows.sort(([one], [other]) => sign * order(one, other));
  body.append(...rows.map(([, row]) => row));
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction);
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  for (const header of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(table, header));
    header.append(button);
  }
  table.classList.add("sortable");
}
