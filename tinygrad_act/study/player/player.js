// The player: at which step it stands, and everything that moves it.
const by = (id) => document.getElementById(id);
const slider = by("slider"), say = by("say"), speed = by("speed"), root = document.documentElement;
let at = 0, timer = 0, chosen = null, focused = order[0];
const playing = () => timer !== 0;

/** Go to a step; what was chosen by hand is let go. */
function go(to, quietly = false) {
  at = Math.max(0, Math.min(steps.length - 1, to));
  chosen = null;
  const step = steps[at];
  document.body.classList.toggle("returning", at >= turn);
  say.setAttribute("aria-live", playing() && Number(speed.value) > .5 ? "off" : "polite");
  if (!quietly) say.textContent = step.text;
  slider.value = String(at);
  slider.setAttribute("aria-valuetext", `step ${at} of ${steps.length - 1}: ${step.text}`);
  by("count").textContent = `${at} / ${steps.length - 1}`;
  by("count").dataset.phase = step.phase;
  for (const [id, stuck] of [["first", at === 0], ["back", at === 0], ["next", at === steps.length - 1], ["last", at === steps.length - 1]]) by(id).setAttribute("aria-disabled", String(stuck));
  light(at, chosen);
  if (step.item) { showItem(step.item); follow(step.item); rove(step.item); } else showOverview(step);
  panel.scrollTop = 0;
}

/** Show a node's details; the play stays where it is. */
function choose(id, move = false) {
  pause();
  chosen = id;
  light(at, chosen);
  showItem(id);
  rove(id);
  panel.scrollTop = 0;
  if (move) follow(id);
}

function pause() {
  clearTimeout(timer);
  timer = 0;
  document.body.classList.remove("playing");
  by("play").setAttribute("aria-label", "Play");
  say.setAttribute("aria-live", "polite");
}

function play() {
  if (at === steps.length - 1) go(0);
  document.body.classList.add("playing");
  by("play").setAttribute("aria-label", "Pause");
  const tick = () => {
    timer = setTimeout(() => {
      go(at + 1);
      if (at < steps.length - 1) tick(); else pause();
    }, 1000 / Number(speed.value));
  };
  tick();
}

const toggle = () => (playing() ? pause() : play());
const move = (to) => { pause(); go(to); };

/** The one node that Tab comes to. */
function rove(id) {
  nodeOf(focused).setAttribute("tabindex", "-1");
  focused = id;
  nodeOf(focused).setAttribute("tabindex", "0");
}

const actions = { first: () => move(0), back: () => move(at - 1), play: toggle, next: () => move(at + 1), last: () => move(steps.length - 1) };
for (const [id, action] of Object.entries(actions)) by(id).addEventListener("click", action);
slider.max = String(steps.length - 1);
slider.addEventListener("input", () => move(Number(slider.value)));
speed.addEventListener("change", () => { if (playing()) { clearTimeout(timer); play(); } });

svg.addEventListener("click", (event) => {
  const node = event.target.closest(".node");
  if (node && moved < 8) choose(node.id);
});
svg.addEventListener("focusin", (event) => { if (event.target.matches(".node:focus-visible")) follow(event.target.id); });

const zooms = { in: () => zoomBy(1.3), out: () => zoomBy(1 / 1.3), fit: () => fit() };
for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", zooms[button.dataset.zoom]);

const keys = {
  " ": toggle, ArrowRight: actions.next, ArrowLeft: actions.back, Home: actions.first, End: actions.last, t: () => move(turn), T: () => move(turn),
  "+": zooms.in, "=": zooms.in, "-": zooms.out, 0: zooms.fit, "?": () => by("about").showModal(),
};
const within = { Enter: (id) => choose(id), ArrowDown: (id) => step(id, 1), ArrowUp: (id) => step(id, -1) };

function step(id, by_) {
  const next = order[Math.max(0, Math.min(order.length - 1, order.indexOf(id) + by_))];
  rove(next);
  nodeOf(next).focus({ preventScroll: true });
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || by("about").open) return;
  const target = event.target;
  if (target.closest("select, [role=region]")) return;
  const node = target.closest?.(".node");
  if (node && within[event.key]) { within[event.key](node.id); event.preventDefault(); return; }
  if (event.key === " " && target.closest("button, summary") && target.id !== "play") return;      // presses what has the focus
  if (keys[event.key]) { keys[event.key](); event.preventDefault(); }
});

// ------------------------------------------------------------------------------------------------ light and dark, help
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
function recolour() {
  palette = null;
  thumbs.clear();
  shown.clear();
  by("theme").textContent = isDark() ? "Light" : "Dark";
  by("theme").setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`);
  light(at, chosen);
  if (chosen) showItem(chosen); else if (steps[at].item) showItem(steps[at].item); else showOverview(steps[at]);
}
by("theme").addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; recolour(); });
prefersDark.addEventListener("change", recolour);
by("help").addEventListener("click", () => by("about").showModal());
by("notes").append(...data.notes.map((note) => h("p", { text: note })));
by("summary").textContent = `This page needs nothing from the network. It has ${data.bytes}: ${data.summary}`;

// ------------------------------------------------------------------------------------------------------ the beginning
const bar = () => root.style.setProperty("--bar", `${by("controls").offsetHeight + 8}px`);
function settle() {
  by("turn").style.left = `calc(8px + (100% - 16px) * ${turn / (steps.length - 1)})`;
  bar();
  const s = Math.max(Math.min(fitScale(), 1.25), Math.min(.8, stage.clientWidth / 240));
  fit(s);
  if (s > fitScale()) { view.y = full.y - 10 / s; apply(); }
  if (steps[at].item) follow(steps[at].item, true);
}
addEventListener("resize", settle);
new ResizeObserver(bar).observe(by("controls"));
if (steps.length > 100) speed.value = "5"; else if (steps.length > 40) speed.value = "2";
recolour();
go(Number(/^#(\d+)$/.exec(location.hash)?.[1] ?? 0));             // page.html#7 opens at step 7
settle();
