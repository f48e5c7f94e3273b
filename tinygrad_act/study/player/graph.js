// The graph: what is lit at a step, small values and gradients in the nodes, panning and zooming.
const KINDS = { op: "op", activation: "activation", parameter: "parameter", input: "input", constant: "constant", result: "result", module: "module, folded", folded: "folded" };
const SVG = "http://www.w3.org/2000/svg";
const svg = document.getElementById("graph"), stage = document.getElementById("stage");
const steps = data.steps, items = data.items;
const turn = steps.findIndex((step) => step.phase === "turn");
const nodeOf = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const order = Object.keys(items).sort((a, b) => (items[a].forward ?? (items[a].kind === "result" ? turn : 0)) - (items[b].forward ?? (items[b].kind === "result" ? turn : 0)));
for (const item of Object.values(items)) if (item.kind === "result") item.forward = item.backward = turn;

svg.setAttribute("aria-label", `Graph of ${Object.keys(items).length} nodes, in the order in which they are computed. Up and down go from node to node, Enter shows details.`);
svg.insertAdjacentHTML("afterbegin", `<defs><marker id="backwards" viewBox="0 0 10 10" refX="3" refY="5" markerWidth="10" markerHeight="10" markerUnits="userSpaceOnUse" orient="auto"><path d="M10 0v10L0 5z" fill="var(--backward)"/></marker></defs>`);
for (const id of order) svg.querySelector("g.graph").append(nodeOf(id));            // read out in the order of time, after the edges

/** Words were measured in a font that this browser may not have: centre them, and draw a line together that is too long. */
for (const id of order) {
  const node = nodeOf(id), box = node.querySelector(".shape").getBBox(), middle = box.x + box.width / 2;
  for (const text of node.querySelectorAll("text")) {
    text.setAttribute("text-anchor", "middle");
    text.setAttribute("x", middle);
    const room = box.width * (items[id].kind === "input" ? .8 : .94), long = text.getComputedTextLength();
    if (long > room) { text.setAttribute("textLength", room); text.setAttribute("lengthAdjust", "spacingAndGlyphs"); }
  }
  const room = node.querySelector(".room"), alone = !items[id].arrived?.length;
  room?.setAttribute("transform", `translate(${middle - (alone ? 25 : 56)} ${room.getAttribute("transform").match(/ (.*)\)/)[1]})`);
}

