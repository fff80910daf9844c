// Runs the timeline page's script without a browser: node canvas.js PAGE EVENTS.
// EVENTS is JSON: [[target, type, properties], ...], target "canvas" or a button's id. Prints, as
// JSON, the rectangles and texts of each drawing: one at first, and one after each event.
"use strict";
const fs = require("fs"), vm = require("vm");
const page = fs.readFileSync(process.argv[2], "utf8"), events = JSON.parse(process.argv[3]);
const scripts = [...page.matchAll(/<script[^>]*>([^]*?)<\/script>/g)].map(m => m[1]);
let drawn = { rects: [], texts: [] };
const pen = {
  setTransform() {}, save() {}, restore() {}, beginPath() {}, rect() {}, clip() {}, strokeRect() {},
  measureText: text => ({ width: 7 * text.length }),
  fillRect(...box) { drawn.rects.push([this.fillStyle, ...box]); },
  fillText(text, ...at) { drawn.texts.push([text, ...at]); },
};
function element(more) {
  const on = {};
  return {
    on, style: {}, offsetWidth: 100, textContent: "",
    addEventListener(type, act) { on[type] = act; }, setPointerCapture() {}, ...more,
  };
}
const elements = {
  c: element({ clientWidth: 1000, getContext: () => pen }),
  data: { textContent: scripts[0] },
};
const canvas = elements.c;
vm.runInNewContext(scripts[1], {
  document: { documentElement: {}, getElementById: id => (elements[id] ??= element({})) },
  window: { devicePixelRatio: 2, addEventListener() {}, matchMedia: () => element({}) },
  getComputedStyle: () => ({ getPropertyValue: name => " " + name }),
  requestAnimationFrame: draw => draw(),
});
const all = [];
function keep() { all.push({ ...drawn, tip: elements.tip.textContent, shown: elements.tip.style.display }); }
keep();
for (const [target, type, properties] of events) {
  drawn = { rects: [], texts: [] };
  (elements[target === "canvas" ? "c" : target]).on[type]({ preventDefault() {}, ...properties });
  keep();
}
console.log(JSON.stringify(all));
