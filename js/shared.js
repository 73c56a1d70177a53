// Shared by the pack's widgets: a place in a node, and the messages of runs about that node.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

export function make(tag, className = "", content = {}, ...children) {
  const element = Object.assign(document.createElement(tag), content);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

const STYLE = new URL("./amodal.css", import.meta.url).href;
const NO_ID = "00000000-0000-0000-0000-000000000000"; // the id of every graph that came as a bare prompt

export const address = (image) => api.apiURL("/view?" + new URLSearchParams(image));

// Every node with the host's id for it; inside a subgraph that is "outer:inner".
export function* everyNode(graph = app.rootGraph ?? app.graph, path = "") {
  for (const node of graph?.nodes ?? []) {
    yield [path + node.id, node];
    if (node.subgraph) yield* everyNode(node.subgraph, `${path}${node.id}:`);
  }
}

export const idOf = (wanted) => [...everyNode()].find(([, node]) => node === wanted)?.[0];
export const graphId = () => (app.rootGraph ?? app.graph)?.id;

// A display-only element at the end of a node. `height()` is its current least height in pixels.
export function addElement(node, name, content, height, width = 260, label = name) {
  const style = make("link", "", { rel: "stylesheet", href: STYLE }); // not in the page's head
  const outer = make("div", "amodal-outer", {}, style, content);
  outer.dataset.amodal = name;
  const widget = node.addDOMWidget(name, name, outer, {
    serialize: false, hideOnZoom: false, getMinHeight: height, getValue: () => "", setValue() {},
  });
  widget.serialize = false;
  widget.label = label; // in the form of App mode
  // After undo, Vue nodes keep the old node's element mounted: replace it with the new one.
  const remount = () => {
    if (!window.LiteGraph.vueNodesMode || outer.isConnected || !node.graph) return;
    document.querySelector(`[data-node-id="${node.id}"] [data-amodal="${name}"]`)?.replaceWith(outer);
  };
  const fit = () => {
    remount();
    outer.style.minHeight = `${height()}px`;
    const [wide, high] = node.computeSize();
    const size = [Math.max(node.size[0], wide, width), Math.max(node.size[1], high)];
    if (size[0] !== node.size[0] || size[1] !== node.size[1]) node.setSize(size);
    node.graph?.setDirtyCanvas(true, true);
  };
  const configured = node.onConfigure;
  node.onConfigure = function (...given) {
    configured?.apply(this, given);
    requestAnimationFrame(() => requestAnimationFrame(remount));
    setTimeout(remount, 300);
  };
  fit();
  return fit;
}

// A widget that shows the messages of runs under `key`. `build(node)` adds it to a node of one of
// `types` and returns a function that shows a list of entries. Entries outlive their nodes, because
// undo and a switch of tabs rebuild nodes. `replaces(entry, old)`: does a new entry replace an old
// one? Returns a function that shows everything again.
export function showsRuns({ key, types, build, replaces = () => true }) {
  const told = new Map(); // "workflow/node" -> entries
  const views = new WeakMap();
  const asked = new Set(); // workflows whose history has been read

  function show(id) {
    for (const [name, node] of everyNode())
      if (id === undefined || name === id)
        views.get(node)?.(told.get(`${graphId()}/${name}`) ?? []);
  }
  function take(entry) {
    const place = `${entry.graph}/${entry.node}`;
    const rest = (told.get(place) ?? []).filter((old) => !replaces(entry, old));
    told.set(place, [...rest, entry]);
    if (entry.graph === graphId()) show(entry.node);
  }
  // After a reload of the page: from the host's history of its last runs.
  async function recall() {
    const graph = graphId();
    if (!graph || graph === NO_ID || asked.has(graph)) return;
    asked.add(graph);
    const reply = await api.fetchApi("/history?max_items=16");
    const known = new Set(told.keys());
    for (const run of Object.values(await reply.json()))
      for (const output of Object.values(run.outputs ?? {}))
        for (const entry of output?.[key] ?? [])
          if (!known.has(`${entry.graph}/${entry.node}`)) take(entry);
  }

  app.registerExtension({
    name: `amodalcompletion.${key}`,
    setup() {
      api.addEventListener(key.replace("_", "."), ({ detail }) => take(detail));
      // Cached nodes only send their output again, with the id of the run that made it.
      api.addEventListener("executed", ({ detail }) => {
        for (const entry of detail?.output?.[key] ?? [])
          if (entry.prompt_id !== detail.prompt_id) take({ ...entry, graph: graphId() });
      });
    },
    nodeCreated(node) {
      if (types.includes(node.comfyClass)) views.set(node, build(node));
    },
    afterConfigureGraph() {
      show();
      recall().catch((error) => console.warn("Amodal: no history", error));
    },
  });
  return show;
}
