// The page: draws pictures as they come, and says unmistakably when they don't.
// Every text is set through textContent: nothing that a tag, a batch or an error says can become markup.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const OLD_MS = 5000; // a picture comes each second; without one for so long the stream counts as lost
const STATES = {
  action: { mark: "◆", word: "ACTION" },
  alert: { mark: "▲", word: "ALERT" },
  "not evaluable": { mark: "?", word: "not evaluable" },
  ok: { mark: "", word: "ok" },
  "no limits": { mark: "", word: "no limits" },
};

// ---- small tools ------------------------------------------------------------------------------------------------

const byId = (id) => document.getElementById(id);

function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

function show(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setClass(node, className) {
  if (node.className !== className) node.className = className;
}

function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
}

const known = new WeakMap();

// Make `parent` hold one node per item, in order; nodes stay for items whose key stays. `make()` gives {node, update}.
function each(parent, items, keyOf, make) {
  const before = known.get(parent) ?? new Map();
  const now = new Map();
  items.forEach((item, at) => {
    let key = keyOf(item);
    while (now.has(key)) key += "'";
    const part = before.get(key) ?? make(item);
    now.set(key, part);
    if (parent.children[at] !== part.node) parent.insertBefore(part.node, parent.children[at] ?? null);
    part.update(item);
  });
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  known.set(parent, now);
}

// A part of a list: `build` makes its cells once, `fill` writes an item into them.
function part(tag, className, cells, fill) {
  return () => {
    const node = element(tag, className);
    const made = cells.map(([cellTag, cellClass]) => node.appendChild(element(cellTag, cellClass)));
    for (const cell of made.filter(({ tagName }) => tagName === "TH")) cell.scope = "row";
    return { node, update: (item) => fill(item, made, node) };
  };
}

// ---- words ------------------------------------------------------------------------------------------------------

const dayOf = (time) => time.slice(0, 10);
const clockOf = (time) => time.slice(11, 19);
let today = "";
const when = (time) => (dayOf(time) === today ? clockOf(time) : `${dayOf(time)} ${clockOf(time)}`);
const two = (number) => String(number).padStart(2, "0");
const count = (number) => (number === null ? "–" : number.toLocaleString("en").replaceAll(",", "\u202f"));
const withUnit = (figure, tag) => (tag.engineering_unit ? `${figure} ${tag.engineering_unit}` : figure);
const several = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;

function duration(seconds) {
  const whole = Math.floor(seconds);
  const [day, hour, minute, second] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  if (day) return `${day} d ${two(hour)} h`;
  if (hour) return `${hour} h ${two(minute)} min`;
  return minute ? `${minute} min ${two(second)} s` : `${second} s`;
}

function span({ low, high }) {
  if (low === null) return `≤ ${high}`;
  return high === null ? `≥ ${low}` : `${low} … ${high}`;
}

const isInstant = ({ statistic }) => statistic === "value" || statistic === "deviation";

function limitWords(limit) {
  const rows = [["SP", limit.sp], ["NOR", limit.nor], ["PAR", limit.par], ["L H", limit.alarm], ["LL HH", limit.alarm_far]];
  const words = rows.filter(([, row]) => row !== null).map(([name, row]) => `${name} ${typeof row === "number" ? row : span(row)}`);
  return isInstant(limit) ? words.join(" · ") : `${limit.statistic}: ${words.join(" · ")}`;
}

function qualityWords(tag) {
  if (tag.quality === "good") return "";
  const age = tag.age_s === null ? ", never good" : ` ${duration(tag.age_s)}`;
  return `${tag.quality.toUpperCase()}${age}${tag.status ? ` · ${tag.status}` : ""}`;
}

// ---- the bar: where the value is inside NOR and PAR -------------------------------------------------------------

const WIDTH = 120;

function shape(parent, tag, className) {
  const node = document.createElementNS(SVG, tag);
  node.setAttribute("class", className);
  return parent.appendChild(node);
}

