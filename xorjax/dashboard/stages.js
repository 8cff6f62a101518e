// The stages by kind: how many of each are made, and what became of the others.
import { SIGNS, element, wordOf } from "/elements.js";

const STAGE_STATES = ["done", "running", "stopped", "failed", "blocked", "waiting"];
const MEANINGS = {
  running: "being made now", stopped: "started, then interrupted", blocked: "needs a stage that failed",
  waiting: "not started",
};

const find = (selector) => document.querySelector(`#stages ${selector}`);

export function totals(kinds) {
  const sum = (name) => kinds.reduce((total, kind) => total + (kind[name] || 0), 0);
  return Object.fromEntries(["all", "uses", ...STAGE_STATES].map((name) => [name, sum(name)]));
}

// What waits is the rest, and needs no word.
export function otherStates(counts) {
  return STAGE_STATES.slice(1, -1).filter((state) => counts[state]).map((state) => `${counts[state]} ${state}`);
}

export function showBar(place, counts) {
  const all = STAGE_STATES.reduce((sum, state) => sum + (counts[state] || 0), 0);
  const shown = STAGE_STATES.filter((state) => counts[state]);
  const parts = new Map([...place.children].map((part) => [part.className, part]));
  place.replaceChildren(...shown.map((state) => {
    const part = parts.get(state) || element("i", state);
    part.style.width = `${100 * counts[state] / all}%`;
    return part;
  }));
  place.setAttribute("aria-label", `Stages: ${shown.map((state) => `${counts[state]} ${wordOf(state)}`).join(", ")}`);
  place.title = place.getAttribute("aria-label");
}

export function showKinds(kinds) {
  document.querySelector("#stages").hidden = kinds.length === 0;
  find("#kinds").replaceChildren(...kinds.flatMap((kind) => {
    const bar = element("div", "bar");
    bar.setAttribute("role", "img");
    showBar(bar, kind);
    const words = [`${kind.done || 0} of ${kind.all} made`, ...otherStates(kind)].join(", ");
    const shared = kind.uses > kind.all ? ` (${kind.uses} without sharing)` : "";
    return [element("span", "", kind.kind), bar, element("span", "", words + shared)];
  }));
  const { all, uses } = totals(kinds);
  find(".caption").textContent = uses > all
    ? `Points share what they have in common: ${all} stages, each made once. Without sharing there would be ${uses}.`
    : "";
}

// What the bars' parts and the signs in the table of points stand for.
export function startKey() {
  find("#key").replaceChildren(...STAGE_STATES.map((state) => {
    const item = element("li");
    const bar = element("b", "bar");
    bar.append(element("i", state));
    const meaning = MEANINGS[state] ? `: ${MEANINGS[state]}` : "";
    item.append(bar, element("span", `stage ${state}`, SIGNS[state]), ` ${wordOf(state)}${meaning}`);
    return item;
  }));
}
