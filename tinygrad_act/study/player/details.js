// The panel: everything that is known of one node.
const panel = document.getElementById("details");

/** A button that goes to another node. */
function linkTo(id, name) {
  return items[id] ? h("button", { type: "button", class: "link mono", onclick: () => choose(id, true), text: name }) : h("code", { text: name });
}

function entry(kind, name, number, ...more) {
  return h("li", { class: `entry ${kind}` }, typeof name === "string" ? h("code", { text: name }) : name, ...more, arrayView(number, typeof name === "string" ? name : name.textContent));
}

function section(title, ...children) {
  const rows = children.flat().filter(Boolean);
  return rows.length ? [h("h3", { text: title }), rows.every((row) => row.tagName === "LI") ? h("ul", {}, ...rows) : h("div", {}, ...rows)] : [];
}

/** Show one node. */
function showItem(id) {
  const item = items[id], folded = item.ops !== undefined;
  const children = [h("div", { class: "title" }, h("h2", { text: item.name }), h("span", { class: "kind", text: KINDS[item.kind] }),
    item.op && item.op !== item.name ? h("span", { class: "kind mono", text: item.op }) : "")];
  if (item.where?.length) children.push(h("p", { class: "where", text: `in ${item.where.join(" › ")}` }));
  children.push(...(folded ? foldedParts(item) : item.op ? opParts(item) : leafParts(item)));
  if (item.line) children.push(...section("Your line", [h("p", { class: "where", text: item.line.place }), item.line.code ? h("p", { class: "formula" }, h("code", { text: item.line.code })) : null]));
  else if (item.op) children.push(...section("Your line", h("p", { class: "quiet", text: data.taped ? "Not known." : "Not known: the loss was not made inside a study.Tape." })));
  panel.replaceChildren(...children, jumps(item));
  panel.setAttribute("aria-label", `Details of ${item.name}`);
}

function jumps(item) {
  const row = h("div", { class: "jump" });
  for (const phase of ["forward", "backward"]) {
    if (item[phase] !== undefined && item.kind !== "result") row.append(h("button", { type: "button", onclick: () => go(item[phase]), text: `${phase === "forward" ? "Forward" : "Backward"} step ${item[phase]}` }));
  }
  return row;
}

function opParts(item) {
  const computes = [h("p", { class: "formula" }, h("code", { text: `${item.name} = ${item.computes}` }))];
  if (item.formula) computes.push(h("p", { class: "formula", text: `f(x) = ${item.formula}` }));
  if (item.derivative) computes.push(h("p", { class: "formula", text: item.derivative }));
  if (item.variant) computes.push(h("p", { class: "quiet", text: `Its rule was chosen: ${item.variant}` }));
  return [
    ...inOrder([
      ...section("Computes", computes),
      ...section(item.values.length > 1 ? "Values" : "Value", item.values.map((v) => entry("v", v.name, v.value))),
      ...section("From", item.inputs.map((input) => entry("", linkTo(input.from, input.name), input.value))),
    ], [...cameIn(item), ...section("Passes on", item.out.map(passed))]),
    ...keeps(item),
  ];
}

/** On the way back the gradients come first. */
const inOrder = (forward, backward) => (at >= turn ? [...backward, ...forward] : [...forward, ...backward]);

function cameIn(item) {
  const title = item.op || item.ops ? "Gradient that came in" : "Gradient";
  if (!item.arrived.length) {
    const why = item.wants === false ? "None: it does not require one." : "None came here.";
    return section(title, h("p", { class: "quiet", text: why }));
  }
  return section(title, item.arrived.map((g) => {
    const lines = [];
    if (g.seed) lines.push(h("p", { class: "quiet", text: "The backward pass starts with it." }));
    if (g.parts.length) {
      const hidden = g.count - g.parts.length;
      const list = g.parts.flatMap((part, k) => [k ? " + " : "", linkTo(part.from, part.name)]);
      lines.push(h("p", { class: "quiet" }, g.count > 1 ? `${g.count.toLocaleString("en")} parts, added up: ` : "from ", ...list, hidden > 0 ? ` and ${hidden.toLocaleString("en")} more` : ""));
      if (g.count > 1) lines.push(h("details", {}, h("summary", { text: "The parts" }), h("ul", {}, ...g.parts.map((part) => entry("g", linkTo(part.from, part.name), part.part)))));
    }
    return entry("g", g.name, g.gradient, ...lines);
  }));
}

