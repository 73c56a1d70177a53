// In the menu of a node that loads or shows a picture: adds Amodal Completion, wired to it.
import { app } from "../../scripts/app.js";

const TEXT = "Complete an object in this picture";
const PICTURES = /^(LoadImage|PreviewImage|SaveImage)/;
const GAP = 60;

// [node, output] of a node's picture; of a node that only shows one, what feeds it.
function pictureOf(node) {
  const is = ({ type }) => type === "IMAGE";
  const output = node.outputs?.findIndex(is) ?? -1;
  if (output >= 0) return [node, output];
  const input = node.inputs?.findIndex(is) ?? -1;
  const origin = input >= 0 ? node.getInputNode(input) : null;
  return origin ? [origin, node.getInputLink(input).origin_slot] : undefined;
}

// Feeds each open input from the graph's loaders, if just one node gives that type.
function feed(node) {
  node.inputs.forEach((input, slot) => {
    if (input.link != null || input.widget || input.type === "MASK") return;
    const outputs = node.graph.nodes.flatMap((one) => (one === node ? [] : one.outputs ?? [])
      .map((output, number) => ({ one, number, type: output.type })))
      .filter(({ type }) => type === input.type);
    if (outputs.length === 1) outputs[0].one.connect(outputs[0].number, node, slot);
  });
}

function complete(node) {
  const [origin, output] = pictureOf(node), { graph } = node;
  app.canvas.emitBeforeChange();
  const added = window.LiteGraph.createNode("AmodalCompletion");
  added.pos = [node.pos[0] + node.size[0] + GAP, node.pos[1]];
  graph.add(added);
  origin.connect(output, added, added.findInputSlot("image"));
  feed(added);
  app.canvas.selectNode(added);
  app.canvas.emitAfterChange();
  graph.setDirtyCanvas(true, true);
}

app.registerExtension({
  name: "amodalcompletion.menu",
  getNodeMenuItems(node) {
    if (!PICTURES.test(node.comfyClass) || !pictureOf(node)) return [];
    return [null, { content: TEXT, callback: () => complete(node) }];
  },
});
