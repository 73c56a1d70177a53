// A user study: one trial after the other, with votes by click or key.
//
// The browser stores a vote and repeats the request until the server confirms it. So no vote is lost
// if the server stops or the page is closed. The server counts a repeated vote once.

import { ask, Refused, Stale, Unable } from "./server.mjs";
import { showResults } from "./results.mjs";
import { arrange, pictures, preload } from "./trial.mjs";

const DOUBLE_CLICK = 250; // milliseconds: a click this soon was meant for the previous trial
const $ = (id) => document.getElementById(id);
const kept = (name) => `amodal.study.${location.pathname}.${name}`;

let rater = localStorage.getItem(kept("rater"));
let now = null; // the server's state; null before the first reply
let busy = false;
let shownAt = Infinity;

function show(view) {
  for (const main of document.querySelectorAll("main")) main.hidden = main.id !== view;
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

function away(error) {
  const what = error instanceof Unable ? error.message : "The server does not answer.";
  notice(error ? `${what} Your votes are safe. This page continues when the server answers.` : "");
}

/** Sends a vote or an undo, and shows the next trial. */
async function send(path, body) {
  busy = true;
  localStorage.setItem(kept("pending"), JSON.stringify({ path, body }));
  let refusal = null;
  try {
    now = await ask(path, body, away);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refusal = error;
  }
  if (!(refusal instanceof Stale)) localStorage.removeItem(kept("pending"));
  busy = false;
  await (refusal ? resume(refusal.message) : display());
}

async function resume(refusal = "") {
  try {
    now = await ask(`state?${new URLSearchParams({ rater })}`, undefined, away);
    await display();
    if (refusal) notice(refusal);
  } catch (error) {
    notice(error.message);
  }
}

async function display() {
  $("rater").textContent = rater;
  $("rater").hidden = false;
  $("count").textContent = `${now.done} of ${now.total}`;
  Object.assign($("progress"), { value: now.done, max: now.total });
  $("undo").disabled = $("undo-end").disabled = now.last === null;
  $("finished").textContent = `You have judged all ${now.total}. Your votes are stored.`;
  if (location.hash === "#results") return;
  if (now.trial) await displayTrial(now.trial);
  else show("done");
}

async function displayTrial({ trial, original, choices }) {
  shownAt = Infinity;
  const parts = await pictures(original, choices, vote).catch(() => null);
  if (!parts) return notice("A picture could not be loaded. Reload the page.");
  if (now.trial?.trial !== trial) return; // another trial came in the meantime
  arrange($("pictures"), parts);
  $("most").textContent = choices.length;
  show("trial");
  shownAt = performance.now();
  if (now.next) preload(now.next);
}

function vote(button, id) {
  if (busy || $("trial").hidden || performance.now() - shownAt < DOUBLE_CLICK) return;
  button.classList.add("chosen");
  $("pictures").className = "waiting";
  send("vote", { rater, trial: now.trial.trial, choice: id });
}

function undo() {
  if (!busy && now && now.last !== null) send("undo", { rater, vote: now.last });
}

function press(event) {
  if (event.repeat || event.altKey || event.target.matches("input")) return;
  const buttons = [...$("pictures").querySelectorAll("button")];
  const plain = !event.ctrlKey && !event.metaKey;
  const at = buttons.indexOf(document.activeElement);
  if ($("trial").hidden && $("done").hidden) return;
  if (event.key.toLowerCase() === (plain ? "u" : "z")) undo();
  else if ($("trial").hidden || !plain) return;
  else if (buttons[event.key - 1]) buttons[event.key - 1].click();
  else if (event.key === "ArrowRight") buttons[(at + 1) % buttons.length].focus();
  else if (event.key === "ArrowLeft") buttons.at(at > 0 ? at - 1 : -1).focus();
  else return;
  event.preventDefault();
}

async function begin() {
  const pending = JSON.parse(localStorage.getItem(kept("pending")));
  if (location.hash === "#results") {
    show("results");
    await showResults(ask, away).catch((error) => notice(error.message));
  } else if (!rater) {
    show("welcome");
    $("who").focus();
  } else if (!busy) {
    if (pending) await send(pending.path, pending.body);
    if (pending?.body.rater !== rater) await resume();
  }
}

$("welcome").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  rater = $("who").value.trim();
  localStorage.setItem(kept("rater"), rater);
  begin();
});
$("rater").addEventListener("click", () => {
  if (busy) return;
  localStorage.removeItem(kept("rater"));
  location.reload();
});
$("undo").addEventListener("click", undo);
$("undo-end").addEventListener("click", undo);
addEventListener("keydown", press);
addEventListener("hashchange", begin);
begin();
