// What a picker is made of: its elements, and the colours of the objects in its picture.
import { make } from "./shared.js";
import { KEYS } from "./picker_words.js";

const QUERY = [38, 204, 77], FRONT = [242, 64, 51], BEHIND = [64, 140, 255], RIM = [255, 255, 255];
const BUTTONS = [
  ["Detect", "find the objects: run the graph up to this node"],
  ["Draw bound", "drag around all that the object may cover: it stays within"],
  ["Clear", "remove the point, all marks and the bound"],
];
let count = 0;

export function elements() {
  const canvas = make("canvas", "", { hidden: true, tabIndex: 0, id: `amodal-picker-${++count}` });
  const keys = make("div", "keys", { textContent: KEYS, id: `${canvas.id}-keys`, hidden: true });
  const words = make("div", "words", { role: "status" });
  const about = { role: "listbox", "aria-label": "Objects of the picture: the one to complete",
    "aria-describedby": keys.id };
  for (const [name, value] of Object.entries(about)) canvas.setAttribute(name, value);
  const [detect, bound, clear] = BUTTONS.map(([textContent, title]) =>
    make("button", "", { type: "button", textContent, title,
      onpointerdown: (event) => event.stopPropagation() }));
  const content = make("div", "amodal-picker", {},
    make("div", "amodal-bar", {}, detect, bound, clear, words), canvas, keys);
  return { canvas, words, detect, bound, clear, keys, content };
}

// The areas to show: {number, colour, rim, strength}, for Areas.
export function layers({ picked, hovered, marks }) {
  const found = [...marks].filter(([number]) => number && number !== picked).map(
    ([number, front]) => ({ number, colour: front ? FRONT : BEHIND }));
  if (picked) found.push({ number: picked, colour: QUERY });
  if (hovered && hovered !== picked && !marks.has(hovered))
    found.push({ number: hovered, colour: QUERY, strength: 0.75 });
  return found.map((layer) => ({ rim: RIM, ...layer }));
}
