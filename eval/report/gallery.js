"use strict";
// The gallery's script: no library, no network. What is asked for stands in the address
// (#query-12), so that links, reloads and the browser's back button lead to it. Texts never become
// markup.

const data = JSON.parse(document.getElementById("data").textContent);
const TURN = 0.35; // radians by an arrow key
const clouds = [];
let moving = !matchMedia("(prefers-reduced-motion: reduce)").matches;

function element(name, words, attributes) {
  const made = document.createElement(name);
  if (words) made.textContent = words;
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  return made;
}

// The query of a text: that very text, else the first that has all the words; -1 for none.
function queryOf(typed) {
  const plain = typed.trim().toLowerCase();
  if (!plain) return -1;
  const texts = data.texts.map((text) => text.words.toLowerCase());
  const words = plain.split(/\s+/);
  const hasAll = (text) => words.every((word) => text.includes(word));
  const exact = texts.indexOf(plain);
  const place = exact >= 0 ? exact : texts.findIndex(hasAll);
  return place < 0 ? -1 : data.items.length + place;
}

function labelOf(query) {
  return (data.items[query] || data.texts[query - data.items.length]).label;
}

// "right" or "wrong" by the classes' names; "" where the modality cannot have the right one.
function verdict(query, item) {
  const label = labelOf(query);
  if (!label || !item.label || !data.labels[item.modality].includes(label)) return "";
  return label === item.label ? "right" : "wrong";
}

function spoken(item) {
  return item.modality + ": " + (item.label || item.caption || item.key);
}

function medium(item) {
  const shown = item.medium, name = spoken(item);
  if (shown.kind === "picture") return picture(shown.src, name);
  if (shown.kind === "clip") return clip(shown, name);
  if (shown.kind === "points") return cloud(shown, name);
  if (shown.kind === "sound") return sound(shown, name);
  return element("p", item.caption || item.key, { class: "medium words" });
}

function picture(src, name) {
  return element("img", "", { class: "medium", alt: name, src });
}

function sound(shown, name) {
  const made = element("div", "", { class: "sound" });
  const player = { controls: "", preload: "none", src: shown.src, "aria-label": name };
  made.append(picture(shown.picture, "spectrogram of " + name), element("audio", "", player));
  return made;
}

function clip(shown, name) {
  const made = element("div", "", { class: "clip", role: "img", "aria-label": name });
  made.style.setProperty("--width", shown.width + "px");
  made.style.setProperty("--height", shown.height + "px");
  made.style.setProperty("--frames", shown.frames);
  made.style.setProperty("background-image", "url(" + shown.src + ")");
  return made;
}

function cloud(shown, name) {
  const label = name + "; turns by the arrow keys";
  const canvas = element("canvas", "", {
    class: "medium", width: 256, height: 256, tabindex: 0, role: "img", "aria-label": label,
  });
  const bytes = Uint8Array.from(atob(shown.xyz), (letter) => letter.charCodeAt(0));
  const points = Float32Array.from(bytes, (byte) => (byte - 128) / 127);
  const state = { canvas, points, angle: 0.5 };
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -TURN, ArrowRight: TURN }[event.key];
    if (!step) return;
    event.preventDefault();
    state.angle += step;
    draw(state);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    state.angle += event.movementX / 60;
    draw(state);
  });
  clouds.push(state);
  draw(state);
  return canvas;
}

// Far points first, faint; y is up, and the cloud turns around it.
function draw({ canvas, points, angle }) {
  const pen = canvas.getContext("2d"), side = canvas.width;
  const sin = Math.sin(angle), cos = Math.cos(angle);
  const seen = [];
  for (let at = 0; at < points.length; at += 3) {
    const x = points[at], z = points[at + 2];
    seen.push([x * cos + z * sin, points[at + 1], z * cos - x * sin]);
  }
  seen.sort((one, other) => one[2] - other[2]);
  pen.clearRect(0, 0, side, side);
  pen.fillStyle = getComputedStyle(document.body).color;
  for (const [x, y, depth] of seen) {
    pen.globalAlpha = Math.min(1, Math.max(0.15, 0.6 + depth * 0.45));
    pen.fillRect(side * (0.5 + x * 0.34), side * (0.5 - y * 0.34), 3, 3);
  }
}

