// On Select Clusters: the clusters in colours over the picture; kept ones have a rim. Pointing at a
// cluster, or the arrow keys, show its number and its overlap with the modal mask.
import { address, addElement, make, showsRuns } from "./shared.js";
import { Areas, pixels } from "./areas.js";

const RIM = [255, 255, 255];

function build(node) {
  const canvas = make("canvas", "", { hidden: true });
  const words = make("span", "words", { textContent: "the clusters appear here" });
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  words.setAttribute("role", "status");
  const fit = addElement(node, "amodal_clusters", make("div", "amodal-picker", {},
    make("div", "amodal-bar", {}, words), canvas), () => (canvas.hidden ? 24 : 220), 260);
  let areas, shown, hovered = 0;

  function told(cluster) {
    const part = `${(100 * shown.overlaps[cluster]).toFixed(0)} % of the modal mask`;
    return `cluster ${cluster}: ${part}${shown.kept.includes(cluster) ? ", kept" : ""}`;
  }
  function draw() {
    if (!areas) return;
    areas.draw(canvas, shown.colours.map((colour, cluster) => ({
      number: cluster + 1, colour,
      rim: shown.kept.includes(cluster) ? RIM : null,
      strength: hovered && hovered !== cluster + 1 ? 0.4 : 1,
    })));
    words.textContent = hovered ? told(hovered - 1)
      : `kept ${shown.kept.join(", ") || "none"} of ${shown.colours.length}`;
    words.title = words.textContent;
    canvas.setAttribute("aria-label", `clusters over the picture; ${words.textContent}`);
  }
  canvas.onpointermove = (event) => {
    const at = areas && areas.place(canvas, event);
    hovered = at ? areas.at(...at) : 0;
    draw();
  };
  canvas.onpointerleave = canvas.onblur = () => ((hovered = 0), draw());
  canvas.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!areas || !step) return;
    event.preventDefault();
    event.stopPropagation(); // the editor moves the selected nodes
    const count = shown.colours.length + 1; // 0: none of them
    hovered = (hovered + step + count) % count;
    draw();
  };

  return async (entries) => {
    const latest = entries.at(-1);
    if (latest && latest.areas.filename !== shown?.areas.filename) {
      const [picture, map] = await Promise.all([latest.image, latest.areas].map((image) =>
        pixels(address(image)))).catch(() => []);
      if (!map) return; // the host restarted and emptied its temp folder
      [shown, areas] = [latest, new Areas(picture, map)];
      canvas.hidden = false;
      fit();
    }
    draw();
  };
}

showsRuns({ key: "amodal_clusters", types: ["AmodalSelectClusters"], build });
