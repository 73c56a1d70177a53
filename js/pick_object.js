// On Pick Object and Amodal Completion: the picture, with the object under the pointer highlighted.
// A click writes the ordinary widget `point`, Shift and click the widget `occluder_hints`, and a
// drag after Draw bound the widget `drawn_bound`. Detect runs the graph up to this node. Arrow keys,
// Enter, Delete and Escape do the same as the mouse.
import { api } from "../../scripts/api.js";
import { address, addElement, everyNode, showsRuns } from "./shared.js";
import { Areas, pixels } from "./areas.js";
import { Choice } from "./choice.js";
import { Pen } from "./pen.js";
import { elements, layers } from "./picker_parts.js";
import { list, told } from "./picker_words.js";
import { runUpTo } from "./run_up_to.js";
import { watchPicture } from "./upstream.js";

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
const failures = new WeakMap(); // node -> the function that shows an error on it

function build(node) {
  const { canvas, words, detect, bound, clear, keys, content } = elements();
  const fit = addElement(node, "amodal_picker", content, () => (canvas.hidden ? 62 : 280), 270,
    "Object");
  const choice = new Choice(node, draw);
  const pen = new Pen(canvas, (event) => areas.nearest(canvas, event), draw,
    (outline) => choice.bind(outline));
  // shown: what was detected in the picture of `areas`; latest: what was detected last.
  let areas, shown, latest, source = "", wanted = "", hovered = 0, outside = false, failed = "";

  function draw() {
    clear.hidden = choice.isEmpty;
    bound.hidden = !areas;
    bound.ariaPressed = String(pen.ready);
    const [picked, marks] = shown ? [choice.under(choice.at), choice.marks] : [0, new Map()];
    const state = { areas, shown, picked, hovered, outside, marks, hasPoint: choice.hasPoint,
      draws: pen.ready, isBounded: choice.isBounded, leadsNowhere: choice.isBoundUnused };
    if (areas) {
      areas.draw(canvas, layers(state), shown && choice.at, pen.outline ?? choice.outline);
      canvas.style.cursor = pen.ready ? "crosshair" : hovered ? "pointer" : "default";
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
    if (pen.ready) return pen.follow(event);
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
    if (pen.ready) return pen.start(event);
    const at = follow(event);
    if (shown && at) choose(at, event.shiftKey);
  };
  canvas.onpointerup = (event) => pen.end(event);
  canvas.onpointercancel = (event) => pen.cancel(event);
  function step(by) {
    const all = shown ? areas.all() : [], old = all.indexOf(hovered || choice.under(choice.at));
    if (all.length) hovered = all[(Math.max(old, by < 0 ? 0 : -1) + by + all.length) % all.length];
    outside = false;
  }
  canvas.onkeydown = (event) => {
    if (event.key in STEPS && shown) step(STEPS[event.key]);
    else if (["Enter", " "].includes(event.key) && hovered)
      choose(areas.heart(hovered), event.shiftKey);
    else if (["Delete", "Backspace"].includes(event.key)) choice.bind([]);
    else if (event.key === "Escape") pen.ready ? pen.turn(false) : choice.clear();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the editor has other uses for these keys
    draw();
  };
  bound.onclick = () => {
    [hovered, outside, failed] = [0, false, ""];
    pen.turn(!pen.ready);
  };
  clear.onclick = () => {
    choice.clear();
    fail("");
    pen.turn(false);
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
    choice.about(areas, entry?.size ?? [picture?.width, picture?.height]);
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
