// The trend of one tag: its samples from the journal, over the limits that hold now.
// Where nothing good was read nothing is drawn: the line breaks, and a mark below says that there was a sample.
"use strict";

const TREND = { width: 1000, height: 260, left: 64, right: 8, top: 8, bottom: 40 };
const TREND_SPANS = [["5 min", 300], ["15 min", 900], ["1 h", 3600], ["4 h", 14400]];
const trendShown = { unit: "", tag: "", seconds: 300, trend: null, limit: null, timer: 0, asked: 0 };

const trendPlotWidth = () => TREND.width - TREND.left - TREND.right;
const trendPlotHeight = TREND.height - TREND.top - TREND.bottom;

function openTrend(unit, tag) {
  Object.assign(trendShown, { unit, tag, trend: null, limit: null });
  byId("trend").hidden = false;
  show(byId("trend-title"), `${unit} ${tag}`);
  show(byId("trend-now"), "");
  show(byId("trend-words"), "reading the journal …");
  byId("trend-picture").replaceChildren();
  drawSpans();
  if (last) fetch("/picture", { cache: "no-store" }).then((answer) => answer.ok && answer.json()).then((picture) => picture && trendLimits(picture)).catch(() => {});
  byId("trend").scrollIntoView({ block: "nearest" });
  byId("trend").focus({ preventScroll: true });
  askTrend();
}

function closeTrend() {
  clearTimeout(trendShown.timer);
  trendShown.asked += 1;
  trendShown.unit = "";
  byId("trend").hidden = true;
}

function drawSpans() {
  const buttons = TREND_SPANS.map(([words, seconds]) => {
    const button = element("button", "", words);
    button.type = "button";
    button.setAttribute("aria-pressed", String(seconds === trendShown.seconds));
    button.addEventListener("click", () => {
      trendShown.seconds = seconds;
      drawSpans();
      askTrend();
    });
    return button;
  });
  byId("trend-spans").replaceChildren(...buttons);
  byId("trend-close").onclick = closeTrend;
}

// Ask, draw, and ask again: each second or two for minutes, more rarely for hours. A later question makes this one void.
async function askTrend() {
  clearTimeout(trendShown.timer);
  const asked = (trendShown.asked += 1);
  const { unit, tag, seconds } = trendShown;
  const query = new URLSearchParams({ unit, tag, seconds });
  let words = "";
  let trend = null;
  try {
    const answer = await fetch(`/trend?${query}`, { cache: "no-store" });
    if (answer.ok) trend = await answer.json();
    else words = (await answer.text()).trim();
  } catch {
    words = "✕ no answer from the daemon: what is drawn is OLD";
  }
  if (asked !== trendShown.asked) return;
  if (trend) drawTrend(trend);
  else show(byId("trend-words"), words);
  trendShown.timer = setTimeout(askTrend, Math.max(1500, seconds * 2));
}

// The picture that comes each second tells the value and the limits that hold now.
function trendLimits(picture) {
  if (!trendShown.unit) return;
  const tag = picture.units.find(({ name }) => name === trendShown.unit)?.tags.find(({ name }) => name === trendShown.tag);
  if (!tag) return;
  show(byId("trend-now"), `${withUnit(tag.shown, tag)} ${stateWords(tag)}`.trim());
  const limit = tag.limits.find(({ statistic }) => statistic === "value") ?? null;
  const changed = JSON.stringify(limit) !== JSON.stringify(trendShown.limit);
  trendShown.limit = limit;
  if (changed && trendShown.trend) drawTrend(trendShown.trend);
}

// ---- drawing ----------------------------------------------------------------------------------------------------

function trendLevels(trend, limit) {
  const levels = trend.points.filter((point) => point !== null).flatMap(([, low, high]) => [low, high]);
  const rows = limit ? [limit.nor, limit.par].filter((row) => row !== null) : [];
  return levels.concat(rows.flatMap(({ low, high }) => [low, high]).filter((level) => level !== null));
}

function trendScale(levels) {
  const [low, high] = levels.length ? [Math.min(...levels), Math.max(...levels)] : [0, 1];
  const margin = (high - low) * 0.06 || Math.abs(high) * 0.02 || 1;
  return { low: low - margin, high: high + margin };
}

// 1, 2 or 5 times a power of ten, so that about `wanted` steps fit.
function roundStep(range, wanted) {
  const rough = range / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((step) => step * power >= rough) ?? 10);
}

function trendText(svg, className, x, y, text) {
  const node = shape(svg, "text", className);
  setAttributes(node, { x, y });
  node.textContent = text;
}

