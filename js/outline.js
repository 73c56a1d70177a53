// How a bound drawn by hand is shown in a picture.

// Its path, from points as fractions of a canvas.
export function closed(outline, width, height) {
  const path = new Path2D();
  for (const [x, y] of outline) path.lineTo(x * width, y * height);
  path.closePath();
  return path;
}

export function darkenBeyond(path, context, picture) {
  const { width, height } = context.canvas;
  context.fillStyle = "#0008";
  context.fillRect(0, 0, width, height);
  context.save();
  context.clip(path); // what the outline goes round, as amodal/core/outline.py fills it
  context.drawImage(picture, 0, 0, width, height);
  context.restore();
}

// White dashes on black: one of the two is seen on any colour.
export function trace(path, context) {
  const wide = Math.max(context.canvas.width, context.canvas.height) / 160;
  context.save();
  context.lineJoin = "round";
  for (const [colour, width, dashes] of [["#000", 2 * wide, []], ["#fff", wide, [4 * wide, wide]]]) {
    [context.strokeStyle, context.lineWidth] = [colour, width];
    context.setLineDash(dashes);
    context.stroke(path);
  }
  context.restore();
}
