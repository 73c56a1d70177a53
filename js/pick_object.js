// On Pick Object and Amodal Completion: the picture, with the object under the pointer highlighted.
// A click writes the ordinary widget `point`, Shift and click the widget `occluder_hints`. Detect
// runs the graph up to this node. Arrow keys, Enter and Escape do the same as the mouse.
import { api } from "../../scripts/api.js";
import { address, addElement, everyNode, make, showsRuns } from "./shared.js";
import { Areas, pixels } from "./areas.js";
import { Choice } from "./choice.js";
import { KEYS, list, told } from "./picker_words.js";
import { runUpTo } from "./run_up_to.js";
import { watchPicture } from "./upstream.js";

const QUERY = [38, 204, 77], FRONT = [242, 64, 51], BEHIND = [64, 140, 255], RIM = [255, 255, 255];
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
const failures = new WeakMap(); // node -> the function that shows an error on it
let count = 0;

function elements() {
  const canvas = make("canvas", "", { hidden: true, tabIndex: 0, id: `amodal-picker-${++count}` });
  const keys = make("div", "keys", { textContent: KEYS, id: `${canvas.id}-keys`, hidden: true });
  const words = make("div", "words", { role: "status" });
  const about = { role: "listbox", "aria-label": "Objects of the picture: the one to complete",
    "aria-describedby": keys.id };
  for (const [name, value] of Object.entries(about)) canvas.setAttribute(name, value);
  const [detect, clear] = [
    ["Detect", "find the objects: run the graph up to this node"],
    ["Clear", "remove the point and all marks"],
  ].map(([textContent, title]) => make("button", "", { type: "button", textContent, title }));
  for (const button of [detect, clear])
    button.onpointerdown = (event) => event.stopPropagation();
  const content = make("div", "amodal-picker", {},
    make("div", "amodal-bar", {}, detect, clear, words), canvas, keys);
  return { canvas, words, detect, clear, keys, content };
}

function layers({ picked, hovered, marks }) {
  const found = [...marks].filter(([number]) => number && number !== picked).map(
    ([number, front]) => ({ number, colour: front ? FRONT : BEHIND }));
  if (picked) found.push({ number: picked, colour: QUERY });
  if (hovered && hovered !== picked && !marks.has(hovered))
    found.push({ number: hovered, colour: QUERY, strength: 0.75 });
  return found.map((layer) => ({ rim: RIM, ...layer }));
}

function build(node) {
  const { canvas, words, detect, clear, keys, content } = elements();
  const fit = addElement(node, "amodal_picker", content, () => (canvas.hidden ? 34 : 250), 270,
    "Object");
  const choice = new Choice(node, draw);
  // shown: what was detected in the picture of `areas`; latest: what was detected last.
  let areas, shown, latest, source = "", wanted = "", hovered = 0, outside = false, failed = "";

  function draw() {
    clear.hidden = choice.isEmpty;
    const [picked, marks] = shown ? [choice.under(choice.at), choice.marks] : [0, new Map()];
    const state = { areas, shown, picked, hovered, outside, marks, isEmpty: choice.isEmpty };
    if (areas) {
      areas.draw(canvas, layers(state), shown && choice.at);
      canvas.style.cursor = hovered ? "pointer" : "default";
      list(canvas, state);
    }
    words.classList.toggle("failed", Boolean(failed));
    words.textContent = failed || told(state);
  }
  function fail(text) {
    failed = text;
    draw();
  }
  function choose(at, mark) {
    failed = "";
    if (choice.under(at)) choice[mark ? "mark" : "pick"](at);
    draw();
  }
  function follow(event) {
    const at = areas?.place(canvas, event);
    hovered = at ? areas.at(...at) : 0;
    outside = Boolean(at) && !hovered;
    draw();
    return at;
  }
  canvas.onpointermove = follow;
  canvas.onpointerleave = () => {
    [hovered, outside] = [0, false];
    draw();
  };
  canvas.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    canvas.focus({ preventScroll: true });
    const at = follow(event);
    if (shown && at) choose(at, event.shiftKey);
  };
  function step(by) {
    const all = shown ? areas.all() : [], old = all.indexOf(hovered || choice.under(choice.at));
    if (all.length) hovered = all[(Math.max(old, by < 0 ? 0 : -1) + by + all.length) % all.length];
    outside = false;
  }
  canvas.onkeydown = (event) => {
    if (event.key in STEPS && shown) step(STEPS[event.key]);
    else if (["Enter", " "].includes(event.key) && hovered)
      choose(areas.heart(hovered), event.shiftKey);
    else if (event.key === "Escape") choice.clear();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the editor has other uses for these keys
    draw();
  };
  clear.onclick = () => {
    choice.clear();
    fail("");
  };
  detect.onclick = async () => {
    words.textContent = "detecting ...";
    fail(await runUpTo(node).catch((error) => String(error.message ?? error)));
  };
  failures.set(node, fail);

  // Shows what was detected last; the bare picture if another one was chosen since, or before that.
  async function refresh() {
    if (latest) latest.source ||= source;
    const entry = latest && (!source || latest.source === source) ? latest : undefined;
    const now = entry ? entry.areas.filename : source;
    if (now === wanted) return draw();
    wanted = now;
    const addresses = entry ? [entry.image, entry.areas].map(address) : [source].filter(Boolean);
    const [picture, map] = await Promise.all(addresses.map(pixels)).catch(() => []);
    if (now !== wanted) return;
    if (!picture && entry) { // the host restarted and emptied its temp folder
      latest = undefined;
      return refresh();
    }
    areas = picture && new Areas(picture, map);
    [shown, hovered, outside] = [picture && entry, 0, false];
    choice.about(areas, entry?.size);
    canvas.hidden = keys.hidden = !picture;
    fit();
    draw();
  }
  watchPicture(node, (address) => {
    source = address;
    return refresh();
  });
  draw();
  return (entries) => {
    if (entries.length && entries.at(-1) !== latest) {
      latest = entries.at(-1);
      if (!latest.id.endsWith(".detect")) failed = "";
    }
    return refresh();
  };
}

showsRuns({ key: "amodal_objects", types: ["AmodalPickObject", "AmodalCompletion"], build });
function tell(text, id) {
  for (const [name, node] of everyNode())
    if (!id || name === id) failures.get(node)?.(text);
}
api.addEventListener("execution_start", () => tell(""));
api.addEventListener("execution_error", ({ detail }) =>
  tell(detail.exception_message.trim(), String(detail.node_id).split(".")[0]));
