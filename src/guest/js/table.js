// console.table: rows of an array, object, Map or Set, columns of what the rows
// have. Reads like inspect(): no getters, no traps.

const TABLE_ROWS_MAX = 1000;
const TABLE_COLUMNS_MAX = 50;

const withoutProxy = (value) => {
  let object = value;
  for (let i = 0; object !== null && classOf(object) === "Proxy"; i++)
    object = i < PROTOTYPES_MAX ? proxyTarget(object) : null;
  return object;
};

const oneLine = (text) => {
  let result = "";
  for (let i = 0; i < text.length; i++) result += text[i] === "\n" ? " " : text[i];
  return result;
};

const cellText = (table, value) => oneLine(inspectAt(table.state, value, 0));

// Columns are found by name; their cells are lists by row.
const columnNamed = (table, name) => {
  for (let i = 0; i < table.columns.length; i++)
    if (table.columns[i].name === name) return table.columns[i];
  if (table.columns.length >= TABLE_COLUMNS_MAX) return null;
  const column = { __proto__: null, name, cells: newList() };
  table.columns[table.columns.length] = column;
  return column;
};

const isWanted = (table, key) =>
  typeof key === "string" && (table.wanted === null || indexIn(table.wanted, key) >= 0);

const addRow = (table, index, value) => {
  const row = table.index.length;
  table.index[row] = index;
  table.values[row] = "";
  const object = isObject(value) && typeof value !== "function" ? withoutProxy(value) : null;
  const keys = object === null ? null : shownKeys(object, -1);
  if (keys === null || keys.length === 0) {
    table.values[row] = cellText(table, value);
    table.hasValues = true;
    return;
  }
  for (let i = 0; i < keys.length; i++) {
    const column = isWanted(table, keys[i]) ? columnNamed(table, keys[i]) : null;
    if (column !== null) column.cells[row] = cellText(table, ownData(object, keys[i]));
  }
};

const addCollection = (table, collection, isMap) => {
  const entries = isMap ? MapEntries(collection) : SetValues(collection);
  for (let row = 0; row < TABLE_ROWS_MAX; row++) {
    const step = isMap ? MapIteratorNext(entries) : SetIteratorNext(entries);
    if (step.done) return;
    const index = isMap ? cellText(table, step.value[0]) : `${row}`;
    addRow(table, index, isMap ? step.value[1] : step.value);
  }
};

const addRows = (table, object) => {
  const kind = classOf(object);
  if (kind === "Map" || kind === "Set") {
    addCollection(table, object, kind === "Map");
    return;
  }
  const keys = shownKeys(object, -1);
  for (let i = 0; i < keys.length && i < TABLE_ROWS_MAX; i++)
    if (typeof keys[i] === "string") addRow(table, oneLine(keys[i]), ownData(object, keys[i]));
};

// ---- drawing ----

const columnWidth = (column, rows) => {
  let width = column.name.length;
  for (let i = 0; i < rows; i++)
    if (typeof column.cells[i] === "string") width = MathMax(width, column.cells[i].length);
  return width + 2;
};

const ruler = (widths, left, middle, right) => {
  let text = left;
  for (let i = 0; i < widths.length; i++)
    text += (i > 0 ? middle : "") + StringRepeat("─", widths[i]);
  return text + right;
};

const drawRow = (columns, widths, row) => {
  let text = "│";
  for (let i = 0; i < columns.length; i++) {
    const cell = row < 0 ? columns[i].name : columns[i].cells[row];
    text += `${StringPadEnd(` ${cell === undefined ? "" : cell}`, widths[i])}│`;
  }
  return text;
};

const drawTable = (columns, rows) => {
  const widths = newList();
  for (let i = 0; i < columns.length; i++) widths[i] = columnWidth(columns[i], rows);
  let text = `${ruler(widths, "┌", "┬", "┐")}\n${drawRow(columns, widths, -1)}\n`;
  text += ruler(widths, "├", "┼", "┤");
  for (let row = 0; row < rows; row++) text += `\n${drawRow(columns, widths, row)}`;
  return `${text}\n${ruler(widths, "└", "┴", "┘")}`;
};

const wantedColumns = (columns) => {
  if (classOf(columns) !== "Array") return null;
  const wanted = newList();
  for (let i = 0; i < MathMin(ownData(columns, "length"), TABLE_COLUMNS_MAX); i++)
    wanted[i] = ownData(columns, `${i}`);
  return wanted;
};

// Null when there is nothing to make a table of.
const tableText = (data, columns) => {
  if (!isObject(data) || typeof data === "function") return null;
  const object = withoutProxy(data);
  if (object === null) return null;
  const table = {
    __proto__: null, state: newInspection(0), wanted: wantedColumns(columns), index: newList(),
    columns: newList(), values: newList(), hasValues: false,
  };
  addRows(table, object);
  const all = newList();
  all[0] = { __proto__: null, name: "(index)", cells: table.index };
  for (let i = 0; i < table.columns.length; i++) all[i + 1] = table.columns[i];
  if (table.hasValues) all[all.length] = { __proto__: null, name: "Values", cells: table.values };
  return drawTable(all, table.index.length);
};
