// The pictures of one trial: the original, then the completions as buttons.

const source = (id) => `picture/${id}`;

/** The elements from left to right, when all pictures are loaded. Rejects if one cannot load. */
export async function pictures(original, choices, vote) {
  const parts = choices.map((id, at) => choice(id, at, vote));
  if (original) parts.unshift(labelled(document.createElement("figure"), original, "Original"));
  await Promise.all(parts.map((part) => part.querySelector("img").decode()));
  return parts;
}

export function arrange(place, parts) {
  const columns = parts.length > 6 ? Math.ceil(parts.length / 2) : parts.length;
  const { naturalWidth, naturalHeight } = parts[0].querySelector("img");
  const choices = parts.filter((part) => part.matches("button")).length;
  place.style.setProperty("--columns", columns);
  place.style.setProperty("--rows", Math.ceil(choices / 2)); // on a phone, below the original
  place.toggleAttribute("data-odd", choices % 2 === 1);
  place.style.setProperty("--ratio", naturalWidth / naturalHeight);
  place.className = "";
  place.replaceChildren(...parts);
}

/** Starts loading the pictures of the next trial. */
export function preload({ original, choices }) {
  for (const id of original ? [original, ...choices] : choices) new Image().src = source(id);
}

function labelled(part, id, label) {
  const image = Object.assign(new Image(), { src: source(id), alt: label, draggable: false });
  const words = document.createElement("span");
  words.textContent = label;
  part.append(image, words);
  return part;
}

function choice(id, at, vote) {
  const button = labelled(document.createElement("button"), id, `Completion ${at + 1}`);
  const key = document.createElement("kbd");
  key.textContent = at + 1;
  button.lastChild.replaceChildren(key);
  button.addEventListener("click", () => vote(button, id));
  return button;
}