function makeBar(cell) {
  const svg = shape(cell, "svg", "bar");
  setAttributes(svg, { viewBox: `0 0 ${WIDTH} 18`, role: "img" });
  const parts = { svg };
  shape(svg, "path", "track").setAttribute("d", `M0 9 H${WIDTH}`);
  for (const name of ["par", "nor"]) parts[name] = shape(svg, "rect", name);
  for (const name of ["sp", "marker"]) parts[name] = shape(svg, "path", name);
  return parts;
}

// The part of the scale that is drawn: the outermost limits with a margin; an open side ends at the instrument's range.
function scaleOf(tag, limit) {
  const rows = [limit.par, limit.nor, limit.alarm_far, limit.alarm].filter((row) => row !== null);
  const levels = rows.flatMap(({ low, high }) => [low, high]).filter((level) => level !== null);
  if (rows.every(({ low }) => low === null) && tag.range?.low !== undefined && tag.range.low !== null) levels.push(tag.range.low);
  if (rows.every(({ high }) => high === null) && tag.range?.high !== undefined && tag.range.high !== null) levels.push(tag.range.high);
  const [low, high] = [Math.min(...levels), Math.max(...levels)];
  const margin = (high - low) * 0.25 || Math.abs(high) * 0.25 || 1;
  return { low: low - margin, high: high + margin };
}

function drawBand(node, row, place) {
  const from = row === null || row.low === null ? 0 : place(row.low);
  const to = row === null || row.high === null ? WIDTH : place(row.high);
  setAttributes(node, { x: from, width: row === null ? 0 : Math.max(0, to - from), y: 4, height: 10 });
}

function drawMarker(node, tag, scale, place) {
  const value = tag.value;
  if (value < scale.low) return setAttributes(node, { d: "M8 2 L1 9 L8 16 Z" });
  if (value > scale.high) return setAttributes(node, { d: `M${WIDTH - 8} 2 L${WIDTH - 1} 9 L${WIDTH - 8} 16 Z` });
  const x = place(value);
  return setAttributes(node, { d: `M${x} 1 L${x + 4.5} 9 L${x} 17 L${x - 4.5} 9 Z` });
}

function drawBar(bar, tag) {
  const limit = tag.limits.find(isInstant);
  const drawn = limit !== undefined && [limit.nor, limit.par, limit.alarm, limit.alarm_far].some((row) => row !== null);
  bar.svg.style.display = drawn ? "" : "none";
  if (!drawn) return;
  const scale = scaleOf(tag, limit);
  const place = (level) => Math.round(((level - scale.low) / (scale.high - scale.low)) * WIDTH * 10) / 10;
  drawBand(bar.par, limit.par, place);
  drawBand(bar.nor, limit.nor, place);
  setAttributes(bar.sp, { d: limit.sp === null ? "" : `M${place(limit.sp)} 3 V15` });
  const numeric = typeof tag.value === "number" && tag.quality === "good";
  if (numeric) drawMarker(bar.marker, tag, scale, place);
  else setAttributes(bar.marker, { d: "" });
  setAttributes(bar.svg, { "aria-label": numeric ? `${tag.shown}, ${limitWords(limit)}` : `no good value, ${limitWords(limit)}` });
}

// ---- units ------------------------------------------------------------------------------------------------------

function stateWords(tag) {
  return [qualityWords(tag), tag.breaches[0]?.text].filter(Boolean).join(" · ");
}

function makeTag() {
  const node = element("tr");
  const name = node.appendChild(element("th", "name"));
  name.scope = "row";
  const label = name.appendChild(element("button", "label"));
  label.type = "button";
  label.addEventListener("click", () => openTrend(label.dataset.unit, label.textContent));
  const role = name.appendChild(element("span", "role"));
  const value = node.appendChild(element("td", "value"));
  const figure = value.appendChild(element("span", "figure"));
  const engineeringUnit = value.appendChild(element("span", "engineering-unit"));
  const state = node.appendChild(element("td", "state")).appendChild(element("div"));
  const verdict = state.appendChild(element("span", "verdict"));
  const badge = verdict.appendChild(element("span", "badge"));
  const why = verdict.appendChild(element("span", "why"));
  const band = state.appendChild(element("span", "band"));
  const bar = makeBar(band);
  const limits = band.appendChild(element("span", "limits"));
  return { node, update: (tag) => fillTag(tag, { node, label, role, figure, engineeringUnit, badge, why, bar, limits }) };
}

