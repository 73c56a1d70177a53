// The Detect button's run: the graph up to a node and no further.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { idOf } from "./shared.js";

// Queues the whole prompt with a copy of this node that chooses nothing, and asks for that copy
// alone: a point on another picture cannot fail it, and the host keeps what it has of the rest.
// Returns what went wrong, or "".
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

// Waits for a run's end; what went wrong in it, or "".
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
