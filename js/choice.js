// What is chosen in a picker: the widgets `point`, `occluder_hints` and `drawn_bound` of its node,
// as texts.
import { app } from "../../scripts/app.js";

const DIGITS = 1e5; // FRACTION_DIGITS in amodal/core/visualize.py: a click reads the index map
const FINE = 4; // digits of an outline's points, which many make long

const parts = (widget) => String(widget?.value ?? "").split(/[;\n]/).filter((one) => one.trim());

export class Choice {
  // `changed()` is called after each change, also one by the widgets themselves.
  constructor(node, changed) {
    this.node = node;
    [this.point, this.hints, this.bound] = ["point", "occluder_hints", "drawn_bound"].map((name) =>
      node.widgets.find((widget) => widget.name === name));
    for (const widget of [this.point, this.hints, this.bound].filter(Boolean)) {
      const before = widget.callback;
      widget.callback = function (...given) {
        const result = before?.apply(this, given);
        changed();
        return result;
      };
    }
  }

  // The size of the picture in pixels, and its areas: what the texts are about.
  about(areas, size) {
    [this.areas, this.size] = [areas, size];
  }

  // A point as fractions of the picture; null for any other text.
  #fractions(text) {
    const given = String(text ?? "").match(/-?\d*\.?\d+/g);
    if (given?.length !== 2) return null;
    const place = given.map(Number);
    if (given.every((one, i) => one.includes(".") && place[i] >= 0 && place[i] <= 1)) return place;
    return [(place[0] + 0.5) / this.size[0], (place[1] + 0.5) / this.size[1]];
  }

  get at() {
    return this.#fractions(this.point.value);
  }

  get texts() {
    return parts(this.hints);
  }

  get hasPoint() {
    return Boolean(this.point.value);
  }

  get isEmpty() {
    return !this.hasPoint && !this.texts.length && !this.isBounded;
  }

  get isBounded() {
    return parts(this.bound).length > 0;
  }

  // The outline drawn by hand, as fractions of the picture; empty for any other text.
  get outline() {
    const places = parts(this.bound).map((text) => this.#fractions(text));
    return places.includes(null) ? [] : places;
  }

  // Does the bound lead nowhere? Pick Object hands it to what is linked.
  get isBoundUnused() {
    const output = this.node.outputs?.find(({ name }) => name === "upper_bound");
    return Boolean(output && !output.links?.length);
  }

  // Marks by hand: number -> is it in front? Of two marks on one object the later counts.
  get marks() {
    return new Map(this.texts.map((text) =>
      [this.under(this.#fractions(text)), !/^\s*not\b/i.test(text)]));
  }

  under(at) {
    return at ? this.areas.at(...at) : 0;
  }

  pick(at) {
    this.#write([this.point, this.#written(at)], [this.hints, this.#without(this.under(at))]);
  }

  // Each time changes the mark: hides it, does not hide it, as the order says.
  mark(at) {
    const number = this.under(at), was = this.marks.get(number);
    if (number === this.under(this.at)) return;
    const next = {
      undefined: [this.#written(at)], true: [`not ${this.#written(at)}`], false: [],
    }[was];
    this.#write([this.hints, this.#without(number, ...next)]);
  }

  // An outline in place of the one before, none to remove it.
  bind(outline) {
    this.#write([this.bound, outline.map((at) => at.map((one) => one.toFixed(FINE))).join("; ")]);
  }

  clear() {
    this.#write([this.point, ""], [this.hints, ""], [this.bound, ""]);
  }

  #written(at) {
    return this.areas.middle(...at).map((one) => (Math.round(one * DIGITS) / DIGITS).toFixed(5))
      .join();
  }

  // The marks without those of one object, plus new ones. 0, no object, has none.
  #without(number, ...more) {
    const kept = this.texts.filter((text) =>
      !number || this.under(this.#fractions(text)) !== number);
    return [...kept, ...more].map((text) => text.trim()).join("; ");
  }

  #write(...values) {
    app.canvas?.emitBeforeChange?.();
    for (const [widget, value] of values) {
      if (!widget || widget.value === value) continue;
      widget.value = value;
      widget.callback?.(value, app.canvas, this.node);
    }
    app.canvas?.emitAfterChange?.();
    // Undo records changes at the end of a click, which comes before this in a Vue node.
    const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
    (tracker?.captureCanvasState ?? tracker?.checkState)?.call(tracker);
    this.node.graph?.setDirtyCanvas(true, true);
  }
}