function fillTag(tag, cells) {
  const drawable = typeof tag.value !== "string" && !tag.relation;
  cells.label.disabled = !drawable;
  cells.label.title = drawable ? `show the trend of ${tag.name}` : "";
  setClass(cells.node, `is-${tag.state.replaceAll(" ", "-")} quality-${tag.quality}${tag.relation ? " is-relation" : ""}`);
  show(cells.label, tag.name);
  show(cells.role, tag.relation.replaceAll("_", " ") || (tag.role === tag.name ? "" : tag.role.replaceAll("_", " ")));
  show(cells.figure, tag.shown);
  show(cells.engineeringUnit, tag.value === null ? "" : tag.engineering_unit);
  const { mark, word } = STATES[tag.state];
  setClass(cells.badge, `badge ${tag.state.replaceAll(" ", "-")}`);
  show(cells.badge, `${mark} ${word}`.trim());
  show(cells.why, stateWords(tag));
  drawBar(cells.bar, tag);
  show(cells.limits, tag.limits.map(limitWords).filter(Boolean).join("\n"));
}

const rowsOf = (unit) => [...unit.tags, ...unit.relations];

function tally(unit) {
  const words = ["action", "alert", "not evaluable"]
    .map((state) => [state, rowsOf(unit).filter((row) => row.state === state).length])
    .filter(([, tags]) => tags)
    .map(([state, tags]) => `${STATES[state].mark} ${tags} ${STATES[state].word}`);
  const poor = unit.tags.filter((tag) => tag.quality !== "good" && tag.state === "no limits").length;
  if (poor) words.push(`${poor} more without a good value`);
  return words.join("   ") || (unit.state === "ok" ? "nothing outside its limits" : "no limits hold now");
}

function makeUnit() {
  const node = element("section", "unit");
  const head = node.appendChild(element("div", "unit-head"));
  const title = head.appendChild(element("h2"));
  const description = head.appendChild(element("span", "description"));
  const tallied = head.appendChild(element("span", "tally"));
  const batch = head.appendChild(element("p", "batch"));
  const phase = head.appendChild(element("p", "phase"));
  const scroll = node.appendChild(element("div", "scroll"));
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  const table = scroll.appendChild(element("table", "tags"));
  const row = table.appendChild(element("thead")).appendChild(element("tr"));
  for (const [text, className] of [["Tag", "name"], ["Value", "value"], ["State, and the limits now", "state"]]) {
    row.appendChild(element("th", className, text)).scope = "col";
  }
  const tags = table.appendChild(element("tbody"));
  return { node, update: (unit) => fillUnit(unit, { node, title, description, tallied, batch, phase, scroll, tags }) };
}

function fillUnit(unit, cells) {
  setClass(cells.node, `unit unit-${unit.state.replaceAll(" ", "-")}`);
  show(cells.title, unit.name);
  show(cells.description, unit.description);
  show(cells.tallied, tally(unit));
  const recipe = [unit.product, unit.recipe_version].filter(Boolean).join(" ");
  show(cells.batch, unit.batch ? `Batch ${unit.batch}${recipe ? ` · ${recipe}` : ""} · ${unit.mode}` : `No batch · ${unit.mode}`);
  const since = unit.seconds_in_phase === null ? "" : ` · ${duration(unit.seconds_in_phase)}`;
  const told = { told: "", "last known": " · LAST KNOWN, not told now", "not told": "" }[unit.context];
  show(cells.phase, (unit.phase ? `Phase ${unit.phase}${since}` : "No phase") + told);
  setClass(cells.phase, unit.context === "last known" ? "phase doubtful" : "phase");
  cells.scroll.setAttribute("aria-label", `tags of ${unit.name}`);
  each(cells.tags, rowsOf(unit), (row) => `${row.name} ${row.relation}`, makeTag);
  for (const label of cells.tags.querySelectorAll("button.label")) label.dataset.unit = unit.name;
}

// ---- what is wrong now ------------------------------------------------------------------------------------------

