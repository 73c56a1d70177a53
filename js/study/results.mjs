// What the votes say: the preference table, the agreement, and both as CSV.

const $ = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
let ask = null;

export async function showResults(asks, away) {
  ask = asks;
  const found = await ask("results", undefined, away);
  const { raters } = found.agreement;
  const summary = found.votes
    ? `${count(found.votes, "vote")} by ${count(raters, "rater")} on ${found.pictures} of ` +
      `${count(found.total, "picture")}` +
      (found.show === "pairs" ? ", two methods at a time." : ".")
    : "No votes yet.";
  $("summary").textContent = summary + missing(found.left_out);
  $("table").hidden = !found.votes;
  $("table").tBodies[0].replaceChildren(...found.preferences.map(row));
  $("agreement").textContent = agreed(found.agreement);
  $("how").textContent = found.votes
    ? "Share: votes for a method over the times it was shown. Interval: Wilson's, at the " +
      "effective number of votes, as votes on one picture are not independent."
    : "";
}

const missing = (left) => left
  ? ` Left out, as not every method has them: ${count(left, "picture")}.` : "";
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
  if (!trials) return "Agreement between raters: shown once two have judged the same pictures.";
  const equal = `${percent(same)} of the pairs of votes on ${count(trials, "trial")} are equal`;
  if (alpha === null) return `Agreement between raters: ${equal}; alpha needs votes that differ.`;
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
