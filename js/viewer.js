// Pictures in large, over the whole page. Escape, the close button and a click beside them close it.
import { make, STYLE } from "./shared.js";

// A modal dialog with `content` under a title. What had the focus has it again afterwards.
export function dialog(title, className, ...content) {
  const close = make("button", "close", { type: "button", textContent: "Close" });
  const view = make("dialog", `amodal-dialog ${className}`, {},
    make("link", "", { rel: "stylesheet", href: STYLE }),
    make("header", "", {}, make("h2", "", { textContent: title }), close), ...content);
  view.setAttribute("aria-label", title);
  const before = document.activeElement;
  close.onclick = () => view.close();
  view.onclick = ({ target }) => target === view && view.close(); // the padding, and beyond it
  view.onclose = () => {
    view.remove();
    before?.focus?.();
  };
  for (const kind of ["keydown", "keyup", "pointerdown", "wheel"]) // not the canvas behind it
    view.addEventListener(kind, (event) => event.stopPropagation());
  document.body.append(view);
  view.showModal();
  return view;
}

// One of several pictures, {src, words}; the arrow keys and two buttons show the others.
export function enlarge(pictures, at) {
  const picture = make("img", "", { draggable: false });
  const words = make("figcaption");
  words.setAttribute("role", "status");
  const turn = (by) => {
    at = (at + by + pictures.length) % pictures.length;
    Object.assign(picture, { src: pictures[at].src, alt: pictures[at].words });
    words.textContent = `${at + 1} of ${pictures.length}: ${pictures[at].words}`;
  };
  const buttons = [["Previous", -1], ["Next", 1]].map(([textContent, by]) =>
    make("button", "", { type: "button", textContent, onclick: () => turn(by),
      hidden: pictures.length < 2 }));
  const view = dialog("Picture", "amodal-viewer", make("figure", "", {}, picture, words),
    make("footer", "", {}, ...buttons));
  picture.onclick = () => view.close();
  view.addEventListener("keydown", ({ key }) => {
    if (key === "ArrowLeft") turn(-1);
    if (key === "ArrowRight") turn(1);
  });
  turn(0);
}
