import { SIGNS, ago, arrange, commandBox, duration, element, find, update, wordOf } from "/elements.js";
import { showPoints, startPoints } from "/points.js";
import { showReport } from "/report.js";

const SECONDS_BETWEEN_LOOKS = 1.5;
const SECONDS_HIDDEN = 15;
const STAGE_STATES = ["done", "running", "stopped", "failed", "blocked", "waiting"];
const MEANINGS = {
  done: "", running: ": being made now", stopped: ": started, then interrupted", failed: "",
  blocked: ": needs a stage that failed", waiting: ": not started",
};
// "made" is logged as work begins.
const EVENTS = { made: "started", found: "made by another command" };

const links = new Map();
let tag = null;
let [chosen, view] = addressed();
let experiment = null;
let timer = 0;

// The experiment that the page's address names, and the view of it; null if it names none, or nothing that can be decoded.
function addressed() {
  const [name, asked = ""] = location.hash.slice(1).split("/");
  try {
    return [decodeURIComponent(name) || null, asked];
  } catch {
    return [null, ""];
  }
}

async function look() {
  clearTimeout(timer);
  const asked = chosen;
  try {
    const query = asked === null ? "" : `?experiment=${encodeURIComponent(asked)}`;
    const headers = tag === null ? {} : { "If-None-Match": tag };
    const answer = await fetch(`/state.json${query}`, { headers, cache: "no-store" });
    if (answer.status === 200) {
      const news = await answer.json();
      if (asked === chosen) take(news, answer.headers.get("ETag"));
    } else if (answer.status !== 304) {
      throw new Error(`status ${answer.status}`);
    }
    tell("live", "live");
  } catch (error) {
    if (!(error instanceof TypeError)) console.error(error);
    tell("lost", "no answer: has the dashboard been stopped?");
  }
  for (const place of document.querySelectorAll("[data-time]")) place.textContent = ago(Number(place.dataset.time));
  clearTimeout(timer);
  timer = setTimeout(look, 1000 * (document.hidden ? SECONDS_HIDDEN : experiment?.reading ? 0.1 : SECONDS_BETWEEN_LOOKS));
}

function tell(kind, words) {
  find("#connection").className = kind;
  update(find("#connection"), words, () => [words]);
}

function take(news, itsTag) {
  tag = itsTag;
  experiment = news.experiment;
  chosen ??= experiment?.name ?? null;
  find("#runs").textContent = news.runs;
  showList(news.experiments);
  find("#empty").hidden = experiment !== null;
  find("#experiment").hidden = experiment === null;
  if (experiment) {
    showExperiment(news.experiments.find(({ name }) => name === experiment.name));
  } else {
    document.title = "xorjax dashboard";
    find("#empty h1").textContent = chosen !== null && news.experiments.length ? `There is no experiment ${chosen}.`
      : news.exists ? "No sweep has written here yet." : "The run directory does not exist yet.";
  }
}

function showList(experiments) {
  arrange(find("#experiments"), experiments.map(({ name, points, ok, failed, state, active }) => {
    if (!links.has(name)) links.set(name, element("li", {}, element("a", { href: `#${encodeURIComponent(name)}` })));
    const link = links.get(name).firstChild;
    link.setAttribute("aria-current", name === chosen);
    update(link, [points, ok, failed, state, active], () => [element("b", {}, name), element("small", {}, ...[
      points ? `${ok} of ${points} finished` : "no points", failed && element("em", {}, `${failed} failed`),
      ["running", "stopped"].includes(state) && element("span", { class: state }, `${SIGNS[state]} ${state}`),
      state !== "running" && element("span", { "data-time": active }),
    ].filter(Boolean))]);
    return links.get(name);
  }));
  find("nav").hidden = experiments.length === 0;
}

function showExperiment({ state, report }) {
  const { name, command, error, counts, kinds, failures, working, figures, legend, events } = experiment;
  find("#experiment h1").textContent = name;
  update(find("#command"), command, () => (command ? [commandBox(command)] : []));
  find("#error").hidden = error === null;
  find("#error").textContent = error ?? "";
  for (const part of ["#bar", "#summary", "#points", "#views"]) find(part).hidden = error !== null;
  showBar(find("#bar"), totals(kinds));
  find("#summary").textContent = summary();
  document.title = `${name}: ${pointsSaid()}`;
  find("#idle").hidden = state !== "stopped";
  update(find("#idle"), command, () => ["Nothing is running. Run the same command to resume.", commandBox(command)]);
  // Who comes for what is finished wants its results.
  view ||= state === "finished" && report !== null && !counts.failed && !counts.unreadable ? "results" : "live";
  const isResults = view === "results" && error === null;
  for (const [part, isShown] of [["live", !isResults], ["results", isResults]]) {
    find(`#${part}`).hidden = !isShown;
    find(`#to-${part}`).href = `#${encodeURIComponent(name)}/${part}`;
    find(`#to-${part}`).setAttribute("aria-current", isShown);
  }
  if (isResults) showReport(name, report);
  fill("#failures", "div", failures, failureBox);
  fill("#working", "tbody", working, workLine);
  find("#working h2").textContent = working.some((work) => work.state === "running") ? "Running" : "Stopped";
  fill("#stages", "#kinds", kinds, kindLine);
  const { all, uses } = totals(kinds);
  find("#sharing").textContent = uses > all
    ? `Points share what they have in common: ${all} stages, each made once. Without sharing there would be ${uses}.` : "";
  fill("#curves", ".legend", legend, ([title, colour]) => element(
    "li", {}, element("i", { class: "solid", style: `border-color: ${colour}` }), title,
  ));
  // Of plots.js.
  figures.forEach((figure, i) => setFigure(document.querySelectorAll("#curves .plot")[i], figure));
  showPoints(experiment);
  fill("#events", "ol", events, eventLine);
}

