// On Pick Object: the picture, with the object under the pointer highlighted. A click writes the
// ordinary widget `point`, Shift and click the widget `occluder_hints`. Detect runs the graph up to
// this node.
import { app } from "../../scripts/app.js";
import { address, addElement, make, showsRuns } from "./shared.js";
import { Areas, pixels } from "./areas.js";
import { runUpTo } from "./run_up_to.js";

const DIGITS = 1e5; // FRACTION_DIGITS in amodal/core/visualize.py: a click reads the index map
const HINT = "Detect lists the objects; then click the one to complete";
const QUERY = [38, 204, 77], FRONT = [242, 64, 51], BEHIND = [64, 140, 255];

function build(node) {
  const canvas = make("canvas", "", { hidden: true });
  const words = make("span", "words", { textContent: HINT });
  const detect = make("button", "", {
    type: "button", textContent: "Detect", title: "run the graph up to this node",
  });
  const clear = make("button", "", {
    type: "button", textContent: "Clear", title: "remove the point and all marks", hidden: true,
  });
  const bar = make("div", "amodal-bar", {}, detect, clear, words);
  const fit = addElement(node, "amodal_picker", make("div", "amodal-picker", {}, bar, canvas),
    () => (canvas.hidden ? 30 : 250), 300);
  const [point, hints] = ["point", "occluder_hints"].map((name) =>
    node.widgets.find((widget) => widget.name === name));
  let areas, shown, hovered = 0, failed = "";

  // A point as fractions of the picture; null for any other text.
  function fractions(text) {
    const given = String(text ?? "").match(/-?\d*\.?\d+/g);
    if (given?.length !== 2) return null;
    const place = given.map(Number);
    if (given.every((one, i) => one.includes(".") && place[i] >= 0 && place[i] <= 1)) return place;
    return [(place[0] + 0.5) / shown.size[0], (place[1] + 0.5) / shown.size[1]];
  }
  const under = (at) => (at ? areas.at(...at) : 0);
  const texts = () => String(hints?.value ?? "").split(/[;\n]/).filter((one) => one.trim());
  const isFront = (text) => !/^\s*not\b/i.test(text);
  // Marks by hand: number -> is it in front? Of two marks on one object the later counts.
  const marked = () => new Map(texts().map((text) => [under(fractions(text)), isFront(text)]));
  const named = (number) => shown.labels[number - 1] ?? "no object";
  const score = (number) => (shown.scores[number - 1] ?? 0).toFixed(2);

  function told(picked, marks) {
    if (hovered) {
      const mark = { true: ", marked: hides it", false: ", marked: does not hide it" };
      return `${named(hovered)} ${score(hovered)}${mark[marks.get(hovered)] ?? ""}`;
    }
    if (picked) return `picked: ${named(picked)}; Shift and click marks occluders`;
    return shown.labels.length ? "click the object to complete" : "nothing detected";
  }
  function draw() {
    clear.hidden = !point.value && !texts().length;
    if (areas) {
      const at = fractions(point.value), picked = under(at), marks = marked();
      const layers = [...marks].filter(([number]) => number && number !== picked).map(
        ([number, front]) => ({ number, colour: front ? FRONT : BEHIND }));
      if (picked) layers.push({ number: picked, colour: QUERY });
      if (hovered && hovered !== picked && !marks.has(hovered))
        layers.push({ number: hovered, colour: QUERY, strength: 0.75 });
      areas.draw(canvas, layers.map((one) => ({ rim: one.colour, ...one })), at);
      canvas.style.cursor = hovered ? "pointer" : "default";
      words.textContent = told(picked, marks);
    }
    words.classList.toggle("failed", Boolean(failed));
    if (failed) words.textContent = failed;
    words.title = words.textContent;
  }
  function choose(values) {
    failed = "";
    app.canvas?.emitBeforeChange?.();
    for (const [widget, value] of values) {
      if (!widget || widget.value === value) continue;
      widget.value = value;
      widget.callback?.(value, app.canvas, node);
    }
    app.canvas?.emitAfterChange?.();
    // Undo records changes at the end of a click, which comes before this in a Vue node.
    app.extensionManager?.workflow?.activeWorkflow?.changeTracker?.checkState?.();
    node.graph?.setDirtyCanvas(true, true);
    draw();
  }
  const written = (at) =>
    areas.middle(...at).map((one) => (Math.round(one * DIGITS) / DIGITS).toFixed(5)).join();
  // The marks without those of one object, plus new ones.
  const without = (number, ...more) =>
    [...texts().filter((text) => under(fractions(text)) !== number), ...more]
      .map((text) => text.trim()).join("; ");
  // Each Shift and click changes the mark: hides it, does not hide it, as the order says.
  function mark(at) {
    const number = under(at), was = marked().get(number);
    const next = { undefined: [written(at)], true: [`not ${written(at)}`], false: [] }[was];
    choose([[hints, without(number, ...next)]]);
  }

  const place = (event) => areas && areas.place(canvas, event);
  canvas.onpointermove = (event) => {
    hovered = under(place(event));
    draw();
  };
  canvas.onpointerleave = () => ((hovered = 0), draw());
  canvas.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    const at = place(event);
    if (!under(at)) return;
    if (!event.shiftKey) choose([[point, written(at)], [hints, without(under(at))]]);
    else if (under(at) !== under(fractions(point.value))) mark(at);
  };
  for (const button of [detect, clear]) button.onpointerdown = (event) => event.stopPropagation();
  clear.onclick = () => choose([[point, ""], [hints, ""]]);
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
  for (const widget of [point, hints].filter(Boolean)) {
    const before = widget.callback;
    widget.callback = function (...given) {
      const result = before?.apply(this, given);
      draw();
      return result;
    };
  }

  return async (entries) => {
    const latest = entries.at(-1);
    if (latest && latest.areas.filename !== shown?.areas.filename) {
      const [picture, map] = await Promise.all([latest.image, latest.areas].map((image) =>
        pixels(address(image)))).catch(() => []);
      if (!map) return; // the host restarted and emptied its temp folder
      shown = latest;
      if (!latest.id.endsWith(".detect")) failed = "";
      areas = new Areas(picture, map);
      canvas.hidden = false;
      fit();
    }
    draw();
  };
}

showsRuns({ key: "amodal_objects", types: ["AmodalPickObject"], build });