function turn() {
  for (let at = clouds.length - 1; at >= 0; at -= 1) {
    const state = clouds[at], box = state.canvas.getBoundingClientRect();
    if (!state.canvas.isConnected) clouds.splice(at, 1);
    else if (moving && box.bottom > 0 && box.top < innerHeight) {
      state.angle += 0.03;
      draw(state);
    }
  }
  setTimeout(() => requestAnimationFrame(turn), 50);
}

function card(query, [row, cosine]) {
  const item = data.items[row], judged = verdict(query, item);
  const made = element("li", "", { class: judged });
  const sign = { right: "\u2713 ", wrong: "\u2717 " }[judged];
  made.append(medium(item), element("div", item.label || item.caption || item.key));
  made.append(element("div", "cosine " + cosine.toFixed(3)));
  if (judged) made.append(element("div", sign + judged, { class: "mark " + judged }));
  const link = { href: "#query-" + row, "aria-label": "search by this " + spoken(item) };
  made.append(element("a", "search by this", link));
  return made;
}

function row(query, modality, near) {
  const label = labelOf(query), known = !label || data.labels[modality].includes(label);
  const made = element("section", "", { class: "row" });
  const list = element("ul", "", { class: "cards" });
  list.append(...near.map((each) => card(query, each)));
  made.append(element("h3", modality + (known ? "" : " (no class of that name)")), list);
  return made;
}

function where(item) {
  return item.source + ", " + item.key + (item.caption ? ": " + item.caption : "");
}

function show(query) {
  const item = data.items[query];
  const words = item ? spoken(item) : data.texts[query - data.items.length].words;
  document.getElementById("said").textContent = "Nearest to " + words;
  const asked = document.getElementById("query"), found = document.getElementById("found");
  asked.replaceChildren();
  if (item) asked.append(medium(item), element("p", where(item), { class: "note" }));
  found.replaceChildren(...Object.entries(data.near[query]).map((near) => row(query, ...near)));
  document.getElementById("item").value = item ? String(query) : "";
}

function asked() {
  const match = /^#query-(\d+)$/.exec(location.hash);
  return match && Number(match[1]) < data.near.length ? Number(match[1]) : -1;
}

function fill() {
  const texts = document.getElementById("texts"), select = document.getElementById("item");
  texts.append(...data.texts.map((text) => element("option", "", { value: text.words })));
  select.append(element("option", "choose an item", { value: "" }));
  for (const modality of data.modalities) {
    const group = element("optgroup", "", { label: modality });
    data.items.forEach((item, row) => {
      if (item.modality !== modality) return;
      const words = (item.label || item.caption) + " (" + item.key + ")";
      group.append(element("option", words, { value: row }));
    });
    select.append(group);
  }
  for (const figure of document.querySelectorAll("[data-item]")) {
    figure.prepend(medium(data.items[figure.dataset.item]));
  }
}

function setMotion(wanted) {
  moving = wanted;
  document.body.classList.toggle("still", !moving);
  document.getElementById("motion").setAttribute("aria-pressed", String(!moving));
}

function start() {
  fill();
  setMotion(moving);
  document.getElementById("motion").addEventListener("click", () => setMotion(!moving));
  document.getElementById("item").addEventListener("change", (event) => {
    if (event.target.value) location.hash = "query-" + event.target.value;
  });
  document.getElementById("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = document.getElementById("words").value, query = queryOf(typed);
    const said = document.getElementById("said");
    if (query >= 0) location.hash = "query-" + query;
    else said.textContent = "No class or caption has the words: " + typed;
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => clouds.forEach(draw));
  addEventListener("hashchange", () => {
    const query = asked();
    if (query < 0) return;
    show(query);
    document.getElementById("gallery").scrollIntoView();
  });
  if (data.near.length) show(asked() >= 0 ? asked() : 0);
  turn();
}

start();
