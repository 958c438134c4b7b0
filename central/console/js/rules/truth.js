/**
 * The rule of what may be drawn as secure. Pure: what central said, the state of the stream and central's
 * time in; what to show out. Never last-known green; last-known trouble stays on show, marked as such.
 */

/** @typedef {"proven"|"open"|"unknown"} Group what a condition counts as: proven, not secure, unknown */

/** @type {Record<string, Group>} */
const GROUPS = {
  forced: "open",
  tampered: "open",
  jammed: "open",
  held: "open",
  open: "open",
  unlatched: "open",
  unknown: "unknown",
  secure: "proven",
};

/** @param {string} condition one that this version does not know proves nothing */
export const groupOf = (condition) => GROUPS[condition] ?? "unknown";

/**
 * How long things may be believed; central's own numbers, said when a stream opens.
 * @typedef {Pick<import("../central/types.js").Hello, "evidence_lasts_ms"|"stream_silent_ms">} Limits
 */

/** Null unless both are there: without them nothing is shown as proven. @param {Partial<Limits>} hello @returns {Limits|null} */
export const limitsOf = ({ evidence_lasts_ms = 0, stream_silent_ms = 0 }) =>
  evidence_lasts_ms > 0 && stream_silent_ms > 0 ? { evidence_lasts_ms, stream_silent_ms } : null;

/**
 * The state of the stream. `sinceMs`: central's time when it became so; `evidenceLastsMs`: how old evidence may be.
 * @typedef {{state: "live", sinceMs: null, evidenceLastsMs: number}} LiveLink
 * @typedef {{state: "connecting"|"silent"|"broker", sinceMs: number|null}} LostLink
 * @typedef {LiveLink|LostLink} Link
 */

/** @param {Link} link @returns {link is LiveLink} */
export const isLive = (link) => link.state === "live";

/** @typedef {LostLink["state"]|"unproven"|"no_evidence"|"old"|"future"} Doubt why it is not shown as what central said */

/**
 * @typedef {object} Shown how to draw one door
 * @property {string} condition
 * @property {boolean} lastKnown the condition is what was last heard, not what is
 * @property {Doubt|null} doubt
 * @property {number|null} ageMs of the evidence
 */

/**
 * @param {{condition: string, proven: boolean, evidence_at_ms: number|null}} door
 * @param {Link} link
 * @param {number|null} nowMs central's time; null: not known
 * @returns {Shown}
 */
export function showDoor(door, link, nowMs) {
  const ageMs = door.evidence_at_ms === null || nowMs === null ? null : nowMs - door.evidence_at_ms;
  const claimsSecure = groupOf(door.condition) === "proven" || door.proven;
  if (!isLive(link) || nowMs === null) {
    const condition = claimsSecure ? "unknown" : door.condition;
    return { condition, lastKnown: condition !== "unknown", doubt: isLive(link) ? "silent" : link.state, ageMs };
  }
  if (!claimsSecure) return { condition: door.condition, lastKnown: false, doubt: null, ageMs };
  const doubt = doubtOf(door, ageMs, link.evidenceLastsMs);
  return { condition: doubt === null ? "secure" : "unknown", lastKnown: false, doubt, ageMs };
}

/** @param {{condition: string, proven: boolean}} door @param {number|null} ageMs @param {number} lastsMs @returns {Doubt|null} */
function doubtOf(door, ageMs, lastsMs) {
  if (door.condition !== "secure" || !door.proven) return "unproven";
  if (ageMs === null) return "no_evidence";
  if (ageMs > lastsMs) return "old";
  return ageMs < -lastsMs ? "future" : null;
}

/**
 * Counts of a school or of the district.
 * @param {Record<string, number>} conditions condition → doors
 * @param {Link} link
 * @returns {{proven: number, open: number, unknown: number, lost: number}} lost: were proven when last heard
 */
export function showCounts(conditions, link) {
  const counts = { proven: 0, open: 0, unknown: 0, lost: 0 };
  for (const [condition, doors] of Object.entries(conditions)) counts[groupOf(condition)] += doors;
  if (isLive(link)) return counts;
  return { proven: 0, open: counts.open, unknown: counts.unknown + counts.proven, lost: counts.proven };
}

/**
 * One door of a declaration.
 * @param {{state: string, condition: string, evidence_at_ms: number|null}} row
 * @param {Link} link
 * @param {number|null} nowMs
 * @returns {{state: "proven"|"pending"|"failed"|"unknown", doubt: Doubt|null}}
 */
export function showRow(row, link, nowMs) {
  if (row.state !== "proven") return { state: row.state === "failed" ? "failed" : "pending", doubt: null };
  const { condition, doubt } = showDoor({ ...row, proven: true }, link, nowMs);
  return { state: condition === "secure" ? "proven" : "unknown", doubt };
}

/**
 * Age of the oldest evidence that something is called proven on; null: nothing is.
 * @param {Iterable<{condition: string, state?: string, evidence_at_ms: number|null}>} doors or rows of a declaration
 * @param {number|null} nowMs
 */
export function oldestProofMs(doors, nowMs) {
  /** @type {number|null} */
  let oldest = null;
  if (nowMs === null) return null;
  for (const { condition, state, evidence_at_ms: atMs } of doors) {
    const proven = state === undefined ? groupOf(condition) === "proven" : state === "proven";
    if (proven && atMs !== null) oldest = Math.max(oldest ?? 0, nowMs - atMs);
  }
  return oldest;
}