function drawLevels(svg, scale, place) {
  const step = roundStep(scale.high - scale.low, 5);
  const decimals = Math.min(12, Math.max(0, -Math.floor(Math.log10(step))));
  for (let level = Math.ceil(scale.low / step) * step; level <= scale.high; level += step) {
    shape(svg, "path", "grid").setAttribute("d", `M${TREND.left} ${place(level)} H${TREND.width - TREND.right}`);
    trendText(svg, "level", TREND.left - 6, place(level) + 4, level.toFixed(decimals));
  }
}

function drawTimes(svg, trend, placeTime) {
  const seconds = (trend.to_ms - trend.from_ms) / 1000;
  const step = [10, 30, 60, 120, 300, 600, 1800, 3600].find((each) => seconds / each <= trendPlotWidth() / 110) ?? 7200;
  for (let at = Math.ceil(trend.from_ms / 1000 / step) * step; at * 1000 <= trend.to_ms; at += step) {
    const x = placeTime(at * 1000);
    shape(svg, "path", "grid").setAttribute("d", `M${x} ${TREND.top} V${TREND.top + trendPlotHeight}`);
    const clock = new Date(at * 1000).toISOString().slice(11, step < 60 ? 19 : 16);
    if (x < TREND.width - 20) trendText(svg, "moment", x, TREND.height - 4, clock);
  }
}

function drawLimitBand(svg, className, row, place) {
  if (row === null) return;
  const [floor, ceiling] = [TREND.top + trendPlotHeight, TREND.top];
  const from = row.high === null ? ceiling : place(row.high);
  const to = row.low === null ? floor : place(row.low);
  setAttributes(shape(svg, "rect", className), { x: TREND.left, y: from, width: trendPlotWidth(), height: Math.max(0, to - from) });
}

// Each span is drawn from its lowest to its highest value, so that no spike of one sample is lost; a point alone is a dot.
function linePath(points, placeTime, place) {
  let path = "";
  points.forEach((point, at) => {
    if (point === null) return;
    const [time, low, high] = point;
    const begins = at === 0 || points[at - 1] === null;
    const alone = begins && (at + 1 === points.length || points[at + 1] === null);
    path += `${begins ? "M" : "L"}${placeTime(time)} ${place(low)}`;
    if (high !== low) path += `L${placeTime(time)} ${place(high)}`;
    if (alone) path += "h1.5";
  });
  return path;
}

function drawTrend(trend) {
  trendShown.trend = trend;
  TREND.width = Math.max(300, byId("trend-picture").clientWidth); // a unit is a pixel, so letters keep their size on a telephone
  const svg = document.createElementNS(SVG, "svg");
  setAttributes(svg, { viewBox: `0 0 ${TREND.width} ${TREND.height}`, role: "img" });
  const scale = trendScale(trendLevels(trend, trendShown.limit));
  const tenth = (number) => Math.round(number * 10) / 10;
  const place = (level) => tenth(TREND.top + trendPlotHeight * (1 - (level - scale.low) / (scale.high - scale.low)));
  const placeTime = (ms) => tenth(TREND.left + (trendPlotWidth() * (ms - trend.from_ms)) / (trend.to_ms - trend.from_ms));
  if (trendShown.limit) {
    drawLimitBand(svg, "par", trendShown.limit.par, place);
    drawLimitBand(svg, "nor", trendShown.limit.nor, place);
  }
  drawLevels(svg, scale, place);
  drawTimes(svg, trend, placeTime);
  shape(svg, "path", "line").setAttribute("d", linePath(trend.points, placeTime, place));
  for (const ms of trend.not_good_ms) {
    const x = placeTime(ms);
    shape(svg, "path", "not-good").setAttribute("d", `M${x - 3} ${TREND.height - 32} l6 6 m0 -6 l-6 6`);
  }
  byId("trend-picture").replaceChildren(svg);
  const words = trendWords(trend);
  svg.setAttribute("aria-label", words);
  show(byId("trend-words"), words);
}

function trendWords(trend) {
  const good = trend.points.filter((point) => point !== null);
  const unit = trend.engineering_unit ? ` ${trend.engineering_unit}` : "";
  const seen = good.length
    ? `lowest ${shortFigure(Math.min(...good.map(([, low]) => low)))}${unit}, highest ${shortFigure(Math.max(...good.map(([, , high]) => high)))}${unit}`
    : "nothing good was read in this time";
  const limits = trendShown.limit ? ` · bands: limits that hold now, ${limitWords(trendShown.limit)}` : "";
  const marks = trend.not_good_ms.length ? " · ✕ no good value" : "";
  return `${seen}${limits}${marks} · times are UTC`;
}

const shortFigure = (number) => String(Number(number.toPrecision(6)));