function problemsOf(picture) {
  const problems = picture.excursions.map(excursionProblem.bind(null, picture));
  if (picture.gateway.disk_fault) {
    problems.push({ key: "disk", kind: "fault", what: "THE DISK TAKES NOTHING", facts: [picture.gateway.disk_fault, "values are kept in memory"] });
  }
  for (const device of picture.devices.filter(({ answers }) => answers === false)) {
    const facts = [`since ${when(device.since)}`, device.cause];
    problems.push({ key: `device ${device.name}`, kind: "fault", what: `DEVICE LOST  ${device.name}`, facts });
  }
  for (const sink of picture.sinks.filter(({ taking }) => !taking)) {
    const facts = [`${count(sink.queued)} samples wait in the journal`, sink.cause];
    problems.push({ key: `sink ${sink.name}`, kind: "minor", what: `SINK TAKES NOTHING  ${sink.name}`, facts });
  }
  return problems;
}

function excursionProblem(picture, excursion) {
  const unit = picture.units.find(({ name }) => name === excursion.unit);
  const rows = unit ? (excursion.statistic === "deviation" ? unit.relations : rowsOf(unit)) : [];
  const tag = rows.find(({ role }) => role === excursion.role);
  const now = tag && tag.quality === "good" ? `now ${withUnit(tag.shown, excursion)}` : "now NOT KNOWN";
  const unseen = excursion.not_evaluable_s ? [`${duration(excursion.not_evaluable_s)} of it unseen`] : [];
  if (excursion.coverage < 1) unseen.push(`${Math.floor(100 * excursion.coverage)} % of its slots seen`);
  const facts = [
    now,
    `peak ${withUnit(excursion.peak, excursion)}`,
    `PAR ${withUnit(excursion.par_shown, excursion)}`,
    `since ${when(excursion.first)}, ${duration(excursion.duration_s)}`,
    ...unseen,
    [excursion.batch, excursion.phase].filter(Boolean).join(" "),
  ];
  const what = `OUTSIDE PAR  ${excursion.unit} ${excursion.tag}${excursion.cpp ? " (CPP)" : ""}`;
  return { key: `excursion ${excursion.unit} ${excursion.tag} ${excursion.first}`, kind: "action", what, facts, todo: excursion.action, why: excursion.consequence };
}

const MARKS = { action: "◆", fault: "✕", minor: "▲" };

const makeProblem = part("li", "", [["strong", ""], ["span", "facts"], ["span", "todo"], ["span", "reason"]], (problem, [what, facts, todo, reason], node) => {
  setClass(node, problem.kind);
  show(what, `${MARKS[problem.kind]} ${problem.what}`);
  show(facts, problem.facts.filter(Boolean).join(" · "));
  show(todo, problem.todo ? `Do: ${problem.todo}` : "");
  show(reason, problem.why ? `Consequence: ${problem.why}` : "");
});

function drawNow(picture) {
  const problems = problemsOf(picture);
  each(byId("problems"), problems, ({ key }) => key, makeProblem);
  const rows = picture.units.flatMap(rowsOf);
  const unseen = rows.filter(({ state }) => state === "not evaluable").length;
  const excursions = picture.excursions.length;
  const words = [excursions ? several(excursions, "open excursion") : "no open excursion"];
  if (unseen) words.push(`${several(unseen, "limited value")} can't be evaluated: not known to be inside`);
  const alerts = rows.filter(({ state }) => state === "alert").length;
  if (alerts) words.push(several(alerts, "alert"));
  show(byId("calm"), words.join(" · "));
}

// ---- alarms -----------------------------------------------------------------------------------------------------

// A mark and a word for each, so that colour is never the only signal.
const PRIORITIES = { critical: "‼ CRITICAL", high: "◆ HIGH", medium: "▲ MEDIUM", low: "△ low" };

