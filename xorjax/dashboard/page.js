import { ago, duration, element, number, setCommand } from "/elements.js";
import { drawCurves } from "/curves.js";
import { drawPareto } from "/pareto.js";
import { showPoints, startPoints } from "/points.js";
import { otherStates, showBar, showKinds, startKey, totals } from "/stages.js";

const SECONDS_BETWEEN_LOOKS = 1.5;
const SECONDS_HIDDEN = 15;
const LONGEST_BREAK = 5000; // milliseconds
const STATES = ["ok", "failed", "unreadable", "running", "stopped", "waiting"];
// "made" is logged as work begins.
const EVENTS = { made: "started", found: "made by another command" };

const find = (selector) => document.querySelector(selector);
let token = null;
let chosen = addressed();
let experiment = null;
let drawn = "";
let changed = false;
let timer = 0;
let idleSince = null;

// The experiment that the page's address names; null if it names none, or nothing that can be decoded.
function addressed() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

async function look() {
  clearTimeout(timer);
  const asked = chosen;
  try {
    const query = asked === null ? "" : `?experiment=${encodeURIComponent(asked)}`;
    const headers = token === null ? {} : { "If-None-Match": `"${token}"` };
    const answer = await fetch(`/state.json${query}`, { headers, cache: "no-store" });
    if (answer.status === 200) {
      const news = await answer.json();
      if (asked === chosen) take(news);
    } else if (answer.status !== 304) {
      throw new Error(`status ${answer.status}`);
    }
    tell("live", "live");
  } catch (error) {
    if (!(error instanceof TypeError)) console.error(error);
    tell("lost", "no answer: has the dashboard been stopped?");
  }
  showTimes();
  const reading = experiment && experiment.reading;
  clearTimeout(timer);
  timer = setTimeout(look, 1000 * (document.hidden ? SECONDS_HIDDEN : reading ? 0.1 : SECONDS_BETWEEN_LOOKS));
}

function tell(kind, words) {
  const place = find("#connection");
  if (place.className === kind) return;
  place.className = kind;
  place.lastChild.textContent = words;
}

function take(news) {
  token = news.token;
  merge(news.experiment);
  find("#runs").textContent = news.runs;
  showList(news.experiments);
  find("#nothing").hidden = experiment !== null;
  find("#experiment").hidden = experiment === null;
  document.title = experiment ? `${experiment.name}: ${summary(experiment, true)}` : "xorjax dashboard";
  if (experiment) {
    showExperiment(news.experiment);
  } else {
    const missing = chosen !== null && news.experiments.length ? `There is no experiment ${chosen}.`
      : news.exists ? "No sweep has written here yet." : "The run directory does not exist yet.";
    find("#nothing h1").textContent = missing;
  }
}

function merge(news) {
  if (news === null) { experiment = null; return; }
  const before = news.whole || experiment === null ? { points: [], states: [], stages: news.stages } : experiment;
  const { points, states } = before;
  for (const point of news.points) points[point.i] = point;
  for (const [i, state, note] of news.states) states[i] = { state, note, uses: 0 };
  experiment = { ...news, points, states, stages: news.stages || before.stages };
  if (news.points.length || news.states.length) {
    for (const state of states) state.uses = 0;
    for (const point of points) for (const i of point.stages) states[i].uses += 1;
  }
  chosen ??= news.name;
}

function choose(name) {
  if (name === chosen && experiment !== null) return;
  [chosen, token, experiment] = [name, null, null];
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  look();
}

function showList(experiments) {
  const list = find("#experiments");
  const old = new Map([...list.children].map((item) => [item.dataset.name, item]));
  const items = experiments.map((entry) => {
    const item = old.get(entry.name) || newItem(entry.name);
    const button = item.firstChild;
    button.setAttribute("aria-current", entry.name === chosen);
    const words = [
      entry.points ? `${entry.ok} of ${entry.points} finished` : "no points",
      // Not to be broken: the line is short.
      entry.working ? "running" : ago(entry.active).replaceAll(" ", "\u00a0"),
    ].join(" · ");
    button.lastChild.replaceChildren(words, ...(entry.failed ? [element("b", "", `${entry.failed} failed`)] : []));
    return item;
  });
  // Moving an element takes the focus from it: only what is out of place moves.
  items.forEach((item, i) => { if (list.children[i] !== item) list.insertBefore(item, list.children[i] || null); });
  while (list.children.length > items.length) list.lastChild.remove();
  find("nav").hidden = items.length === 0;
}

function newItem(name) {
  const item = element("li");
  item.dataset.name = name;
  const button = element("button", "", name);
  button.type = "button";
  button.append(element("small"));
  button.addEventListener("click", () => choose(name));
  item.append(button);
  return item;
}

function showExperiment(news) {
  find("#experiment h1").textContent = experiment.name;
  setCommand(find("#command"), experiment.command);
  find("#plan-error").hidden = experiment.error === null;
  find("#plan-error").textContent = experiment.error || "";
  for (const part of ["#bar", "#summary", "#points"]) find(part).hidden = experiment.error !== null;
  find("#command").hidden = experiment.command === "";
  showBar(find("#bar"), totals(experiment.kinds));
  find("#summary").textContent = summary(experiment, false);
  nameMetric(experiment.metric);
  showIdle();
  showFailures();
  showWorking();
  showKinds(experiment.kinds);
  find("#curves").hidden = experiment.curves.length === 0;
  find("#pareto").hidden = !experiment.points.some((point) => point.bits !== null);
  // Thousands of points are drawn when all of them have been read, not at each step of it.
  changed ||= news.points.length > 0 || news.whole;
  if (changed && !news.reading) {
    drawPareto(experiment);
    changed = false;
  }
  const curves = JSON.stringify(news.curves);
  if (curves !== drawn || news.whole) drawCurves(experiment);
  drawn = curves;
  if (news.points.length || news.states.length || news.whole) showPoints(experiment);
  showEvents();
}