/** What a rule made for one input. */
function passed(row) {
  const more = [];
  if (row.rule) more.push(h("p", { class: "formula" }, h("code", { text: `∂${row.name} ← ${row.rule}` })));
  if (row.local && row.rule !== `g * ${row.local}` && row.rule !== "g" && row.rule !== "-g") more.push(h("p", { class: "quiet", text: `local derivative: ${row.local}` }));
  if (row.source && !row.rule.includes(row.source)) more.push(h("p", { class: "quiet", text: `the rule is written at ${row.source}` }));
  if (row.part === null) return h("li", { class: "entry g" }, "to ", linkTo(row.to, row.name), ...more, h("p", { class: "quiet", text: "no gradient passes" }));
  if (row.of > 1) more.push(h("p", { class: "quiet", text: `part ${row.number} of ${row.of} that are added up there` }));
  const li = h("li", { class: "entry g" }, "to ", linkTo(row.to, row.name), ...more, arrayView(row.part, `the gradient for ${row.name}`));
  if (row.sum !== undefined) li.append(h("details", {}, h("summary", { text: "The sum with it" }), arrayView(row.sum, `the sum at ${row.name}`)));
  return li;
}

function keeps(item) {
  if (item.freed) return section("Kept for its rules", h("p", { class: "quiet", text: "Freed by the backward pass." }));
  if (!item.saved.length) return section("Kept for its rules", h("p", { class: "quiet", text: "Nothing: its rules read the gradient alone." }));
  return section("Kept for its rules", item.saved.map((s) => (s.text !== undefined
    ? h("li", { class: "entry" }, h("code", { text: `${s.name} = ${s.text}` }))
    : h("li", { class: "entry" }, h("code", { text: s.name }), h("span", { class: "quiet", text: `  ${s.bytes}` }), h("details", {}, h("summary", { text: shapeText(data.arrays[s.array ?? s.value]) }), arrayView(s.value, s.name))))));
}

function leafParts(item) {
  return inOrder(section("Value", item.values.map((v) => entry("v", v.name, v.value))), cameIn(item));
}

function foldedParts(item) {
  const counts = item.counts.map(([name, n]) => (n > 1 ? `${name} ×${n.toLocaleString("en")}` : name)).join(", ");
  const line = (op) => h("li", { class: "entry" }, h("code", { text: `${op.name} = ${op.computes}` }),
    h("details", {}, h("summary", { text: "Value and gradient" }), arrayView(op.value, op.name), h("p", { class: "quiet", text: "gradient that came in:" }), op.gradient === null ? h("p", { class: "quiet", text: "none" }) : arrayView(op.gradient, `the gradient of ${op.name}`)));
  const rest = item.ops - item.inside.length;
  return [
    ...section("Folded", [h("p", { text: `${item.ops.toLocaleString("en")} ops are drawn as one: ${counts}.` })]),
    ...inOrder([
      ...section("Comes out of it", item.values.map((v) => entry("v", v.name, v.value))),
      ...section("Goes into it", item.inputs.map((input) => entry("", linkTo(input.from, input.name), input.value))),
    ], [...cameIn(item), ...section("Passes on", item.out.map(passed))]),
    ...section("Leaves in it", item.held.map((x) => entry("v", x.name, x.value, x.gradient === null ? "" : h("details", {}, h("summary", { text: "Its gradient" }), arrayView(x.gradient, `the gradient of ${x.name}`))))),
    ...section("Ops in it", [...item.inside.map(line), rest > 0 ? h("li", { class: "quiet", text: `and ${rest.toLocaleString("en")} more` }) : null]),
  ];
}

/** At the start and the end: what this page is. */
function showOverview(step) {
  const ops = Object.values(items).filter((item) => item.op || item.ops !== undefined);
  const total = ops.reduce((sum, item) => sum + (item.ops ?? 1), 0);
  const parts = [h("h2", { text: step.phase === "end" ? "The end" : "The start" }),
    h("p", { text: `The forward pass computes ${total.toLocaleString("en")} result${total === 1 ? "" : "s"}, the backward pass goes back over them and gives every leaf its gradient. Play it, go step by step, or choose a node.` })];
  parts.push(...data.notes.map((note) => h("p", { class: "formula", text: note })));
  if (step.phase === "end") {
    const leaves = order.filter((id) => items[id].arrived?.length && !items[id].op && items[id].ops === undefined && items[id].kind !== "result");
    parts.push(...section("Gradients of the leaves", leaves.map((id) => entry("g", linkTo(id, items[id].name), items[id].arrived[0].gradient))));
  }
  panel.replaceChildren(...parts);
  panel.setAttribute("aria-label", "Details");
}
