// Filmstrip of the loop, on Loop End and Amodal Completion: each finished pass with the object's
// outline, its number, and why the loop went on. One bar above it shows the whole run.
import { api } from "../../scripts/api.js";
import { address, addElement, make, showsRuns } from "./shared.js";

const HOLDERS = ["AmodalLoopEnd", "AmodalCompletion"];

const ROW = 118; // height of one loop's passes, with their words and the scroll bar

function tile(frame) {
  const picture = make("img", "", { src: address(frame.image), alt: "", draggable: false });
  const painted = !frame.status;
  const words = painted ? frame.reason : ended(frame);
  return make("figure", painted ? "" : "unpainted", { title: frame.line },
    picture,
    make("span", "number", { textContent: painted ? frame.number : "0" }),
    make("figcaption", "", { textContent: words }));
}

// How the loop ended, or what its last pass was about.
const ended = ({ status, warnings }) => (warnings ? `${status} (${warnings})` : status);

function stage(frames) {
  const last = frames.at(-1);
  if (last.status) return last.line;
  return `pass ${last.number} of at most ${last.of} done: ${last.reason}`;
}

// One row for each loop: Amodal Completion has one for each picture and seed.
function row(frames, latest) {
  const strip = make("div", "frames", {}, ...frames.filter((one) => one.image).map(tile));
  const old = frames.at(-1).prompt_id !== latest;
  const { status, done } = frames.at(-1);
  const end = status ? (done ? "done" : "stopped") : "running";
  const line = make("div", `stage ${end}`, { textContent: stage(frames), title: stage(frames) });
  strip.onwheel = (event) => {
    if (strip.scrollWidth <= strip.clientWidth) return; // the wheel zooms the canvas
    event.stopPropagation();
    strip.scrollLeft += event.deltaY + event.deltaX;
  };
  strip.onpointerdown = (event) => {
    if (strip.scrollWidth > strip.clientWidth) event.stopPropagation(); // its scroll bar
  };
  return make("section", old ? "old" : "", old ? { title: "from an earlier run" } : {}, line, strip);
}

// The part of its loop that is done, if the loop takes every allowed pass.
function share({ done, number, of, step, steps }) {
  return done ? 1 : Math.min(1, (number - 1 + (steps ? step / steps : 0)) / (of ?? number));
}

function at({ number, of, step, steps, doing }) {
  let pass = of ? `pass ${number} of at most ${of}` : `pass ${number}`;
  if (number > of) pass = `after ${of} of at most ${of} passes`; // the last check, which paints nothing
  return `${pass}${steps ? `, step ${step} of ${steps}` : ""}: ${doing}`;
}

const ends = new Map(); // run -> how it ended
const bars = new WeakMap(); // node -> the function that shows its run's stages

function build(node) {
  const words = make("span", "words"), fill = make("div", "fill");
  const bar = make("div", "amodal-run", { hidden: true }, fill, words);
  const strips = make("div", "rows");
  let rows = 0;
  const height = () => (bar.hidden ? 0 : 24) + (rows ? rows * ROW : 24);
  const fit = addElement(node, "amodal_film", make("div", "amodal-film", {}, bar, strips),
    height, 300);

  bars.set(node, (entries) => {
    const latest = entries.at(-1), end = ends.get(latest?.prompt_id);
    const hidden = !latest || end === "done";
    if (!hidden) {
      const parts = entries.reduce((sum, entry) => sum + share(entry), 0);
      fill.style.width = `${(100 * parts) / latest.loops}%`;
      bar.classList.toggle("broken", Boolean(end));
      words.textContent = words.title = `${end ? `${end} in ` : ""}${at(latest)}`;
    }
    if (bar.hidden === hidden) return;
    bar.hidden = hidden;
    fit();
  });
  return (entries) => {
    const loops = new Map();
    for (const entry of entries) {
      if (!loops.has(entry.loop)) loops.set(entry.loop, []);
      loops.get(entry.loop).push(entry);
    }
    rows = loops.size;
    const latest = entries.at(-1)?.prompt_id;
    strips.replaceChildren(...[...loops.values()].map((frames) => row(frames, latest)));
    if (!rows) strips.append(make("p", "amodal-hint", { textContent: "each pass appears here" }));
    for (const strip of strips.querySelectorAll(".frames")) strip.scrollLeft = strip.scrollWidth;
    fit();
  };
}

showsRuns({
  key: "amodal_pass",
  types: HOLDERS,
  build(node) {
    const show = build(node);
    show([]);
    return show;
  },
  replaces: (entry, old) =>
    old.loop === entry.loop && (old.prompt_id !== entry.prompt_id || old.number === entry.number),
});
const showBars = showsRuns({
  key: "amodal_stage",
  types: HOLDERS,
  build: (node) => bars.get(node), // made with the film, by the extension above
  replaces: (entry, old) => old.loop === entry.loop || old.prompt_id !== entry.prompt_id,
});
for (const [event, end] of Object.entries({
  execution_success: "done", execution_interrupted: "cancelled", execution_error: "failed",
}))
  api.addEventListener(event, ({ detail }) => {
    ends.set(detail?.prompt_id, end);
    showBars();
  });
