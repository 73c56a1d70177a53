// One row of the film: the finished passes of one loop, with the loop's status above them.
import { address, make } from "./shared.js";
import { endOf } from "./runs.js";
import { enlarge } from "./viewer.js";

// Which loop it is, where a node has several: "object 2, seed 3".
export function nameOf({ object, seed }, objects) {
  const parts = [objects > 1 && object ? `object ${object}` : "", seed === null ? "" : `seed ${seed}`];
  return parts.filter(Boolean).join(", ");
}

// How the loop ended, or what its last pass was about.
const ended = ({ status, warnings }) => (warnings ? `${status} (${warnings})` : status);

function stage(last, end) {
  if (last.status) return last.line;
  const done = `pass ${last.number} of at most ${last.of} done: ${last.reason}`;
  return end && end !== "done" ? `${end} after ${done}` : done;
}

function tile(frame, at, all) {
  const painted = !frame.status;
  const words = painted ? frame.reason : ended(frame);
  const button = make("button", "", { type: "button", title: `${frame.line}\nClick to enlarge` },
    make("img", "", { src: address(frame.image), alt: "", draggable: false }),
    make("span", "number", { textContent: painted ? frame.number : "0" }));
  button.setAttribute("aria-label", `${painted ? `pass ${frame.number}` : "unchanged"}: ${words}`);
  button.tabIndex = at ? -1 : 0; // the arrow keys reach the others
  button.onpointerdown = (event) => event.stopPropagation(); // or it drags the node
  button.onclick = () =>
    enlarge(all.map(({ image, line }) => ({ src: address(image), words: line })), at);
  button.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const buttons = [...button.closest(".frames").querySelectorAll("button")];
    buttons[buttons.indexOf(button) + step]?.focus();
  };
  return make("figure", painted ? "" : "unpainted", {}, button,
    make("figcaption", "", { textContent: words, title: frame.line }));
}

// `old`: a later run may still replace it, or ended before it could.
export function row(frames, objects, old) {
  const last = frames.at(-1), end = endOf(last.prompt_id), name = nameOf(last, objects);
  const shown = frames.filter((one) => one.image);
  const strip = make("div", "frames", {}, ...shown.map(tile));
  const kind = old ? "earlier" : last.status ? (last.done ? "done" : "stopped") : end || "running";
  const words = [old && "earlier run", name, stage(last, end)].filter(Boolean).join(": ");
  const line = make("div", `stage ${kind}`, { textContent: words, title: words });
  strip.onwheel = (event) => {
    if (strip.scrollWidth <= strip.clientWidth) return; // the wheel zooms the canvas
    event.stopPropagation();
    strip.scrollLeft += event.deltaY + event.deltaX;
  };
  strip.onpointerdown = (event) => {
    if (strip.scrollWidth > strip.clientWidth) event.stopPropagation(); // its scroll bar
  };
  const section = make("section", old ? "old" : "", {}, line, strip);
  section.setAttribute("aria-label", words);
  return section;
}
