// The picture that a node works on, before anything has run: that of a Load Image it leads back to.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { address, everyNode } from "./shared.js";

const WAY = ["image", "objects"]; // the inputs that lead to it, through Detect Objects

// "folder/name.png [input]" as the arguments of the host's /view.
function file(text) {
  const [, subfolder = "", filename, type = "input"] =
    text.match(/^(?:(.*)\/)?([^/]*?)(?: \[(\w+)\])?$/);
  return { filename, subfolder, type };
}

// The address of the picture; "" if another node makes it. `prompt` has no subgraphs or reroutes.
function source(prompt, id) {
  for (let steps = 0; steps < 8; steps++) {
    const node = prompt[id];
    if (/^LoadImage/.test(node?.class_type) && typeof node.inputs.image === "string")
      return address(file(node.inputs.image));
    if (!node?.class_type.startsWith("Amodal")) return "";
    id = WAY.map((name) => node.inputs[name]).find(Array.isArray)?.[0];
  }
  return "";
}

const watched = new WeakMap(); // node -> what shows its picture
let due = false;

async function tell() {
  due = false;
  const here = [...everyNode()].filter(([, node]) => watched.has(node));
  if (!here.length) return;
  const { output } = await app.graphToPrompt();
  for (const [id, node] of here) await watched.get(node)(source(output, id));
}

function later() {
  if (due) return;
  due = true;
  setTimeout(() => tell().catch((error) => console.warn("Amodal: no picture", error)), 50);
}

// Calls `show(address)` now, and after each change of the graph.
export function watchPicture(node, show) {
  watched.set(node, show);
  later();
}

api.addEventListener("graphChanged", later);
app.registerExtension({ name: "amodalcompletion.upstream", afterConfigureGraph: later });
