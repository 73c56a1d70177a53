// Filmstrip of the loop, on Loop End and on the one node: each pass as it is finished, with the
// object's outline, its number, and why the loop went on.
import { address, addElement, make, showsRuns } from "./shared.js";

const ROW = 118; // height of one loop's passes, with their words and the scroll bar

function tile(frame) {
  const picture = make("img", "", { src: address(frame.image), alt: "", draggable: false });
  const painted = !frame.status;
  const words = painted ? frame.reason : frame.status;
  return make("figure", painted ? "" : "unpainted", { title: frame.line },
    picture,
    make("span", "number", { textContent: painted ? frame.number : "0" }),
    make("figcaption", "", { textContent: words }));
}

// What the loop is at: how it ended, or what its last pass was about.
function stage(frames) {
  const last = frames.at(-1);
  if (last.status) return last.line;
  return `pass ${last.number} of at most ${last.of} done: ${last.reason}`;
}

// One row for each loop: the one node has one for each picture and seed.
function row(frames, latest) {
  const strip = make("div", "frames", {}, ...frames.filter((one) => one.image).map(tile));
  const old = frames.at(-1).prompt_id !== latest;
  const end = frames.at(-1).status?.split(" ")[0] ?? "running";
  const line = make("div", `stage ${end}`, { textContent: stage(frames), title: stage(frames) });
  strip.onwheel = (event) => {
    if (strip.scrollWidth <= strip.clientWidth) return; // the wheel zooms the canvas
    event.stopPropagation();
    strip.scrollLeft += event.deltaY + event.deltaX;
  };
  strip.onpointerdown = (event) => {
    if (strip.scrollWidth > strip.clientWidth) event.stopPropagation(); // its scroll bar
  };
  return make("section", old ? "old" : "", old ? { title: "from an earlier run" } : {}, line, strip);
}

function build(node) {
  const film = make("div", "amodal-film");
  let rows = 0;
  const fit = addElement(node, "amodal_film", film, () => (rows ? rows * ROW : 24), 300);

  return (entries) => {
    const loops = new Map();
    for (const entry of entries) {
      if (!loops.has(entry.loop)) loops.set(entry.loop, []);
      loops.get(entry.loop).push(entry);
    }
    rows = loops.size;
    const latest = entries.at(-1)?.prompt_id;
    film.replaceChildren(...[...loops.values()].map((frames) => row(frames, latest)));
    if (!rows) film.append(make("p", "amodal-hint", { textContent: "each pass appears here" }));
    for (const strip of film.querySelectorAll(".frames")) strip.scrollLeft = strip.scrollWidth;
    fit();
  };
}

showsRuns({
  key: "amodal_pass",
  types: ["AmodalLoopEnd", "AmodalCompletion"],
  build(node) {
    const show = build(node);
    show([]);
    return show;
  },
  replaces: (entry, old) =>
    old.loop === entry.loop && (old.prompt_id !== entry.prompt_id || old.number === entry.number),
});
