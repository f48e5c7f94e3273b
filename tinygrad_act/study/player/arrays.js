// Arrays: numbers as text, heat maps on canvases, and the figures beside them.
const data = JSON.parse(document.getElementById("data").textContent);
const TOP = 120, MINUS = 253, PLUS = 254, NAN = 255;

/** An element with attributes (on… are listeners, text is its text) and children. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** A number's text in few digits. */
function short(text, digits = 4) {
  const x = Number(text);
  if (text === "nan") return "NaN";
  if (text === "inf" || text === "-inf") return text.replace("inf", "∞").replace("-", "−");
  if (x === 0) return "0";
  const size = Math.abs(x);
  const out = size >= 1e5 || size < 1e-3 ? x.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e") : String(Number(x.toPrecision(digits)));
  return out.replaceAll("-", "−");
}

const shapeText = (a) => a.shape.join("×") || "scalar";

function levelsOf(a) {
  if (!a.decoded) a.decoded = Uint8Array.from(atob(a.levels || ""), (c) => c.charCodeAt(0));
  return a.decoded;
}

let palette = null;
/** The colours of the scale in the present theme. */
function colours() {
  if (palette) return palette;
  const style = getComputedStyle(document.documentElement);
  const rgb = (name) => style.getPropertyValue(name).trim().match(/[0-9a-f]{2}/gi).map((pair) => parseInt(pair, 16));
  palette = { low: rgb("--low"), zero: rgb("--zero"), high: rgb("--high"), text: style.getPropertyValue("--text").trim(), line: style.getPropertyValue("--line").trim() };
  return palette;
}

function colourOf(level) {
  const c = colours(), t = (level - TOP) / TOP, end = t < 0 ? c.low : c.high;
  return `rgb(${c.zero.map((from, i) => Math.round(from + (end[i] - from) * Math.abs(t))).join(" ")})`;
}

/** Paint an array's cells, each so many pixels wide and high. What is no number is marked by a sign. */
function paint(canvas, a, width, height) {
  canvas.width = Math.max(1, a.columns * width);
  canvas.height = Math.max(1, a.rows * height);
  const pen = canvas.getContext("2d"), levels = levelsOf(a);
  for (let k = 0; k < levels.length; k++) {
    const x = (k % a.columns) * width, y = Math.floor(k / a.columns) * height;
    pen.fillStyle = colourOf(levels[k] > 2 * TOP ? TOP : levels[k]);
    pen.fillRect(x, y, width, height);
    if (levels[k] > 2 * TOP) mark(pen, levels[k], x, y, width, height);
  }
  if (a.shape.length > 2 && a.step[1] === 1) {
    pen.fillStyle = colours().text;
    for (let c = a.shape.at(-1); c < a.columns; c += a.shape.at(-1)) pen.fillRect(c * width - 1, 0, 2, canvas.height);
  }
}

function mark(pen, level, x, y, w, h) {
  pen.strokeStyle = pen.fillStyle = colours().text;
  pen.lineWidth = Math.max(1, Math.min(w, h) / 7);
  pen.beginPath();
  if (level === NAN) {
    pen.moveTo(x + w * .15, y + h * .15); pen.lineTo(x + w * .85, y + h * .85);
    pen.moveTo(x + w * .85, y + h * .15); pen.lineTo(x + w * .15, y + h * .85);
    pen.stroke();
  } else {
    const [tip, foot] = level === PLUS ? [y + h * .15, y + h * .85] : [y + h * .85, y + h * .15];
    pen.moveTo(x + w / 2, tip); pen.lineTo(x + w * .9, foot); pen.lineTo(x + w * .1, foot);
    pen.fill();
  }
}

/** The same map in at most so many cells: of each block the level farthest from 0, or that of what is no number. */
function coarser(a, rows, columns) {
  const down = Math.ceil(a.rows / rows), across = Math.ceil(a.columns / columns);
  if (down * across === 1) return a;
  const small = { ...a, rows: Math.ceil(a.rows / down), columns: Math.ceil(a.columns / across), step: [down, across] }, from = levelsOf(a);
  small.decoded = new Uint8Array(small.rows * small.columns).fill(TOP);
  const weight = (level) => (level > 2 * TOP ? 2 * level : Math.abs(level - TOP));
  for (let k = 0; k < from.length; k++) {
    const to = Math.floor(Math.floor(k / a.columns) / down) * small.columns + Math.floor((k % a.columns) / across);
    if (weight(from[k]) > weight(small.decoded[to])) small.decoded[to] = from[k];
  }
  return small;
}

const thumbs = new Map();
/** A small picture of an array, as a data URL. */
function thumb(number) {
  if (!thumbs.has(number)) {
    const canvas = document.createElement("canvas"), a = coarser(data.arrays[number], 8, 16);
    paint(canvas, a, Math.max(2, Math.ceil(100 / a.columns)), Math.max(2, Math.ceil(40 / a.rows)));
    thumbs.set(number, canvas.toDataURL());
  }
  return thumbs.get(number);
}

