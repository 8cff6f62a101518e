// The report of the experiment in a frame as high as the report, so that the page scrolls, prints and is pictured as one.
import { element, find } from "/elements.js";

const FOCUSABLE = "a, button, input, select, summary, [tabindex]";
let shown = null;
let coming = null;
let wanted = null;

// `tag` differs when the report does; null if there is none.
export function showReport(name, tag) {
  find("#no-report").hidden = tag !== null;
  find("#alone").hidden = tag === null;
  find("#alone a").href = addressOf(name);
  if (shown && (shown.dataset.name !== name || tag === null)) {
    shown.remove();
    shown = null;
  }
  if (wanted === `${name} ${tag}`) return;
  wanted = `${name} ${tag}`;
  coming?.remove();
  if (tag === null) return;
  const view = shown ? shown.contentWindow.location.hash : "";
  const frame = element("iframe", { class: "coming", title: `Report of ${name}`, src: addressOf(name) + view, "data-name": name });
  frame.addEventListener("load", () => replaceBy(frame), { once: true });
  coming = frame;
  find("#results").append(frame);
}

const addressOf = (name) => `/report/${encodeURIComponent(name)}/`;

// Once the reader has nothing of the old one in hand: neither pressed, nor a text selected.
function replaceBy(frame) {
  if (frame !== coming) return;
  if (shown && ("pressed" in shown.dataset || shown.contentWindow.getSelection()?.toString())) {
    setTimeout(() => replaceBy(frame), 300);
    return;
  }
  const { contentWindow: view, contentDocument: page } = frame;
  view.addEventListener("pointerdown", () => { frame.dataset.pressed = ""; }, { capture: true });
  for (const end of ["pointerup", "pointercancel"]) view.addEventListener(end, () => { delete frame.dataset.pressed; }, { capture: true });
  new ResizeObserver(fit).observe(page.documentElement);
  const old = shown;
  [shown, coming] = [frame, null];
  fit();
  frame.className = "";
  if (!old) return;
  const { contentDocument: before, contentWindow: { location: { hash } } } = old;
  if (hash !== view.location.hash) view.location.hash = hash;
  const place = [...before.querySelectorAll(FOCUSABLE)].indexOf(before.activeElement);
  const isFocused = document.activeElement === old;
  old.remove();
  if (isFocused) page.querySelectorAll(FOCUSABLE)[place]?.focus({ preventScroll: true });
}

function fit() {
  if (!shown) return;
  const root = shown.contentDocument.documentElement;
  shown.style.height = `${Math.ceil(root.getBoundingClientRect().height)}px`;
  // What sticks to the window's edge is told where that is.
  root.style.setProperty("--below", `${Math.max(0, shown.getBoundingClientRect().bottom - innerHeight)}px`);
}

addEventListener("scroll", fit, { passive: true });
addEventListener("resize", fit);
// Of theme.js: what is printed is laid out first.
themeListeners.push(() => {
  shown?.contentWindow.setPaper?.(onPaper);
  fit();
});
