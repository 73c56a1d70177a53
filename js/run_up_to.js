// The Detect button's run: the graph up to one node.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { idOf } from "./shared.js";

// Queues the whole prompt with a copy of this node that chooses nothing, and runs only that copy: a
// point of another picture cannot make it fail, and the host's cache of the rest stays. Returns an
// error text, or "".
export async function runUpTo(node) {
  const { output, workflow } = await app.graphToPrompt();
  const id = idOf(node);
  const { objects, image } = output[id]?.inputs ?? {};
  if (!objects) return "connect Detect Objects to 'objects'";
  const inputs = { objects, point: "", words: "", index: -1, ...(image && { image }) };
  const copy = `${id}.detect`;
  const reply = await api.fetchApi("/prompt", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      client_id: api.clientId,
      prompt: { ...output, [copy]: { class_type: "AmodalPickObject", inputs } },
      partial_execution_targets: [copy],
      extra_data: { extra_pnginfo: { workflow } },
    }),
  });
  const { prompt_id, error, node_errors } = await reply.json();
  if (reply.ok) return endOf(prompt_id);
  const first = Object.values(node_errors ?? {})[0]?.errors?.[0];
  return first ? `${first.message}: ${first.details}` : (error?.message ?? "refused");
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
