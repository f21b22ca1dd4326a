// As much of a browser as gallery.js takes: elements that know words, attributes and children.
class Element {
  constructor(name) {
    Object.assign(this, { name, value: "", words: "", attributes: {}, dataset: {} });
    Object.assign(this, { children: [], listeners: {} });
    this.style = { setProperty() {} };
    this.classList = { toggle() {} };
    this.isConnected = true;
  }
  get textContent() {
    return this.words + this.children.map((child) => child.textContent).join(" ");
  }
  set textContent(words) { this.words = words; this.children = []; }
  set innerHTML(_) { throw new Error("texts must not become markup"); }
  setAttribute(key, value) {
    this.attributes[key] = String(value);
    if (key === "value" || key === "width") this[key] = value;
  }
  append(...made) { this.children.push(...made); }
  prepend(...made) { this.children.unshift(...made); }
  replaceChildren(...made) { this.words = ""; this.children = made; }
  addEventListener(kind, listener) { this.listeners[kind] = listener; }
  fire(kind, event) {
    this.listeners[kind](Object.assign({ preventDefault() {}, target: this }, event));
  }
  scrollIntoView() { this.scrolled = true; }
  getBoundingClientRect() { return { top: 0, bottom: 9 }; }
  getContext() {
    this.drawn = [];
    return { clearRect() {}, fillRect: (x, y) => { this.drawn.push([x, y]); } };
  }
  all(name) {
    const own = (child) => (child.name === name ? [child] : []);
    return this.children.flatMap((child) => [...own(child), ...child.all(name)]);
  }
}
const byId = {};
const document = {
  body: new Element("body"),
  createElement: (name) => new Element(name),
  getElementById: (id) => byId[id] || (byId[id] = new Element(id)),
  querySelectorAll: () => figures,
};
const figures = [];
const listeners = {};
const addEventListener = (kind, listener) => { listeners[kind] = listener; };
const location = {
  at: "",
  get hash() { return this.at; },
  set hash(value) {
    this.at = "#" + value;
    listeners.hashchange();
  },
};
const matchMedia = () => ({ matches: stillness });
const getComputedStyle = () => ({ color: "black" });
const innerHeight = 800;
const ticks = [];
const setTimeout = (work) => { ticks.push(work); };
const requestAnimationFrame = (work) => work();
const atob = (text) => {
  const signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  let bits = "";
  for (const sign of text) bits += signs.indexOf(sign).toString(2).padStart(6, "0");
  return bits.match(/.{8}/g).map((byte) => String.fromCharCode(parseInt(byte, 2))).join("");
};
