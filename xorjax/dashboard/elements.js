// The states of points and stages.
export const SIGNS = {
  ok: "✓", done: "■", failed: "✕", unreadable: "✕", running: "◐", stopped: "‖", blocked: "⊘", waiting: "□",
};
export const wordOf = (state) => ({ ok: "finished", done: "made" })[state] ?? state;
export const find = (selector) => document.querySelector(selector);

// Whatever files say goes into the page as text, never as HTML.
export function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const shown = new WeakMap();

// Fills a place where what it shows has changed: else what is selected there stays, as the focus always does.
export function update(place, value, make) {
  const key = JSON.stringify(value);
  if (shown.get(place) === key) return;
  shown.set(place, key);
  const focused = document.activeElement;
  place.replaceChildren(...make(value));
  if (place.contains(focused)) focused.focus({ preventScroll: true });
}

// What has its place is not moved: it keeps the focus, and the page its scroll position.
export function arrange(parent, nodes) {
  const kept = new Set(nodes);
  for (const node of [...parent.children]) if (!kept.has(node)) node.remove();
  nodes.forEach((node, i) => { if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] ?? null); });
}

export function commandBox(command) {
  const code = element("code", {}, command);
  const button = element("button", { type: "button", "aria-label": `Copy: ${command}` }, "Copy");
  button.addEventListener("click", async () => {
    // Copying is not allowed beyond this machine without TLS: then the keyboard copies what is selected.
    getSelection().selectAllChildren(code);
    const copied = navigator.clipboard?.writeText(command).then(() => "Copied", () => "Selected");
    button.textContent = (await copied) ?? "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return element("div", { class: "command" }, code, button);
}

export function duration(seconds) {
  if (seconds < 90) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.round(seconds / 86400)} days`;
}

export function ago(time) {
  const seconds = Math.round(Math.max(0, Date.now() / 1000 - time));
  return seconds < 2 ? "now" : `${duration(seconds)} ago`;
}
