// The completions of one Amodal Completion side by side, to compare them and to pick a seed.
import { app } from "../../scripts/app.js";
import { address, make } from "./shared.js";
import { nameOf } from "./film_row.js";
import { dialog } from "./viewer.js";

// Sets widgets of a node by name, as one step for undo.
function change(node, values) {
  app.canvas?.emitBeforeChange?.();
  for (const [name, value] of Object.entries(values)) {
    const widget = node.widgets.find((one) => one.name === name);
    if (!widget || widget.value === value) continue;
    widget.value = value;
    widget.callback?.(value, app.canvas, node);
  }
  app.canvas?.emitAfterChange?.();
  app.extensionManager?.workflow?.activeWorkflow?.changeTracker?.checkState?.();
  node.graph?.setDirtyCanvas(true, true);
}

const isLinked = (node, name) =>
  node.inputs?.some((input) => input.widget?.name === name && input.link !== null);

function picker(node, seed, close) {
  const linked = ["seed", "count"].some((name) => isLinked(node, name));
  return make("button", "pick", {
    type: "button", textContent: `Keep seed ${seed}`, disabled: linked || seed === null,
    title: linked ? "seed or count comes from another node: set it there"
      : "sets seed to this one and count to 1; the next run only shows this completion",
    onclick() {
      change(node, { seed, count: 1, control_after_generate: "fixed" });
      close();
    },
  });
}

function card(node, entry, objects, close) {
  const name = nameOf(entry, objects);
  const ended = entry.warnings ? `${entry.status} (${entry.warnings})` : entry.status;
  const pictures = ["overlay", "cutout"].map((kind) => make("img", kind, {
    src: address(entry[kind]), alt: `${kind === "overlay" ? "picture" : "object"}, ${name}`,
    draggable: false,
  }));
  return make("figure", "", {}, ...pictures,
    make("figcaption", "", {}, make("b", "", { textContent: name }), ` ${ended}`),
    picker(node, entry.seed, close));
}

// entries: what Gather Results told of each completion, in order.
export function compare(node, entries) {
  const objects = new Set(entries.map(({ object }) => object)).size;
  const alpha = make("button", "", { type: "button", textContent: "Alpha",
    title: "show the cut-outs alone, on a chequered background" });
  const grid = make("div", "cards");
  const view = dialog(`${entries.length} completions`, "amodal-gallery", alpha, grid);
  grid.append(...entries.map((entry) => card(node, entry, objects, () => view.close())));
  const show = (on) => {
    alpha.setAttribute("aria-pressed", String(on));
    grid.classList.toggle("alone", on);
  };
  alpha.onclick = () => show(alpha.getAttribute("aria-pressed") !== "true");
  show(false);
  const picks = [...grid.querySelectorAll(".pick")];
  grid.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) picks[picks.indexOf(document.activeElement) + step]?.focus();
  });
  picks[0].focus();
}
