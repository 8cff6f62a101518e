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
  for (const frame of [shown, coming]) if (frame && (frame.dataset.name !== name || tag === null)) drop(frame);
  // One that is coming is shown first, however often the report is written.
  if (tag === null || coming || wanted === tag) return;
  wanted = tag;
  const view = shown ? shown.contentWindow.location.hash : "";
  const frame = element("iframe", { class: "coming", title: `Report of ${name}`, src: addressOf(name) + view, "data-name": name });
  frame.addEventListener("load", () => replaceBy(frame), { once: true });
  coming = frame;
  find("#results").append(frame);
}

function drop(frame) {
  frame.remove();
  if (frame === coming) coming = null;
  else shown = null;
  wanted = null;
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
  // No answer, which is no page of ours: the next look asks again.
  if (page === null) { drop(frame); return; }
  for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
    view.addEventListener(kind, ({ buttons, type }) => {
      frame.toggleAttribute("data-pressed", buttons > 0 && type !== "pointercancel");
    }, { capture: true });
  }
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
