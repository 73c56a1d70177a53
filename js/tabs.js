// Which of the open workflows is shown: two may have the same graph id.
import { app } from "../../scripts/app.js";

export const graphId = () => (app.rootGraph ?? app.graph)?.id;

const tabs = new WeakMap(); // open workflow -> its number

// The open workflow that has a graph id: of two with the same id the active one. 0: none has it.
export function tabOf(graph) {
  const { activeWorkflow, openWorkflows = [] } = app.extensionManager?.workflow ?? {};
  const tab = [activeWorkflow, ...openWorkflows].find((one) => one?.activeState?.id === graph);
  if (!tab) return 0;
  const own = tab.__v_raw ?? tab; // Vue may hand out the object or a proxy of it
  if (!tabs.has(own)) tabs.set(own, ++tabOf.count);
  return tabs.get(own);
}
tabOf.count = 0;

// Calls `then` now, and whenever the open tab becomes another within three seconds: the host names
// it some time after it has built the graph.
export function onceOpen(then, tab, left = 30) {
  const now = tabOf(graphId());
  if (now !== tab) then();
  if (left) setTimeout(onceOpen, 100, then, now, left - 1);
}