/** Where in the array a cell of its heat map is, and what is there. */
function cellText(a, row, column) {
  const level = levelsOf(a)[row * a.columns + column], [down, across] = a.step;
  const about = level === NAN ? "NaN" : level === PLUS ? "∞" : level === MINUS ? "−∞" : `≈ ${short(((level - TOP) / TOP) * a.top, 3)}`;
  if (down > 1 || across > 1) {
    const upTo = (from, step, size) => (step === 1 ? `${from}` : `${from * step}–${Math.min(from * step + step, size) - 1}`);
    const rows = a.shape.length < 2 ? 1 : a.shape.at(-2), columns = a.shape.length < 2 ? a.size : a.size / rows;
    const where = a.shape.length < 2 ? `elements ${upTo(column, across, columns)}` : `rows ${upTo(row, down, rows)}, columns ${upTo(column, across, columns)}`;
    return `${where}: ${about}, the one farthest from 0`;
  }
  const width = a.shape.at(-1) ?? 1, rows = a.shape.length < 2 ? 1 : a.shape.at(-2), slice = Math.floor(column / width);
  const flat = slice * rows * width + row * width + (column % width), index = [];
  for (let rest = flat, i = a.shape.length - 1; i >= 0; rest = Math.floor(rest / a.shape[i]), i--) index.unshift(rest % a.shape[i]);
  return `[${index.join(", ")}]: ${a.numbers ? a.numbers[flat] : about}`;
}

/** Everything that is known of an array: its numbers, or a heat map with a scale, and figures. */
function arrayView(number, what) {
  if (number === null || number === undefined) return h("p", { class: "quiet", text: "The value is not known: no rule kept it." });
  const a = data.arrays[number];
  if (a.size === 0) return h("p", { class: "quiet", text: `empty, ${shapeText(a)} ${a.dtype}` });
  if (a.size === 1) return h("p", {}, h("span", { class: "value", text: a.numbers[0].replace("-", "−") }), h("span", { class: "quiet", text: `  ${a.shape.length ? shapeText(a) : "scalar"} ${a.dtype}` }));
  const box = h("figure", { class: "array" }, h("figcaption", { class: "quiet", text: `${shapeText(a)} ${a.dtype}` }));
  if (a.size <= 4) box.append(h("p", { class: "value", text: `[${a.numbers.map((x) => short(x, 6)).join(", ")}]` }));
  box.append(heatMap(a, what));
  box.append(figures(a));
  if (a.numbers) box.append(h("details", {}, h("summary", { text: `All ${a.size} numbers` }), numberTable(a)));
  return box;
}

function figures(a) {
  const parts = a.min === undefined ? [] : a.min === a.max ? [`all ${short(a.min)}`] : [`min ${short(a.min)}`, `max ${short(a.max)}`, `mean ${short(a.mean)}`];
  parts.push(`norm ${short(a.norm)}`);
  if (a.zeros) parts.push(`${a.zeros.toLocaleString("en")} zero${a.zeros > 1 ? "s" : ""} (${short(100 * a.zeros / a.size, 3)} %)`);
  const odd = [[a.nan, "✕ NaN"], [a.plus, "▲ ∞"], [a.minus, "▼ −∞"]].filter(([n]) => n).map(([n, name]) => `${n.toLocaleString("en")} ${name}`);
  return h("p", { class: "figures" }, h("span", { text: parts.join(" · ") }), odd.length ? h("span", { class: "bad", text: ` · ${odd.join(" · ")}` }) : "");
}

function heatMap(a, what) {
  const size = Math.max(3, Math.min(26, Math.floor(330 / a.columns), Math.max(6, Math.floor(260 / a.rows))));
  const canvas = h("canvas", { role: "img", "aria-label": `Heat map of ${what}, ${shapeText(a)}${a.min === undefined ? "" : `, from ${short(a.min)} to ${short(a.max)}`}` });
  canvas.dataset.array = String(data.arrays.indexOf(a));
  paint(canvas, a, size * 2, size * 2);
  canvas.style.width = `${a.columns * size + 2}px`;
  const readout = h("p", { class: "readout quiet", text: "Point at a cell to read it." });
  const read = (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - 1) / (box.width - 2) * a.columns), row = Math.floor((event.clientY - box.top - 1) / (box.height - 2) * a.rows);
    if (row >= 0 && column >= 0 && row < a.rows && column < a.columns) readout.textContent = cellText(a, row, column);
  };
  canvas.addEventListener("pointermove", read);
  canvas.addEventListener("pointerdown", read);
  return h("div", { class: "map" }, canvas,
    h("div", { class: "legend" }, h("span", { text: short(-a.top) }), h("i"), h("span", { text: short(a.top) }),
      a.step[0] * a.step[1] > 1 ? h("span", { class: "quiet", text: `a cell: ${a.step.join("×")}` }) : ""), readout);
}

function numberTable(a) {
  const width = a.shape.at(-1) ?? 1, rows = [];
  for (let start = 0; start < a.size; start += width) {
    const index = [];
    for (let rest = start / width, i = a.shape.length - 2; i >= 0; rest = Math.floor(rest / a.shape[i]), i--) index.unshift(rest % a.shape[i]);
    rows.push(h("tr", {}, h("th", { scope: "row", text: `[${[...index, ""].join(", ")}]` }), ...a.numbers.slice(start, start + width).map((x) => h("td", { text: x }))));
  }
  return h("div", { class: "numbers", tabindex: "0", role: "region", "aria-label": "Numbers" }, h("table", {}, h("tbody", {}, ...rows)));
}