// What the page calls the metric, where that is not drawn anew.
function nameMetric({ name, unit, higher_is_better }) {
  find("#pareto h2").textContent = `Bits against ${name}`;
  find("#pareto label").firstChild.textContent = `${name} `;
  find("#pareto .plot").setAttribute("aria-label", `Bits per weight against ${name}`);
  find("#metric").options[0].textContent = name;
  find("#order").options[3].textContent = `${higher_is_better ? "highest" : "lowest"} ${name} first`;
  find("#working th.measured").textContent = unit ? `validation (${unit})` : "validation";
}

function summary({ counts, kinds, left, points, reading }, short) {
  const failed = (counts.failed || 0) + (counts.unreadable || 0);
  const parts = [`${counts.ok || 0} of ${points.length} ${points.length === 1 ? "point" : "points"} finished`];
  if (failed) parts.push(`${failed} failed`);
  if (short) return parts.join(", ");
  for (const state of ["running", "stopped", "waiting"]) if (counts[state]) parts.push(`${counts[state]} ${state}`);
  const { all, ...counted } = totals(kinds);
  const whole = [parts.join(", ")];
  if (all) whole.push([`${counted.done || 0} of ${all} stages made`, ...otherStates(counted)].join(", "));
  if (left !== null) whole.push(`about ${duration(left)} left`);
  if (reading) whole.push(`reading ${reading} more point files`);
  return whole.join(" · ");
}

function showIdle() {
  const { counts, working, command } = experiment;
  const left = (counts.running || 0) + (counts.stopped || 0) + (counts.waiting || 0);
  const idle = left > 0 && !working.some((work) => work.state === "running");
  const place = find("#idle");
  if (!idle) {
    idleSince = null;
  } else if (idleSince === null) {
    // Between two stages nothing runs either, for a moment.
    idleSince = Date.now();
    setTimeout(showIdle, LONGEST_BREAK);
  }
  const told = idle && Date.now() - idleSince >= LONGEST_BREAK;
  place.hidden = !told;
  if (!told || place.dataset.command === command) return;
  place.dataset.command = command;
  const box = element("div", "command");
  setCommand(box, command);
  place.replaceChildren("Nothing is running. Run the same command to resume.", box);
}

function showFailures() {
  const { failures } = experiment;
  const place = find("#failures > div");
  const key = JSON.stringify(failures);
  find("#failures").hidden = failures.length === 0;
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  place.replaceChildren(...failures.map((failure) => {
    const box = element("div", "failure");
    const others = failure.count > 1 ? ` and ${failure.count - 1} more` : "";
    const command = element("div", "command");
    setCommand(command, failure.command);
    box.append(
      element("strong", "", failure.title + others), element("pre", "", failure.message),
      element("small", "", failure.directory), command,
    );
    return box;
  }));
}

function showWorking() {
  const { working } = experiment;
  find("#working").hidden = working.length === 0;
  find("#working h2").textContent = working.some((work) => work.state === "running") ? "Running" : "Stopped";
  find("#working tbody").replaceChildren(...working.map((work) => {
    const line = element("tr");
    const epochs = element("td", "text");
    if (work.of) {
      const meter = element("progress");
      [meter.max, meter.value] = [work.of, work.epochs];
      epochs.append(meter, ` ${work.epochs} of ${work.of}`);
    }
    const who = [work.host, work.pid].filter((part) => part !== null).join(", ");
    line.append(
      element("td", "text name", `${work.kind} ${work.name}`), epochs,
      element("td", "", work.validation === null ? "" : number(work.validation, experiment.metric)), timeCell(work.began),
      work.state === "stopped" ? element("td", "text stopped", work.note) : timeCell(work.seen),
      element("td", "text", who || "unknown"), element("td", "", work.points),
    );
    return line;
  }));
}

function timeCell(time) {
  const cell = element("td");
  if (time !== null) cell.dataset.time = time;
  return cell;
}

function showEvents() {
  const { events } = experiment;
  find("#events").hidden = events.length === 0;
  find("#events ol").replaceChildren(...events.map((event) => {
    const line = element("li", ["failed", "damaged"].includes(event.event) ? "bad" : "");
    const time = element("time", "", event.time === null ? "" : new Date(1000 * event.time).toLocaleTimeString());
    const took = event.seconds === null ? "" : ` after ${duration(event.seconds)}`;
    const why = event.message ? `: ${event.message}` : "";
    line.append(time, `${event.kind} ${event.name}: ${EVENTS[event.event] || event.event}${took}${why}`);
    return line;
  }));
}

function showTimes() {
  for (const cell of document.querySelectorAll("[data-time]")) cell.textContent = ago(Number(cell.dataset.time));
}

function redraw() {
  if (!experiment) return;
  drawPareto(experiment);
  drawCurves(experiment);
}

startKey();
startPoints(STATES, () => { if (experiment) showPoints(experiment); });
find("#split").addEventListener("change", redraw);
find("#metric").addEventListener("change", redraw);
// Of theme.js, which is the report's too.
themeListeners.push(redraw);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
addEventListener("hashchange", () => {
  const name = addressed();
  if (name !== null) choose(name);
});
setCommand(find("#nothing .command"), find("#nothing code").textContent);
look();
