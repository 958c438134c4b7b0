/**
 * The rule of what may be drawn as secure. Pure: what central said, the state of the stream and central's
 * time in; what to show out. Never last-known green; last-known trouble stays on show, marked as such.
 */

import { conditionWords } from "../messages/en.js";

/** Central silent for longer than this: nothing proven is known any more. */
export const SILENT_MS = 10_000;
/** Evidence older than this proves nothing (the same limit as central's own). */
export const FRESH_MS = 12_000;

/**
 * @typedef {object} Link the state of the stream
 * @property {"connecting"|"live"|"silent"|"broker"} state
 * @property {number|null} sinceMs central's time when it became so
 */

/**
 * @typedef {object} Shown how to draw one door
 * @property {string} condition
 * @property {boolean} lastKnown the condition is what was last heard, not what is
 * @property {string} why why it is not shown as what central said; empty if it is
 * @property {number|null} ageMs of the evidence
 */

/** @param {Link} link */
export const isLive = (link) => link.state === "live";

/** In words, why nothing is known. @param {Link} link */
export function whyNot(link) {
  if (link.state === "broker") return "central has lost its message broker";
  return link.state === "connecting" ? "not connected yet" : "no word from central";
}

/**
 * @param {{condition: string, proven: boolean, evidence_at_ms: number|null}} door
 * @param {Link} link
 * @param {number|null} nowMs central's time; null: not known
 * @returns {Shown}
 */
export function showDoor(door, link, nowMs) {
  const ageMs = door.evidence_at_ms === null || nowMs === null ? null : nowMs - door.evidence_at_ms;
  const claimsSecure = conditionWords(door.condition).group === "proven" || door.proven;
  if (!isLive(link) || nowMs === null) {
    const condition = claimsSecure ? "unknown" : door.condition;
    return { condition, lastKnown: condition !== "unknown", why: whyNot(link), ageMs };
  }
  if (!claimsSecure) return { condition: door.condition, lastKnown: false, why: "", ageMs };
  const why = whyNotProven(door, ageMs);
  return { condition: why === "" ? "secure" : "unknown", lastKnown: false, why, ageMs };
}

/** @param {{condition: string, proven: boolean}} door @param {number|null} ageMs */
function whyNotProven(door, ageMs) {
  if (door.condition !== "secure" || !door.proven) return "its agent says secure, without proof";
  if (ageMs === null) return "there is no evidence";
  if (ageMs > FRESH_MS) return "its evidence is too old";
  return ageMs < -FRESH_MS ? "its evidence is dated in the future" : "";
}

/**
 * Counts of a school or of the district.
 * @param {Record<string, number>} conditions condition → doors
 * @param {Link} link
 * @returns {{proven: number, open: number, unknown: number, lost: number}} lost: were proven when last heard
 */
export function showCounts(conditions, link) {
  const counts = { proven: 0, open: 0, unknown: 0, lost: 0 };
  for (const [condition, doors] of Object.entries(conditions)) counts[conditionWords(condition).group] += doors;
  if (isLive(link)) return counts;
  return { proven: 0, open: counts.open, unknown: counts.unknown + counts.proven, lost: counts.proven };
}

/**
 * One door of a declaration.
 * @param {{state: string, why?: string|null, condition: string, evidence_at_ms: number|null}} row
 * @param {Link} link
 * @param {number|null} nowMs
 * @returns {{state: "proven"|"pending"|"failed"|"unknown", why: string}}
 */
export function showRow(row, link, nowMs) {
  if (row.state !== "proven") {
    return { state: row.state === "failed" ? "failed" : "pending", why: row.why || "no proof yet" };
  }
  const shown = showDoor({ condition: row.condition, proven: true, evidence_at_ms: row.evidence_at_ms }, link, nowMs);
  return shown.condition === "secure" ? { state: "proven", why: "" } : { state: "unknown", why: shown.why };
}
