// Filmstrip of the loop, on Loop End and Amodal Completion: each finished pass with the object's
// outline, its number, and why the loop went on. One bar above it shows the whole run.
import { addElement, idOf, make, showsRuns } from "./shared.js";
import { graphId } from "./tabs.js";
import { row } from "./film_row.js";
import { compare } from "./gallery.js";
import { endOf, latestRun, onRuns } from "./runs.js";

const HOLDERS = ["AmodalLoopEnd", "AmodalCompletion"];
const ROW = 118; // least height of one loop's passes, with their words and the scroll bar
const MOST = 4; // rows at their least height; more are scrolled to

// The part of its loop that is done, if the loop takes every allowed pass.
function share({ done, number, of, step, steps }) {
  return done ? 1 : Math.min(1, (number - 1 + (steps ? step / steps : 0)) / (of ?? number));
}

function at({ number, of, step, steps, doing, loops, completion }) {
  let pass = of ? `pass ${number} of at most ${of}` : `pass ${number}`;
  if (number > of) pass = `after ${of} of at most ${of} passes`; // the last check, which paints nothing
  if (loops > 1) pass = `completion ${completion} of ${loops}, ${pass}`;
  return `${pass}${steps ? `, step ${step} of ${steps}` : ""}: ${doing}`;
}

// What a row is of. Amodal Completion's loops are known by object and seed: a cached result of one
// may have been made under another id.
const rowOf = ({ object, seed, loop }) => (object === null ? loop : `${object}, ${seed}`);

// Is this entry of an earlier run than the node's latest, which has not confirmed it?
function isOld(node, { prompt_id: id }) {
  const latest = latestRun(graphId(), idOf(node));
  return Boolean(latest) && latest.id !== id && latest.end !== "done";
}

class Film {
  constructor(node) {
    this.node = node;
    this.entries = { passes: [], stages: [], loops: [], completions: [] };
    this.words = make("span", "words");
    this.fill = make("div", "fill");
    this.bar = make("div", "amodal-run", { hidden: true }, this.fill, this.words);
    this.bar.setAttribute("role", "progressbar");
    this.compare = make("button", "", { type: "button" });
    this.compare.onpointerdown = (event) => event.stopPropagation();
    this.compare.onclick = () => compare(node, this.completions());
    this.tools = make("div", "amodal-bar", { hidden: true }, this.compare);
    this.hint = make("p", "amodal-hint", { textContent: "the passes appear here" });
    this.rows = make("div", "rows");
    this.rows.onwheel = (event) => {
      if (this.rows.scrollHeight > this.rows.clientHeight) event.stopPropagation();
    };
    const film = make("div", "amodal-film", {}, this.bar, this.tools, this.rows, this.hint);
    film.setAttribute("role", "group");
    film.setAttribute("aria-label", "passes of the loop");
    this.fit = addElement(node, "amodal_film", film, () => this.height(), 300);
  }

  height() {
    const rows = Math.min(MOST, this.rows.childElementCount);
    return (this.bar.hidden ? 0 : 24) + (this.tools.hidden ? 0 : 26) + (rows ? rows * ROW : 24);
  }

  // Takes the entries of one kind, and shows what depends on them.
  show(kind, entries) {
    this.entries[kind] = entries;
    const before = this.height();
    if (kind === "stages") this.#showBar();
    else this.#showRows();
    if (kind !== "stages" || this.height() !== before) this.fit();
  }

  // The rows of Amodal Completion's latest run; undefined on a Loop End.
  #listed() {
    const { loops } = this.entries;
    const current = loops.filter(({ prompt_id: id }) => id === loops.at(-1).prompt_id);
    return loops.length ? current.flatMap((one) => one.loops).map(rowOf) : undefined;
  }

  completions() {
    const { completions } = this.entries, order = this.#listed() ?? [];
    return order.map((place) => completions.find((one) => rowOf(one) === place))
      .filter((one) => one && !isOld(this.node, one));
  }

  #tiles() {
    return [...this.rows.querySelectorAll(".frames button")];
  }

  #showRows() {
    const loops = Map.groupBy(this.entries.passes, rowOf);
    const order = this.#listed() ?? [...loops.keys()];
    const before = this.entries.passes.findLast((one) => isOld(this.node, one))?.prompt_id;
    const isBefore = ([last]) => last.prompt_id === before; // a row until the new run ends well
    const rest = [...loops.keys()].filter((place) => isBefore(loops.get(place)));
    const shown = [...new Set([...order, ...rest])].filter((place) => loops.has(place)).map((place) =>
      loops.get(place).toSorted((one, other) => one.number - other.number));
    const objects = new Set(shown.map(([{ object }]) => object)).size;
    const rows = shown.map((frames) => row(frames, objects, isOld(this.node, frames.at(-1))));
    const focused = this.#tiles().indexOf(document.activeElement);
    this.rows.replaceChildren(...rows);
    this.#tiles()[focused]?.focus();
    this.rows.querySelectorAll(".frames").forEach((strip) => (strip.scrollLeft = strip.scrollWidth));
    this.hint.hidden = rows.length > 0;
    const { length } = this.completions();
    this.compare.textContent = `Compare ${length} completions`;
    this.tools.hidden = length < 2;
  }

  #showBar() {
    const { stages } = this.entries, latest = stages.at(-1), end = endOf(latest?.prompt_id);
    this.bar.hidden = !latest || end === "done" || isOld(this.node, latest);
    if (this.bar.hidden) return;
    const percent = (100 * stages.reduce((sum, entry) => sum + share(entry), 0)) / latest.loops;
    this.fill.style.width = `${percent}%`;
    this.bar.classList.toggle("broken", Boolean(end));
    const words = `${end ? `${end} in ` : ""}${at(latest)}`;
    this.words.textContent = this.words.title = words;
    this.bar.setAttribute("aria-valuenow", Math.round(percent));
    this.bar.setAttribute("aria-valuetext", words);
  }
}

const films = new WeakMap(); // node -> its film; the first of the extensions below makes it

function filmOf(node) {
  if (!films.has(node)) films.set(node, new Film(node));
  return films.get(node);
}

function told(kind, key, types, replaces) {
  const build = (node) => (entries) => filmOf(node).show(kind, entries);
  return showsRuns({ key, types, replaces, build(node) {
    filmOf(node);
    return build(node);
  } });
}

const sameRun = (entry, old) => old.prompt_id === entry.prompt_id;
const sameLoop = (entry, old) => rowOf(old) === rowOf(entry);
// A loop in the body of another one has a row for each pass of the other. A new run of an early
// one makes those of the later passes anew: their ids, which are longer, are of the past.
const isLater = (entry, old) => entry.object === null && old.loop.length > entry.loop.length;
const shows = [
  told("loops", "amodal_loops", ["AmodalCompletion"], (entry, old) => old.id === entry.id),
  told("passes", "amodal_pass", HOLDERS, (entry, old) => (sameRun(entry, old)
    ? sameLoop(entry, old) && old.number === entry.number
    : sameLoop(entry, old) || isLater(entry, old))),
  told("stages", "amodal_stage", HOLDERS, (entry, old) =>
    old.loop === entry.loop || !sameRun(entry, old)),
  told("completions", "amodal_completion", ["AmodalCompletion"], sameLoop),
];
onRuns(() => shows.forEach((show) => show()));
