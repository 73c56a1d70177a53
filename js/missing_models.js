// On Load Grounded Segmenter: which files of the workflow's loaders are missing, and where they go.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { addElement, everyNode, make } from "./shared.js";

const HOLDER = "AmodalLoadSegmenter"; // every shipped workflow for photographs has one
const views = new WeakMap(); // node -> the function that shows a list of files

// The files that the loaders name, as tools/workflows writes them: {name, url, directory}.
const named = () => [...everyNode()].flatMap(([, node]) => node.properties?.amodal_models ?? []);

async function missing(files) {
  const folders = [...new Set(files.map(({ directory }) => directory))];
  const lists = await Promise.all(folders.map(async (folder) => {
    const reply = await api.fetchApi(`/models/${encodeURIComponent(folder)}`);
    return [folder, reply.ok ? await reply.json() : []]; // 404: nothing has registered the folder
  }));
  const there = new Map(lists);
  return files.filter(({ name, directory }) =>
    !there.get(directory).some((path) => path.split(/[\\/]/).at(-1) === name));
}

function item({ name, url, directory }) {
  const link = make("a", "", { href: url, target: "_blank", rel: "noreferrer", textContent: name });
  link.onpointerdown = (event) => event.stopPropagation();
  return make("li", "", {}, link, ` into models/${directory}`);
}

function build(node) {
  const content = make("div", "amodal-missing", { role: "status", hidden: true });
  const rows = () => content.querySelectorAll("li").length;
  const fit = addElement(node, "amodal_missing", content,
    () => (content.hidden ? 0 : 72 + 28 * rows()), 260);
  views.set(node, (files) => {
    content.hidden = !files.length;
    content.replaceChildren(
      make("p", "", { textContent: `Missing files: ${files.length}. Put each into its folder:` }),
      make("ul", "", {}, ...files.map(item)),
      make("p", "", { textContent: "Nothing is downloaded by itself. The template 01 Complete an "
        + "object runs without any of these." }));
    fit();
  });
}

async function check() {
  const holders = [...everyNode()].filter(([, node]) => views.has(node));
  if (!holders.length) return;
  const [[, first]] = holders; // in one place, even if there are several
  const files = new Map(named().map((file) => [file.directory + file.name, file]));
  views.get(first)(await missing([...files.values()]));
}

app.registerExtension({
  name: "amodalcompletion.missing",
  nodeCreated(node) {
    if (node.comfyClass === HOLDER) build(node);
  },
  afterConfigureGraph() {
    check().catch((error) => console.warn("Amodal: cannot list the models", error));
  },
});
