// Draws a closed outline on a canvas: what the pointer goes round, from its press to its release.
const STEP = 0.01; // of the picture's sides, between two points
const FEWEST = 3; // points; fewer are a click

export class Pen {
  // `place(event)`: the pointer as fractions of the picture. `changed()` is called after each
  // change, `done(outline)` at the end with the points, none after a click.
  constructor(canvas, place, changed, done) {
    Object.assign(this, { canvas, place, changed, done, ready: false, outline: null });
  }

  // Ready to draw, or not; what is being drawn is dropped.
  turn(ready) {
    [this.ready, this.outline] = [ready, null];
    this.changed();
  }

  start(event) {
    if (this.outline) return; // another finger
    this.canvas.setPointerCapture(event.pointerId);
    [this.pointer, this.outline] = [event.pointerId, [this.place(event)]];
    this.changed();
  }

  follow(event) {
    if (!this.outline || event.pointerId !== this.pointer) return;
    const at = this.place(event), last = this.outline.at(-1);
    if (Math.hypot(at[0] - last[0], at[1] - last[1]) < STEP) return;
    this.outline.push(at);
    this.changed();
  }

  end(event) {
    if (!this.outline || event.pointerId !== this.pointer) return;
    const outline = this.outline;
    this.turn(false);
    this.done(outline.length < FEWEST ? [] : outline);
  }

  cancel(event) {
    if (this.outline && event.pointerId === this.pointer) this.turn(this.ready);
  }
}
