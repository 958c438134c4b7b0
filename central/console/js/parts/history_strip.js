/**
 * A door's last day as three lanes: secure, not secure, unknown. The lane says what it was, not the colour; a table
 * of hours says the same in words.
 */

import { fill, h, svg } from "./dom.js";
import { shortTime, span } from "../messages/format.js";
import { conditionWords } from "../messages/en.js";
import { groupOf } from "../rules/truth.js";

export const DAY_MS = 86_400_000;
export const RESOLUTION_MS = 900_000;
const LANES = [
  { group: "proven", word: "Secure" },
  { group: "open", word: "Not secure" },
  { group: "unknown", word: "Unknown" },
];
const LANE_HEIGHT = 26;
const LANE_GAP = 6;

/** @typedef {import("../central/types.js").HistoryPoint} Point */

/** @param {Point[]} points @param {number} fromMs @param {number} toMs @param {number} resolutionMs */
export function historyStrip(points, fromMs, toMs, resolutionMs) {
  const height = LANES.length * (LANE_HEIGHT + LANE_GAP);
  const chart = svg("svg", {
    class: "history", viewBox: `0 0 960 ${height}`, preserveAspectRatio: "none", "aria-hidden": "true",
  });
  const scale = 960 / (toMs - fromMs);
  LANES.forEach((lane, row) => {
    const top = row * (LANE_HEIGHT + LANE_GAP);
    chart.append(svg("rect", { class: "lane", x: 0, y: top, width: 960, height: LANE_HEIGHT }));
    for (const point of points) {
      const ms = inGroup(point.conditions_ms, lane.group);
      if (!ms) continue;
      const share = Math.min(1, ms / resolutionMs);
      const tall = Math.max(5, LANE_HEIGHT * share); // even a second stays visible
      chart.append(svg("rect", {
        class: "bar", "data-group": lane.group, x: ((point.t_ms - fromMs) * scale).toFixed(1), y: (top + LANE_HEIGHT - tall).toFixed(1),
        width: (resolutionMs * scale + 0.3).toFixed(1), height: tall.toFixed(1),
      }));
    }
  });
  return h("div", { class: "strip-of-day" },
    h("div", { class: "lane-words", "aria-hidden": "true" }, LANES.map((lane) => h("span", {}, lane.word))),
    h("div", {}, chart,
      h("div", { class: "hours", "aria-hidden": "true" }, [0, 1, 2, 3, 4].map((quarter) =>
        h("span", {}, shortTime(fromMs + ((toMs - fromMs) * quarter) / 4))))),
    summary(points));
}

/** @param {Record<string, number>} times @param {string} group */
function inGroup(times, group) {
  return Object.entries(times).reduce((sum, [condition, ms]) => sum + (groupOf(condition) === group ? ms : 0), 0);
}

/** @param {Point[]} points */
function summary(points) {
  /** @type {Record<string, number>} */
  const sums = {};
  let granted = 0;
  let denied = 0;
  for (const point of points) {
    granted += point.granted;
    denied += point.denied;
    for (const [condition, ms] of Object.entries(point.conditions_ms)) sums[condition] = (sums[condition] ?? 0) + ms;
  }
  const parts = Object.entries(sums).filter(([, ms]) => ms > 0).sort(([, a], [, b]) => b - a)
    .map(([condition, ms]) => `${conditionWords(condition).word} ${span(ms)}`);
  const list = h("p", { class: "fact" });
  fill(list, parts.length ? `${parts.join(", ")}. ` : "No record of this day. ", `${granted} badges granted, ${denied} denied.`);
  return list;
}
