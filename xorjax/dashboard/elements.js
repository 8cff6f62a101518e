// The states of points and stages.
export const SIGNS = {
  ok: "✓", done: "■", failed: "✕", unreadable: "✕", running: "◐", stopped: "‖", blocked: "⊘", waiting: "□",
};
const WORDS = { ok: "finished", done: "made" };
export const wordOf = (state) => WORDS[state] || state;

// Whatever files say goes into the page as text, never as HTML.
export function element(name, kind = "", words = "") {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.textContent = words;
  return made;
}

// A value of the metric as people have it, without its unit: as the report says it.
export function number(value, { unit, scale }) {
  return unit === "%" ? (scale * value).toFixed(2) : String(Number((scale * value).toPrecision(4)));
}

export function withUnit(words, { unit }) {
  return unit ? `${words} ${unit}` : words;
}

export function setCommand(place, command) {
  if (place.dataset.command === command) return;
  place.dataset.command = command;
  const button = element("button", "", "Copy");
  button.type = "button";
  button.setAttribute("aria-label", `Copy: ${command}`);
  button.addEventListener("click", () => copy(command, button));
  place.replaceChildren(element("code", "", command), ...(command ? [button] : []));
}

async function copy(words, button) {
  try {
    await navigator.clipboard.writeText(words);
    button.textContent = "Copied";
  } catch {
    // Not allowed beyond this machine without TLS: select it, so that the keyboard copies it.
    getSelection().selectAllChildren(button.previousSibling);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

export function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.round(seconds / 86400)} days`;
}

export function ago(time) {
  const seconds = Math.max(0, Date.now() / 1000 - time);
  return seconds < 2 ? "now" : `${duration(Math.round(seconds)).replace(".0 s", " s")} ago`;
}