function make(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** A number or a small heat map at x in a node's room. */
function picture(number, x, name) {
  const a = data.arrays[number], group = make("g", { class: name, transform: `translate(${x} -6.5)` });
  group.append(make("rect", { width: 50, height: 20, rx: 2 }));
  const odd = a.nan || a.plus || a.minus;
  if (a.size === 1) group.append(make("text", { x: 25, y: 13.5 }, short(a.numbers[0], 3)));
  else if (a.size === 0) group.append(make("text", { x: 25, y: 13.5 }, "empty"));
  else group.append(make("image", { href: thumb(number), x: .5, y: .5, width: 49, height: 19, preserveAspectRatio: "none" }));
  if (odd && a.size > 1) {
    group.append(make("rect", { x: 12, y: 5, width: 26, height: 10, rx: 2 }), make("text", { x: 25, y: 13, class: "odd" }, a.nan ? "NaN" : "∞"));
  }
  return group;
}

/** The gradient of an item as it is at a step: its array's number, and whether parts are still to come. */
function gradientAt(item, at) {
  if (item.arrivals?.length) {
    const come = item.arrivals.filter((arrival) => arrival.step <= at).at(-1);
    return come ? [come.sum, come.number < item.of] : null;
  }
  const start = item.arrived?.[0]?.seed || item.kind === "result" ? turn : item.backward ?? Infinity;
  return item.arrived?.length && at >= start ? [item.arrived[0].gradient, false] : null;
}

/** What a screen reader says of a node: all that is written in it, and then what is only drawn. */
function name(id, value, gradient) {
  const item = items[id], words = nodeOf(id).textContent.replace(/\s+/g, " ").trim(), array = (number) => {
    const a = number === null ? null : data.arrays[number];
    return a && a.size > 1 ? `norm ${short(a.norm)}` : "";
  };
  const said = [[array(value), "value"], [gradient ? array(gradient[0]) : "", "gradient"]].filter(([text]) => text).map(([text, what]) => `${what} of ${text}`);
  const partial = gradient?.[1] ? ["not all parts of the gradient have come"] : [];
  nodeOf(id).setAttribute("aria-label", [words, `${KINDS[item.kind]}${item.where.length ? ` in ${item.where.at(-1)}` : ""}`, ...said, ...partial].join("; "));
}

const shown = new Map();
function fill(id, at) {
  const item = items[id], room = nodeOf(id).querySelector(".room");
  if (!room) return;
  const value = at >= (item.forward ?? 0) ? item.values[0]?.value ?? null : null, gradient = gradientAt(item, at);
  const key = `${value} ${gradient}`;
  if (shown.get(id) === key) return;
  shown.set(id, key);
  room.replaceChildren();
  if (value !== null) room.append(picture(value, 0, "value-box"));
  if (gradient && gradient[0] !== null) {
    room.append(" ", make("text", { x: 56.5, y: 7, class: "nabla" }, "∇"), " ", picture(gradient[0], 62, `gradient${gradient[1] ? " partial" : ""}`));
  }
  name(id, value, gradient);
}

/** Light the nodes and edges as they are at a step. */
function light(at, chosen) {
  const step = steps[at], back = step.phase === "backward";
  for (const id of order) {
    const item = items[id], list = nodeOf(id).classList;
    list.toggle("ahead", (item.forward ?? 0) > at);
    list.toggle("returned", (item.backward ?? Infinity) <= at || Boolean(item.arrivals?.[0] && item.arrivals[0].step <= at));
    list.toggle("now", id === step.item);
    if (id === step.item) nodeOf(id).setAttribute("aria-current", "step"); else nodeOf(id).removeAttribute("aria-current");
    list.toggle("forward", step.phase === "forward");
    list.toggle("backward", back || step.phase === "turn");
    list.toggle("chosen", id === chosen);
    fill(id, at);
  }
  const reached = new Set(back ? items[step.item].out.map((row) => (row.part !== null ? row.to : "")) : []);
  for (const [id, [from, to]] of Object.entries(data.links)) {
    const list = nodeOf(id).classList, gave = items[to].backward <= at && (items[to].out ?? []).some((row) => row.to === from && row.part !== null);
    list.toggle("forward", step.phase === "forward" && to === step.item);
    const coming = from === step.item && (items[to].backward ?? Infinity) < at, going = to === step.item && reached.has(from);
    list.toggle("backward", back && (coming || going) || step.phase === "turn" && to === step.item);
    list.toggle("returned", gave || (items[to].kind === "result" && at >= turn));
  }
}

// ------------------------------------------------------------------------------------------------ what is in view
const whole = svg.viewBox.baseVal, full = { x: whole.x, y: whole.y, w: whole.width, h: whole.height };
let view = { ...full }, glide = 0;

function apply() { svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`); }

/** Pixels for each unit of the drawing. */
const scale = () => Math.min(stage.clientWidth / view.w, stage.clientHeight / view.h);

function setScale(s, x = view.x + view.w / 2, y = view.y + view.h / 2) {
  const fraction = [(x - view.x) / view.w, (y - view.y) / view.h];
  const w = stage.clientWidth / s, height = stage.clientHeight / s;
  view = { x: x - fraction[0] * w, y: y - fraction[1] * height, w, h: height };
  apply();
}

function zoomBy(factor, x, y) {
  const s = Math.max(Math.min(scale() * factor, 5), Math.min(fitScale(), .2));
  cancelAnimationFrame(glide);
  setScale(s, x, y);
}

const fitScale = () => Math.min(stage.clientWidth / full.w, stage.clientHeight / full.h);

function fit(s = fitScale()) {
  view = { x: full.x + full.w / 2, y: full.y + full.h / 2, w: 1, h: 1 };
  const w = stage.clientWidth / s, height = stage.clientHeight / s;
  view = { x: view.x - w / 2, y: view.y - height / 2, w, h: height };
  apply();
}

function boxOf(id) {
  const box = nodeOf(id).getBBox(), shift = svg.querySelector("g.graph").transform.baseVal.consolidate()?.matrix;
  return { x: box.x + (shift?.e ?? 0), y: box.y + (shift?.f ?? 0), w: box.width, h: box.height };
}

/** Move the view so that a node is well inside it. */
function follow(id, always = false) {
  const box = boxOf(id), margin = Math.min(view.w, view.h) * .12;
  const x = box.x + box.w / 2, y = box.y + box.h / 2;
  const inside = box.x > view.x + margin && box.y > view.y + margin && box.x + box.w < view.x + view.w - margin && box.y + box.h < view.y + view.h - margin;
  if (inside && !always) return;
  glideTo(bounded(x - view.w / 2, view.w, full.x, full.w), bounded(y - view.h / 2, view.h, full.y, full.h));
}

/** Where the view begins along an axis, so that it does not look past the drawing without need. */
function bounded(from, size, start, length) {
  return size >= length ? start + (length - size) / 2 : Math.max(start, Math.min(from, start + length - size));
}

function glideTo(x, y) {
  cancelAnimationFrame(glide);
  if (calm.matches) { view.x = x; view.y = y; apply(); return; }
  const from = { ...view }, begin = performance.now();
  const move = (now) => {
    const t = Math.min(1, (now - begin) / 220), soft = t * (2 - t);
    view.x = from.x + (x - from.x) * soft;
    view.y = from.y + (y - from.y) * soft;
    apply();
    if (t < 1) glide = requestAnimationFrame(move);
  };
  glide = requestAnimationFrame(move);
}

const fingers = new Map();
let moved = 0;
stage.addEventListener("pointerdown", (event) => {
  if (event.target.closest("button")) return;
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
  moved = 0;
  cancelAnimationFrame(glide);
});
addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const now = [event.clientX, event.clientY], s = scale();
  moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
  if (fingers.size === 1) {
    view.x -= (now[0] - before[0]) / s;
    view.y -= (now[1] - before[1]) / s;
    stage.classList.add("dragging");
    apply();
  } else if (fingers.size === 2) {
    const other = [...fingers].find(([id]) => id !== event.pointerId)[1], apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
    const middle = point((now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    zoomBy(apart(now) / apart(before), middle.x, middle.y);
  }
  fingers.set(event.pointerId, now);
});
for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, (event) => { fingers.delete(event.pointerId); stage.classList.remove("dragging"); });
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (event.ctrlKey || event.metaKey) {
    const at = point(event.clientX, event.clientY);
    zoomBy(Math.exp(-event.deltaY / 300), at.x, at.y);
  } else {
    view.x += event.deltaX / scale();
    view.y += event.deltaY / scale();
    apply();
  }
}, { passive: false });

/** A place on the screen as one of the drawing. */
function point(x, y) {
  const box = stage.getBoundingClientRect();
  return { x: view.x + (x - box.left) / box.width * view.w, y: view.y + (y - box.top) / box.height * view.h };
}