const makeAlarm = part("tr", "", [["td", "priority"], ["td", "state"], ["th", ""], ["td", "since"], ["td", "cause"], ["td", "cause"]], (alarm, [priority, state, what, since, todo, handled], node) => {
  setClass(node, `priority-${alarm.priority}${alarm.calls ? " calls" : ""}${alarm.hidden ? " hidden-alarm" : ""}`);
  show(priority, PRIORITIES[alarm.priority]);
  show(state, `${alarm.state}${alarm.hidden && alarm.outside ? ", OUTSIDE underneath" : ""}`);
  const statistic = alarm.statistic === "value" ? "" : ` (${alarm.statistic})`;
  show(what, `${alarm.unit} ${alarm.tag}${alarm.cpp ? " (CPP)" : ""} ${alarm.limit || alarm.rule}${statistic}${alarm.value ? `, was ${alarm.value}` : ""}`);
  show(since, [alarm.since ? when(alarm.since) : "", alarm.batch, alarm.phase].filter(Boolean).join("\n"));
  show(todo, [alarm.action ? `Do: ${alarm.action}` : "", alarm.consequence ? `Consequence: ${alarm.consequence}` : ""].filter(Boolean).join(" "));
  show(handled, alarm.handled);
});

// 1 in ten minutes is acceptable, 2 the most that is manageable.
function rateWords({ calls, counted_s: counted }) {
  const span = counted >= 600 ? "10 min" : `${duration(counted)}, since this daemon started`;
  return `${calls ? several(calls, "call") : "no call"} in the last ${span}${calls > 2 ? " (manageable: 2 in 10 min)" : ""}`;
}

function drawAlarms({ alarms }) {
  const words = [alarms.calling ? `${several(alarms.calling, "alarm")} to acknowledge` : "no alarm to acknowledge"];
  if (alarms.hidden) words.push(`${alarms.hidden} shelved, suppressed or out of service`);
  words.push(rateWords(alarms));
  if (alarms.left_out) words.push(`${alarms.left_out} more are not shown here: reactorwatch alarms list`);
  show(byId("alarms-words"), words.join(" · "));
  const flood = byId("flood");
  flood.hidden = !alarms.flood_since;
  show(flood, alarms.flood_since ? `✕ ALARM FLOOD since ${when(alarms.flood_since)}: more than anybody can act on. The most urgent come first.` : "");
  byId("alarms-scroll").hidden = !alarms.shown.length;
  each(byId("alarms"), alarms.shown, ({ id }) => id, makeAlarm);
}

// ---- below ------------------------------------------------------------------------------------------------------

const EVENT_MARKS = { action: "◆ action", alert: "▲ alert", fault: "✕ fault", info: "info" };

const makeEvent = part("li", "", [["time", ""], ["span", "kind"], ["b", "unit-name"], ["span", "what"]], (event, [time, kind, unit, what], node) => {
  setClass(node, event.severity);
  show(time, when(event.time));
  show(kind, EVENT_MARKS[event.severity]);
  show(unit, event.unit);
  show(what, event.text);
});

const makeClosed = part("tr", "", Array(6).fill(["td", ""]), (excursion, [tag, batch, from, lasted, peak, par]) => {
  show(tag, `${excursion.unit} ${excursion.tag}${excursion.cpp ? " (CPP)" : ""}`);
  show(batch, [excursion.batch, excursion.phase].filter(Boolean).join(" "));
  show(from, when(excursion.first));
  show(lasted, duration(excursion.duration_s) + (excursion.ended === "inside" ? "" : `, ${excursion.ended}`));
  show(peak, withUnit(excursion.peak, excursion));
  show(par, withUnit(excursion.par_shown, excursion));
});

const makeDevice = part("tr", "", [["th", ""], ["td", "state"], ["td", "cause"]], (device, [name, state, cause], node) => {
  const words = { true: "● answers", false: "✕ LOST", null: "○ not tried yet" };
  setClass(node, device.answers === false ? "fault" : "");
  show(name, device.name);
  show(state, words[device.answers]);
  show(cause, [device.since ? `since ${when(device.since)}` : "", device.cause].filter(Boolean).join(" · ") || device.endpoint);
});

const makeSink = part("tr", "", [["th", ""], ["td", "state"], ["td", "figure"], ["td", "figure"], ["td", "figure"]], (sink, [name, state, accepted, queued, dead], node) => {
  setClass(node, sink.taking ? "" : "fault");
  show(name, sink.name);
  show(state, sink.taking ? "● takes" : "▲ TAKES NOTHING");
  show(accepted, count(sink.accepted));
  show(queued, count(sink.queued));
  show(dead, count(sink.dead_lettered));
});

