// Pick the object, on Pick Object: the picture, each detected object lit up under the pointer; a
// click writes the ordinary widget `point`. Detect runs the graph up to here.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { address, addElement, idOf, make, showsRuns } from "./shared.js";
import { Areas, pixels } from "./areas.js";

const DIGITS = 1e5; // amodal/drawing.py, FRACTION_DIGITS: a click means what the index map shows
const HINT = "Detect lists the objects; then click the one to complete";

function build(node) {
  const canvas = make("canvas", "", { hidden: true });
  const words = make("span", "words", { textContent: HINT });
  const detect = make("button", "", {
    type: "button", textContent: "Detect", title: "run the graph up to this node",
  });
  const clear = make("button", "", {
    type: "button", textContent: "Clear", title: "take the point back", hidden: true,
  });
  const bar = make("div", "amodal-bar", {}, detect, clear, words);
  const fit = addElement(node, "amodal_picker", make("div", "amodal-picker", {}, bar, canvas),
    () => (canvas.hidden ? 30 : 250), 300);
  const point = node.widgets.find((widget) => widget.name === "point");
  let areas, shown, hovered = 0, failed = "";

  // The point in the widget, as fractions of the picture; null where there is none.
  function chosen() {
    const given = String(point.value ?? "").match(/-?\d*\.?\d+/g);
    if (given?.length !== 2) return null;
    const place = given.map(Number);
    if (given.every((one, i) => one.includes(".") && place[i] >= 0 && place[i] <= 1)) return place;
    return [(place[0] + 0.5) / shown.size[0], (place[1] + 0.5) / shown.size[1]];
  }
  const named = (number) => shown.labels[number - 1] ?? "no object";
  const score = (number) => (shown.scores[number - 1] ?? 0).toFixed(2);

  function draw() {
    clear.hidden = !point.value;
    if (areas) {
      const at = chosen();
      const picked = at ? areas.at(...at) : 0;
      areas.draw(canvas, picked, hovered, at);
      canvas.style.cursor = hovered ? "pointer" : "default";
      if (hovered) words.textContent = `${named(hovered)} ${score(hovered)}`;
      else if (at) words.textContent = `picked: ${named(picked)}`;
      else words.textContent = shown.labels.length ? "click the object to complete" : "nothing found";
    }
    words.classList.toggle("failed", Boolean(failed));
    if (failed) words.textContent = failed;
    words.title = words.textContent;
  }
  function choose(value) {
    failed = "";
    app.canvas?.emitBeforeChange?.();
    point.value = value;
    point.callback?.(value, app.canvas, node);
    app.canvas?.emitAfterChange?.();
    // Undo sees changes at the end of a click, which happens before this in a Vue node.
    app.extensionManager?.workflow?.activeWorkflow?.changeTracker?.checkState?.();
    node.graph?.setDirtyCanvas(true, true);
    draw();
  }

  const place = (event) => areas && areas.place(canvas, event);
  canvas.onpointermove = (event) => {
    hovered = place(event) ? areas.at(...place(event)) : 0;
    draw();
  };
  canvas.onpointerleave = () => ((hovered = 0), draw());
  canvas.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    const at = place(event);
    if (!at || !areas.at(...at)) return;
    choose(areas.middle(...at).map((one) => (Math.round(one * DIGITS) / DIGITS).toFixed(5)).join());
  };
  for (const button of [detect, clear]) button.onpointerdown = (event) => event.stopPropagation();
  clear.onclick = () => choose("");
  detect.onclick = async () => {
    failed = "";
    words.textContent = "detecting ...";
    try {
      failed = await runUpTo(node);
    } catch (error) {
      failed = String(error.message ?? error);
    }
    draw();
  };
  const before = point.callback;
  point.callback = function (...given) {
    const result = before?.apply(this, given);
    draw();
    return result;
  };

  return async (entries) => {
    const latest = entries.at(-1);
    if (latest && latest.areas.filename !== shown?.areas.filename) {
      const [picture, map] = await Promise.all([latest.image, latest.areas].map((image) =>
        pixels(address(image)))).catch(() => []);
      if (!map) return; // the host was started anew, and has emptied its temp folder
      shown = latest;
      if (!latest.id.endsWith(".detect")) failed = "";
      areas = new Areas(picture, map);
      canvas.hidden = false;
      fit();
    }
    draw();
  };
}

// Queues the whole prompt with a copy of this node that chooses nothing, and asks for that copy
// alone: a point on another picture cannot fail it, and the host keeps what it has of the rest.
// Returns what went wrong, or "".
async function runUpTo(node) {
  const { output, workflow } = await app.graphToPrompt();
  const id = idOf(node);
  const { objects, image } = output[id]?.inputs ?? {};
  if (!objects) return "connect Detect Objects to 'objects'";
  const inputs = { objects, point: "", words: "", index: -1, ...(image && { image }) };
  const copy = `${id}.detect`;
  const reply = await api.fetchApi("/prompt", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      client_id: api.clientId,
      prompt: { ...output, [copy]: { class_type: "AmodalPickObject", inputs } },
      partial_execution_targets: [copy],
      extra_data: { extra_pnginfo: { workflow } },
    }),
  });
  const { prompt_id, error, node_errors } = await reply.json();
  if (reply.ok) return endOf(prompt_id);
  const first = Object.values(node_errors ?? {})[0]?.errors?.[0];
  return first ? `${first.message}: ${first.details}` : (error?.message ?? "refused");
}

// Waits for a run's end; what went wrong in it, or "".
function endOf(id) {
  const ends = ["execution_success", "execution_error", "execution_interrupted"];
  return new Promise((done) => {
    const listen = ({ type, detail }) => {
      if (detail?.prompt_id !== id) return;
      for (const end of ends) api.removeEventListener(end, listen);
      done(type === "execution_error" ? detail.exception_message.trim() : "");
    };
    for (const end of ends) api.addEventListener(end, listen);
  });
}

showsRuns({ key: "amodal_objects", types: ["AmodalPickObject"], build });
