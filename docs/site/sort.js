// A click on a heading of a table of results sorts its rows: by the first number of a cell, else by its text.
const number = (text) => {
  const found = text.replaceAll("−", "-").replaceAll(",", "").match(/-?\d+(\.\d+)?/);
  return found ? Number(found[0]) : null;
};

function sort(table, column, direction) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, text: row.cells[column].innerText.trim() }));
  rows.sort((a, b) => {
    const [x, y] = [number(a.text), number(b.text)];
    if ((x === null) !== (y === null)) return x === null ? 1 : -1; // an empty cell is last
    return direction * (x === null ? a.text.localeCompare(b.text) : x - y);
  });
  body.append(...rows.map(({ row }) => row));
}

for (const table of document.querySelectorAll("section#results table, section#tables table")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    heading.append(button);
    heading.ariaSort = "none";
    button.addEventListener("click", () => {
      const direction = heading.ariaSort === "descending" ? 1 : -1;
      for (const other of headings) other.ariaSort = "none";
      heading.ariaSort = direction < 0 ? "descending" : "ascending";
      sort(table, column, direction);
    });
  });
}
