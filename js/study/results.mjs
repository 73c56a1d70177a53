// The results: the preference table, the agreement, and both as CSV files.

const $ = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
let ask = null;

export async function showResults(asks, away) {
  ask = asks;
  const results = await ask("results", undefined, away);
  const { raters } = results.agreement;
  const summary = results.votes
    ? `${count(results.votes, "vote")} by ${count(raters, "rater")} on ${results.pictures} of ` +
      `${count(results.total, "picture")}` +
      (results.show === "pairs" ? ", two methods at a time." : ".")
    : "No votes yet.";
  $("summary").textContent = summary + missing(results.left_out);
  $("table").hidden = !results.votes;
  $("table").tBodies[0].replaceChildren(...results.preferences.map(row));
  $("agreement").textContent = agreed(results.agreement);
  $("how").textContent = results.votes
    ? "Share: votes for a method, divided by how often it was shown. Interval: Wilson's, for the " +
      "effective number of votes, because votes on the same picture are not independent."
    : "";
}

const missing = (left) => left
  ? ` Left out, because some method lacks them: ${count(left, "picture")}.` : "";
const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

function row({ method, votes, shown, share, low, high }) {
  const line = document.createElement("tr");
  const bounds = document.createElement("span");
  bounds.className = "bounds";
  bounds.textContent = `${(100 * low).toFixed(1)} to ${percent(high)}`;
  for (const what of [method, percent(share), [interval(share, low, high), bounds],
    `${votes} of ${shown}`])
    line.insertCell().append(...(Array.isArray(what) ? what : [what]));
  line.lastChild.className = "number";
  return line;
}

function interval(share, low, high) {
  const part = document.createElement("div");
  const [range, point] = [document.createElement("i"), document.createElement("b")];
  part.className = "interval";
  Object.assign(range.style, { left: percent(low).replace(" ", ""),
    width: percent(high - low).replace(" ", "") });
  point.style.left = percent(share).replace(" ", "");
  part.append(range, point);
  return part;
}

function agreed({ trials, alpha, low, high, same }) {
  if (!trials) return "Agreement between raters: needs votes of two raters on the same pictures.";
  const equal = `${percent(same)} of the pairs of votes on ${count(trials, "trial")} are equal`;
  if (alpha === null) return `Agreement between raters: ${equal}; alpha is undefined if all votes are equal.`;
  const range = `${low.toFixed(2)} to ${high.toFixed(2)}`;
  return `Agreement between raters: Krippendorff's alpha (nominal) ${alpha.toFixed(2)} ` +
    `(95 %: ${range}); ${equal}.`;
}

async function download(name) {
  const text = await ask(name);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `${document.body.dataset.study} ${name}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

for (const button of document.querySelectorAll("[data-file]"))
  button.addEventListener("click", () => download(button.dataset.file));