// A part of the page, which is there while its list has something.
function fill(part, place, items, make) {
  find(part).hidden = items.length === 0;
  update(find(`${part} ${place}`), items, () => items.flatMap((item) => make(item)));
}

function totals(kinds) {
  const sum = (name) => kinds.reduce((total, kind) => total + (kind[name] ?? 0), 0);
  return Object.fromEntries(["all", "uses", ...STAGE_STATES].map((name) => [name, sum(name)]));
}

const said = (counts, states) => states.filter((state) => counts[state]).map((state) => `${counts[state]} ${wordOf(state)}`);

function pointsSaid() {
  const { counts, points } = experiment;
  const finished = `${counts.ok ?? 0} of ${points.length} ${points.length === 1 ? "point" : "points"} finished`;
  // Many points share one stage: what runs is told of the stages.
  return [finished, ...said(counts, ["failed", "unreadable", "stopped", "waiting"])].join(", ");
}

// What waits is the rest, and needs no word.
function stagesSaid(counts, what) {
  return [`${counts.done ?? 0} of ${counts.all} ${what}made`, ...said(counts, STAGE_STATES.slice(1, -1))].join(", ");
}

function summary() {
  const { kinds, left, reading } = experiment;
  return [
    pointsSaid(), kinds.length && stagesSaid(totals(kinds), "stages "),
    left !== null && `about ${duration(left)} left`, reading && `reading ${reading} more point files`,
  ].filter(Boolean).join(" · ");
}

function showBar(place, counts) {
  const states = STAGE_STATES.filter((state) => counts[state]);
  update(place, counts, () => states.map((state) => element("i", { class: state, style: `flex-grow: ${counts[state]}` })));
  place.title = `Stages: ${said(counts, states).join(", ")}`;
  place.setAttribute("aria-label", place.title);
}

function kindLine(kind) {
  const bar = element("div", { class: "bar", role: "img" });
  showBar(bar, kind);
  const shared = kind.uses > kind.all ? ` (${kind.uses} without sharing)` : "";
  return [element("span", {}, kind.kind), bar, element("span", {}, stagesSaid(kind, "") + shared)];
}

function failureBox({ title, message, count, directory, command }) {
  const others = count > 1 ? ` and ${count - 1} more` : "";
  return element(
    "div", { class: "failure" }, element("strong", {}, title + others), element("pre", {}, message),
    element("small", {}, directory), commandBox(command),
  );
}

function workLine(work) {
  const cell = (words, kind = "") => element("td", { class: kind }, words);
  const time = (seconds) => element("td", seconds === null ? {} : { "data-time": seconds });
  const epochs = cell("", "text");
  if (work.of) epochs.append(element("progress", { max: work.of, value: work.epochs }), ` ${work.epochs} of ${work.of}`);
  return element(
    "tr", {}, cell(`${work.kind} ${work.name}`, "text wrap"), epochs, cell(work.validation), time(work.began),
    work.state === "stopped" ? cell(work.note, "text wrap stopped") : time(work.seen),
    cell([work.host, work.pid].filter((part) => part !== null).join(", ") || "unknown", "text"), cell(work.points),
  );
}

function eventLine({ time, kind, name, event, seconds, message }) {
  const took = seconds === null ? "" : ` after ${duration(seconds)}`;
  return element(
    "li", { class: ["failed", "damaged"].includes(event) ? "bad" : "" },
    element("time", {}, time === null ? "" : new Date(1000 * time).toLocaleTimeString()),
    `${kind} ${name}: ${EVENTS[event] ?? event}${took}${message ? `: ${message}` : ""}`,
  );
}

find("#key").append(...STAGE_STATES.map((state) => element(
  "li", {}, element("b", { class: "bar" }, element("i", { class: state })),
  element("span", { class: `stage ${state}` }, SIGNS[state]), wordOf(state) + MEANINGS[state],
)));
startPoints(() => { if (experiment) showPoints(experiment); });
find(".skip").addEventListener("click", (event) => {
  event.preventDefault();  // The address is the experiment's.
  find("#main").focus();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
addEventListener("hashchange", () => {
  const [name, asked] = addressed();
  if (name === null) return;
  [chosen, view, tag, experiment] = [name, asked, null, null];
  look();
});
find("#empty").append(commandBox("python scripts/train.py +experiment=lenet_smoke"));
look();