const makeFigure = part("div", "", [["dt", ""], ["dd", ""]], ([name, value], [term, figure]) => {
  show(term, name);
  show(figure, value);
});

function gatewayFigures(gateway) {
  return [
    ["samples read", count(gateway.read)],
    ["in the journal", count(gateway.committed)],
    ["not yet on disk", count(gateway.pending)],
    ["scans", count(gateway.scans)],
    ["of them lost", count(gateway.lost_scans)],
    ["dropped: disk too slow", count(gateway.overflowed)],
    ["disk", gateway.disk_fault ? `✕ ${gateway.disk_fault}` : "● takes"],
  ];
}

function emptyRow(columns, text) {
  return () => {
    const node = element("tr", "empty");
    const cell = node.appendChild(element("td", "", text));
    cell.colSpan = columns;
    return { node, update: () => {} };
  };
}

function table(id, items, keyOf, make, columns, empty) {
  if (items.length) each(byId(id), items, keyOf, make);
  else each(byId(id), [empty], () => "\u0000empty", emptyRow(columns, empty));
}

function drawBelow(picture) {
  each(byId("events"), picture.events, (event) => `${event.time} ${event.unit} ${event.text}`, makeEvent);
  table("closed", picture.closed_excursions, (each) => `${each.unit} ${each.tag} ${each.first}`, makeClosed, 6, "none since this daemon started");
  table("devices", picture.devices, ({ name }) => name, makeDevice, 3, "none");
  table("sinks", picture.sinks, ({ name }) => name, makeSink, 5, "none: everything stays in the journal");
  each(byId("gateway"), gatewayFigures(picture.gateway), ([name]) => name, makeFigure);
}

// ---- pictures in ------------------------------------------------------------------------------------------------

let last = null; // {time, wall, ticks, every}: the newest picture, and when it came

function draw(picture) {
  today = dayOf(picture.time);
  show(byId("site"), picture.site);
  document.title = `${picture.excursions.length ? `◆ ${picture.excursions.length} ` : ""}${picture.site} – Reactorwatch`;
  show(byId("date"), today);
  show(byId("time"), clockOf(picture.time));
  drawNow(picture);
  drawAlarms(picture);
  each(byId("units"), picture.units, ({ name }) => name, makeUnit);
  drawBelow(picture);
  trendLimits(picture);
}

function take(text) {
  const picture = JSON.parse(text);
  const every = last ? sinceLast() : 0;
  last = { time: picture.time, wall: Date.now(), ticks: performance.now(), every: Math.min(every, 60000) };
  draw(picture);
  judgeLink();
}

// A machine that slept has a wall clock that went on and ticks that may not have.
const sinceLast = () => Math.max(Date.now() - last.wall, performance.now() - last.ticks);

function judgeLink() {
  const age = last ? sinceLast() : 0;
  const lost = last === null ? loadedFor() > OLD_MS : age > Math.max(OLD_MS, 3 * last.every);
  document.body.classList.toggle("lost", lost);
  byId("lost").hidden = !lost;
  if (lost) {
    const words = last ? `The values below are OLD: the last picture came ${duration(age / 1000)} ago, at ${clockOf(last.time)} UTC.` : "No picture has come yet.";
    show(byId("lost"), `✕ CONNECTION LOST. ${words} Trying again.`);
  }
  show(byId("link"), lost ? "✕ LOST" : last ? "● live" : "connecting …");
}

const loadedFor = () => performance.now();

function listen() {
  const stream = new EventSource("/stream");
  stream.onmessage = (event) => take(event.data);
  stream.onerror = () => {
    if (stream.readyState !== EventSource.CLOSED) return; // it tries again by itself
    setTimeout(listen, 3000);
  };
}

async function start() {
  setInterval(judgeLink, 500);
  try {
    const answer = await fetch("/picture", { cache: "no-store" });
    if (answer.ok) take(await answer.text());
  } finally {
    listen();
  }
}

start().catch(judgeLink); // the stream goes on trying, and the banner tells
