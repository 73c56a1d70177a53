// The host's runs as this page hears of them: which nodes of which workflow each reaches, and how
// it ended.
import { api } from "../../scripts/api.js";

const ENDS = {
  execution_success: "done", execution_interrupted: "cancelled", execution_error: "failed",
};
const runs = []; // the oldest first: {id, graph, nodes, end}
const watchers = new Set();

export const onRuns = (watch) => watchers.add(watch);
export const endOf = (id) => runs.find((run) => run.id === id)?.end;

// The last run that reaches a node of a workflow.
export const latestRun = (graph, node) =>
  runs.findLast((run) => run.graph === graph && run.nodes.has(node));

const tellAll = () => watchers.forEach((watch) => watch());

// What the host was asked for: [number, id, prompt, extra data, ids of the nodes to run].
async function asked(id) {
  const { queue_running: running } = await (await api.fetchApi("/queue")).json();
  const found = running?.find((one) => one[1] === id);
  return found ?? (await (await api.fetchApi(`/history/${id}`)).json())[id]?.prompt;
}

// A set of ids and of every node that they depend on.
export function reached(prompt, ids) {
  const found = new Set(ids);
  for (const id of found) // grows while it is read
    for (const value of Object.values(prompt[id]?.inputs ?? {}))
      if (Array.isArray(value)) found.add(value[0]);
  return found;
}

async function begins(id) {
  const run = { id, nodes: new Set(), end: "" };
  runs.push(run);
  const [, , prompt, extra, ids] = (await asked(id)) ?? [];
  if (!prompt) return;
  run.graph = extra?.extra_pnginfo?.workflow?.id ?? null;
  run.nodes = reached(prompt, ids);
  tellAll();
}

api.addEventListener("execution_start", ({ detail }) =>
  begins(detail.prompt_id).catch((error) => console.warn("Amodal: no queue", error)));
for (const [event, end] of Object.entries(ENDS))
  api.addEventListener(event, ({ detail }) => {
    const run = runs.find(({ id }) => id === detail?.prompt_id);
    if (run) run.end = end;
    else runs.push({ id: detail?.prompt_id, nodes: new Set(), end }); // begun before this page
    tellAll();
  });
