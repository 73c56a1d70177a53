// Shared by the pack's widgets: a place in a node, and the messages of runs about that node.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { reached } from "./runs.js";
import { graphId, onceOpen, tabOf } from "./tabs.js";

export function make(tag, className = "", content = {}, ...children) {
  const element = Object.assign(document.createElement(tag), content);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

export const STYLE = new URL("./amodal.css", import.meta.url).href;
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

// Does the open graph still have the nodes that a run used for one of its nodes?
function unchanged(prompt, node) {
  const classes = new Map([...everyNode()].map(([id, { comfyClass }]) => [id, comfyClass]));
  return [...reached(prompt, [node])].every((id) => classes.get(id) === prompt[id]?.class_type);
}

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
  // After undo or another file, Vue nodes keep the element of the node that had this id before.
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
  const soon = () => {
    requestAnimationFrame(() => requestAnimationFrame(remount));
    setTimeout(remount, 300);
  };
  const configured = node.onConfigure;
  node.onConfigure = function (...given) {
    configured?.apply(this, given);
    soon();
  };
  soon(); // a bare prompt's nodes are never configured
  fit();
  return fit;
}

const histories = new Map(); // run -> what the host's history has of it
function historyOf(id) {
  if (!histories.has(id)) histories.set(id, api.fetchApi(`/history/${id}`).then((reply) => reply.json()));
  return histories.get(id);
}

// A widget that shows the messages of runs under `key`. `build(node)` adds it to a node of one of
// `types` and returns a function that shows a list of entries. Entries outlive their nodes, because
// undo and a switch of tabs rebuild nodes. `replaces(entry, old)`: does a new entry replace an old
// one? Returns a function that shows everything again.
export function showsRuns({ key, types, build, replaces = () => true }) {
  const told = new Map(); // "tab/workflow/node" -> entries
  const views = new WeakMap();
  const asked = new Set(); // workflows and runs whose history has been read
  const place = (graph, node, tab = tabOf(graph)) => `${tab}/${graph}/${node}`;

  function show(id) {
    const graph = graphId();
    for (const [name, node] of everyNode())
      if (id === undefined || name === id)
        views.get(node)?.(told.get(place(graph, name)) ?? told.get(place(graph, name, 0)) ?? []);
  }
  function take(entry) {
    const here = place(entry.graph, entry.node);
    const rest = (told.get(here) ?? []).filter((old) => !replaces(entry, old));
    told.set(here, [...rest, entry]);
    if (entry.graph === graphId()) show(entry.node);
  }
  const entriesOf = (run) => Object.values(run?.outputs ?? {}).flatMap((one) => one?.[key] ?? []);
  // After a reload of the page: from the host's history of its last runs.
  async function recall() {
    const graph = graphId();
    if (!graph || graph === NO_ID || asked.has(graph)) return;
    asked.add(graph);
    const reply = await api.fetchApi("/history?max_items=16");
    const known = new Set(told.keys());
    for (const run of Object.values(await reply.json()))
      for (const entry of entriesOf(run))
        if (entry.graph === graph && !known.has(place(graph, entry.node)) &&
          unchanged(run.prompt[2], entry.node)) take(entry);
  }
  // What a cached node sends again is only a part, if it expanded into others: from the history of
  // the run that made it.
  async function again({ prompt_id: id, node }) {
    const graph = graphId(), name = `${graph}/${id}/${node}`;
    if (asked.has(name)) return;
    asked.add(name);
    for (const entry of entriesOf((await historyOf(id))[id]))
      if (entry.node === node) take({ ...entry, graph });
  }
  const quietly = (work) => work.catch((error) => console.warn("Amodal: no history", error));

  app.registerExtension({
    name: `amodalcompletion.${key}`,
    setup() {
      api.addEventListener(key.replace("_", "."), ({ detail }) => take(detail));
      // Cached nodes only send their output again, with the id of the run that made it.
      api.addEventListener("executed", ({ detail }) => {
        for (const [name, entries] of Object.entries(detail?.output ?? {}))
          for (const entry of name.startsWith("amodal_") ? entries : []) {
            if (entry.prompt_id === detail.prompt_id) continue;
            if (name === key) take({ ...entry, graph: graphId() });
            quietly(again(entry));
          }
      });
    },
    nodeCreated(node) {
      if (types.includes(node.comfyClass)) views.set(node, build(node));
    },
    afterConfigureGraph() {
      onceOpen(() => show());
      setTimeout(() => quietly(recall()), 300);
    },
  });
  return show;
}
