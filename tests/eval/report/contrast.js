// Texts whose contrast with what lies under them is below WCAG 2.2's 4.5 : 1 (3 : 1 of large ones).
const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
const pen = pixel.getContext("2d", { willReadFrequently: true });

function luminance() {
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const [red, green, blue] = [...pen.getImageData(0, 0, 1, 1).data].map((v) => linear(v / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function painted(colour) {
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return luminance();
}

function contrast(element) {
  const grounds = [];
  for (let at = element; at; at = at.parentElement) {
    grounds.unshift(getComputedStyle(at).backgroundColor);
  }
  const ground = ["white", ...grounds].map(painted).at(-1);
  const text = painted(getComputedStyle(element).color);
  return (Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05);
}

function isLow(element) {
  const words = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!words || !element.checkVisibility()) return false;
  return contrast(element) < (parseFloat(getComputedStyle(element).fontSize) >= 24 ? 3 : 4.5);
}

return [...document.body.querySelectorAll("*")].filter(isLow).map((each) => each.outerHTML);
