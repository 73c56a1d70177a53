// What a picker says: in its status line, and to screen readers.
import { make } from "./shared.js";

export const KEYS = "Click: pick. Shift and click: mark an occluder. "
  + "By keyboard: arrow keys, Enter, Shift and Enter, Escape; Delete removes the bound.";
const MARK = { true: ", marked: hides it", false: ", marked: does not hide it" };

const named = (shown, number) => shown.labels[number - 1] ?? "no object";

function scored(shown, number, marks) {
  const score = (shown.scores[number - 1] ?? 0).toFixed(2);
  return `${named(shown, number)} ${score}${MARK[marks.get(number)] ?? ""}`;
}

// areas: the picture; shown: what was detected in it. Both may be missing. picked, hovered: numbers
// of objects, 0 for none. outside: is the pointer on the picture, but on no object? draws: is a
// bound to be drawn? isBounded: is there one?
export function told(state) {
  const { hovered, outside, draws, isBounded, leadsNowhere } = state;
  const unused = leadsNowhere ? "; connect upper_bound, or it has no effect" : "";
  if (draws) return `drag around all that the object may cover${unused || removal(isBounded)}`;
  const bounded = isBounded && !hovered && !outside;
  return toldOfObjects(state) + (bounded ? `; a bound is drawn${unused}` : "");
}

const removal = (isBounded) => (isBounded ? "; a click removes the bound" : "");

function toldOfObjects({ areas, shown, picked, hovered, outside, marks, hasPoint }) {
  if (!areas) return "Detect lists the objects; then click the one to complete";
  if (!shown) return `press Detect${outside ? " first" : ""}, then click the object to complete`;
  if (!shown.labels.length) return "nothing detected: write its name, or lower the threshold";
  if (hovered) return scored(shown, hovered, marks);
  if (outside) return "background: nothing was detected here, a click changes nothing";
  if (picked) return `picked: ${named(shown, picked)}`;
  return hasPoint ? "the point hits no detected object" : "click the object to complete";
}

// The objects as the options of a list box, which is the canvas: its content is what is read out.
export function list(canvas, { areas, shown, picked, hovered, marks }) {
  const id = (number) => `${canvas.id}-${number}`;
  canvas.replaceChildren(...(shown ? areas.all() : []).map((number) => {
    const option = make("div", "", { id: id(number), textContent: scored(shown, number, marks) });
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", String(number === picked));
    return option;
  }));
  if (hovered) canvas.setAttribute("aria-activedescendant", id(hovered));
  else canvas.removeAttribute("aria-activedescendant");
}
