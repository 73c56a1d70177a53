// A picture with the areas of its objects, from an index map: number + 1 at each pixel, 0 = none.

import { closed, darkenBeyond, trace } from "./outline.js";

const LARGEST = 1024; // side of the canvas for a picture without an index map
const EDGE = [0, 0, 0, 255]; // around a rim: one of the two is seen on any colour

export async function pixels(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return { image, width: canvas.width, height: canvas.height, context };
}

export class Areas {
  // `map` is missing before anything was detected.
  constructor(picture, map) {
    this.picture = picture.image;
    const scale = map ? 1 : Math.min(1, LARGEST / Math.max(picture.width, picture.height));
    [this.width, this.height] = map ? [map.width, map.height]
      : [picture.width, picture.height].map((side) => Math.max(1, Math.round(side * scale)));
    const data = map?.context.getImageData(0, 0, map.width, map.height).data;
    this.numbers = data?.filter((_, i) => i % 4 === 0) ?? new Uint8Array(this.width * this.height);
    this.layers = new Map();
  }

  // The numbers of the objects that have an area.
  all() {
    return [...new Set(this.numbers)].filter((number) => number).sort((a, b) => a - b);
  }

  // The place of the object's pixel that is nearest to its centre, as fractions of the picture.
  heart(number) {
    const places = [];
    this.numbers.forEach((one, i) => one === number &&
      places.push([i % this.width, Math.floor(i / this.width)]));
    const centre = [0, 1].map((axis) =>
      places.reduce((sum, place) => sum + place[axis], 0) / places.length);
    const far = ([x, y]) => (x - centre[0]) ** 2 + (y - centre[1]) ** 2;
    const [x, y] = places.reduce((best, place) => (far(place) < far(best) ? place : best));
    return [(x + 0.5) / this.width, (y + 0.5) / this.height];
  }

  #index(part, count) {
    return Math.min(count - 1, Math.max(0, Math.floor(part * count)));
  }

  // The number of the object at fractions of the picture; 0 for none.
  at(x, y) {
    return this.numbers[this.#index(y, this.height) * this.width + this.#index(x, this.width)];
  }

  // The middle of the map's pixel at fractions of the picture.
  middle(x, y) {
    return [
      (this.#index(x, this.width) + 0.5) / this.width,
      (this.#index(y, this.height) + 0.5) / this.height,
    ];
  }

  // The pointer as fractions of the picture, which fills the canvas.
  #fractions(canvas, event) {
    const box = canvas.getBoundingClientRect();
    const scale = Math.min(box.width / this.width, box.height / this.height);
    return [
      0.5 + (event.clientX - box.left - box.width / 2) / (this.width * scale),
      0.5 + (event.clientY - box.top - box.height / 2) / (this.height * scale),
    ];
  }

  // The same; null outside the picture.
  place(canvas, event) {
    const at = this.#fractions(canvas, event);
    return at.every((one) => one >= 0 && one < 1) ? at : null;
  }

  // The same; outside the picture, the nearest place of its border.
  nearest(canvas, event) {
    return this.#fractions(canvas, event).map((one) => Math.min(1, Math.max(0, one)));
  }

  // An object's area, with its rim and a dark edge around that, as a picture of the map's size.
  #layer(number, colour, rim) {
    const key = [number, colour, rim].join();
    if (this.layers.has(key)) return this.layers.get(key);
    const layer = new OffscreenCanvas(this.width, this.height);
    const context = layer.getContext("2d");
    const image = context.createImageData(this.width, this.height);
    const same = (x, y) => x >= 0 && y >= 0 && x < this.width && y < this.height &&
      this.numbers[y * this.width + x] === number;
    const wide = Math.max(1, Math.round(Math.max(this.width, this.height) / 256));
    const near = [[-wide, 0], [wide, 0], [0, -wide], [0, wide]];
    for (let y = 0, i = 0; y < this.height; y++)
      for (let x = 0; x < this.width; x++, i += 4) {
        const within = same(x, y);
        const border = rim && near.some(([right, down]) => same(x + right, y + down) !== within);
        if (within) image.data.set(border ? [...rim, 255] : [...colour, 90], i);
        else if (border) image.data.set(EDGE, i);
      }
    context.putImageData(image, 0, 0);
    this.layers.set(key, layer);
    return layer;
  }

  // The picture with the objects of `marks` on it: {number, colour, rim (optional), strength}, a
  // point, and the outline of a bound, beyond which it is darker.
  draw(canvas, marks, point, outline = []) {
    const scale = Math.max(1, Math.ceil(640 / Math.max(this.width, this.height)));
    if (canvas.width !== this.width * scale || canvas.height !== this.height * scale)
      Object.assign(canvas, { width: this.width * scale, height: this.height * scale });
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = true;
    context.drawImage(this.picture, 0, 0, canvas.width, canvas.height);
    const path = outline.length && closed(outline, canvas.width, canvas.height);
    if (path) darkenBeyond(path, context, this.picture);
    context.imageSmoothingEnabled = false;
    for (const { number, colour, rim, strength = 1 } of marks) {
      context.globalAlpha = strength;
      context.drawImage(this.#layer(number, colour, rim), 0, 0, canvas.width, canvas.height);
    }
    context.globalAlpha = 1;
    if (path) trace(path, context);
    if (point) this.#dot(context, point[0] * canvas.width, point[1] * canvas.height);
  }

  #dot(context, x, y) {
    const radius = Math.max(context.canvas.width, context.canvas.height) / 90;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = "white";
    context.fill();
    context.lineWidth = radius / 2;
    context.strokeStyle = "#111";
    context.stroke();
  }
}
