// The Detect button's run: the graph up to one node.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { idOf } from "./shared.js";

// Queues the whole prompt with a Pick Object that chooses nothing in place of this node, and runs
// only that: a point of another picture cannot make it fail, and the host's cache of the rest
// stays. Returns an error text, or "".
export async function runUpTo(node) {
  const { output, workflow } = await app.graphToPrompt();
  const id = idOf(node);
  const { added, missing } = detection(output[id], id);
  if (missing) return missing;
  const reply = await api.fetchApi("/prompt", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      client_id: api.clientId,
      prompt: { ...output, ...added },
      partial_execution_targets: [`${id}.detect`],
      extra_data: { extra_pnginfo: { workflow } },
    }),
  });
  const { prompt_id, error, node_errors } = await reply.json();
  if (reply.ok) return endOf(prompt_id);
  const first = Object.values(node_errors ?? {})[0]?.errors?.[0];
  return first ? first.details || first.message : (error?.message ?? "refused");
}

// The nodes to add, or what is missing. Amodal Completion detects as in nodes/assembly.
function detection(node, id) {
  const { image, segmenter, words, occluder_words, objects } = node?.inputs ?? {};
  const pick = (inputs) => ({
    [`${id}.detect`]: {
      class_type: "AmodalPickObject",
      inputs: { ...inputs, point: "", words: "", index: -1 },
    },
  });
  if (node?.class_type === "AmodalPickObject") {
    if (!objects) return { missing: "connect Detect Objects to 'objects'" };
    return { added: pick({ objects, ...(image && { image }) }) };
  }
  if (!image || !segmenter) return { missing: "connect a picture and a segmenter" };
  const sought = [words, occluder_words].filter((one) => typeof one === "string" && one);
  const search = { image, segmenter, words: sought.join("\n"), threshold: 0.5, add_known: true };
  return {
    added: {
      [`${id}.objects`]: { class_type: "AmodalDetectObjects", inputs: search },
      ...pick({ objects: [`${id}.objects`, 0] }),
    },
  };
}

// Waits for the end of a run. Returns its error text, or "".
function endOf(id) {
  const ends = ["execution_success", "execution_error", "execution_interrupted"];
  return new Promise((done) => {
    const listen = ({ type, detail }) => {
      if (detail?.prompt_id !== id) return;
      for (const end of ends) api.removeEventListener(end, listen);
      done(type === "execution_error" ? detail.exception_message.trim() : "");
    };
    for (const end of ends) api.addEventListener(end, listen);
  });
}
