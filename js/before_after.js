// On Trim And Overlay: the picture before and after under a line to drag. Buttons show the amodal
// mask, or the cut-out alone.
import { address, addElement, make, showsRuns } from "./shared.js";

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

function build(node) {
  const [before, after, object, mask] = ["before", "after", "object", "mask"].map((name) =>
    make("img", name, { alt: "", draggable: false, hidden: name === "object" || name === "mask" }));
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
  const fit = addElement(node, "amodal_before_after",
    make("div", "amodal-slider", {}, bar, make("div", "room", {}, stage), hint), () => (stage.hidden ? 24 : 220), 300);

  // `part` is the fraction of the width that shows "before"; right at every zoom.
  function cut(part) {
    right.style.clipPath = `inset(0 0 0 ${100 * part}%)`;
    line.style.left = `${100 * part}%`;
    stage.dataset.cut = part.toFixed(3);
  }
  function follow(event) {
    const box = stage.getBoundingClientRect();
    cut(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
  }
  stage.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    stage.setPointerCapture(event.pointerId);
    follow(event);
  };
  stage.onpointermove = (event) => stage.hasPointerCapture(event.pointerId) && follow(event);
  cut(0.5);

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
