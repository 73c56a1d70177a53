// On Trim And Overlay: the picture before and after under a line to drag or to move by the arrow
// keys. Buttons show the amodal mask, or the cut-out alone.
import { address, addElement, make, showsRuns } from "./shared.js";

const STEPS = { ArrowLeft: -0.05, ArrowDown: -0.05, ArrowRight: 0.05, ArrowUp: 0.05,
  PageDown: -0.2, PageUp: 0.2, Home: -1, End: 1 };
const PICTURES = {
  before: "the picture", after: "the picture with the whole object in front",
  object: "the object, cut out", mask: "its amodal mask",
};

function toggle(text, title, change) {
  const button = make("button", "", { type: "button", textContent: text, title });
  button.setAttribute("aria-pressed", "false");
  button.onpointerdown = (event) => event.stopPropagation();
  button.onclick = (event) => {
    event.stopPropagation();
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    change(on);
  };
  return button;
}

// The stage on which `cut(part)` shows "before" on that fraction of the width.
function slider(stage, right, line) {
  let place = 0.5;
  stage.tabIndex = 0;
  for (const [name, value] of Object.entries({ role: "slider", "aria-valuemin": 0,
    "aria-valuemax": 100, "aria-label": "before and after" }))
    stage.setAttribute(name, value);
  function cut(part) {
    place = Math.min(1, Math.max(0, part));
    right.style.clipPath = `inset(0 0 0 ${100 * place}%)`;
    line.style.left = `${100 * place}%`;
    stage.dataset.cut = place.toFixed(3);
    stage.setAttribute("aria-valuenow", Math.round(100 * place));
    stage.setAttribute("aria-valuetext", `${Math.round(100 * place)} % before`);
  }
  function follow(event) {
    const box = stage.getBoundingClientRect();
    cut((event.clientX - box.left) / box.width); // right at every zoom
  }
  stage.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    stage.setPointerCapture(event.pointerId);
    follow(event);
  };
  stage.onpointermove = (event) => stage.hasPointerCapture(event.pointerId) && follow(event);
  stage.onkeydown = (event) => {
    if (!STEPS[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // the editor moves the selected nodes
    cut(place + STEPS[event.key]);
  };
  cut(place);
}

function build(node) {
  const [before, after, object, mask] = Object.entries(PICTURES).map(([name, alt]) =>
    make("img", name, { alt, draggable: false, hidden: name === "object" || name === "mask" }));
  const line = make("div", "line");
  const right = make("div", "right", {}, after, object, mask);
  const stage = make("div", "stage", { hidden: true }, before, right, line,
    make("span", "left-word", { textContent: "before" }),
    make("span", "right-word", { textContent: "after" }));
  const bar = make("div", "amodal-bar", { hidden: true },
    toggle("Mask", "show the amodal mask", (on) => (mask.hidden = !on)),
    toggle("Alpha", "show the cut-out alone, on a chequered background", (on) => {
      object.hidden = !on;
      after.hidden = on;
      right.classList.toggle("chequered", on);
    }));
  const hint = make("p", "amodal-hint", { textContent: "before and after appear here" });
  const view = make("div", "amodal-slider", {}, bar, make("div", "room", {}, stage), hint);
  const fit = addElement(node, "amodal_before_after", view, () => (stage.hidden ? 24 : 220), 300);
  slider(stage, right, line);

  return (entries) => {
    const shown = entries.at(-1);
    stage.hidden = bar.hidden = !shown;
    hint.hidden = Boolean(shown);
    if (shown) {
      stage.style.setProperty("--ratio", shown.size[0] / shown.size[1]);
      for (const image of [before, after, object, mask])
        image.src = address(shown[image.className]);
    }
    fit();
  };
}

showsRuns({ key: "amodal_result", types: ["AmodalTrimAndOverlay"], build });
