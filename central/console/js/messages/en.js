/**
 * The field's words as a person reads them: conditions, modes, actions, alarms, and who may do what.
 * Pure tables. A word this version does not know is shown as it came, never hidden.
 */

/** @typedef {"proven"|"open"|"unknown"} Group what a condition counts as: proven, not secure, unknown */

/**
 * @typedef {object} ConditionWords
 * @property {string} word one word, for a chip
 * @property {string} sentence what it means at the door
 * @property {string} icon id of a symbol in index.html
 * @property {Group} group
 * @property {number} rank 0 is worst
 */

/** @type {Record<string, ConditionWords>} */
const CONDITIONS = {
  forced: { word: "Forced", sentence: "Opened with nobody having the right to pass", icon: "forced", group: "open", rank: 0 },
  tampered: { word: "Tampered", sentence: "Tamper switch open: its sensors prove nothing", icon: "tampered", group: "open", rank: 1 },
  jammed: { word: "Jammed", sentence: "Closed, but the bolt did not throw", icon: "jammed", group: "open", rank: 2 },
  held: { word: "Held open", sentence: "Open for longer than its time", icon: "held", group: "open", rank: 3 },
  open: { word: "Open", sentence: "Open", icon: "open", group: "open", rank: 4 },
  unlatched: { word: "Unlatched", sentence: "Closed, but nothing holds it", icon: "unlatched", group: "open", rank: 5 },
  unknown: { word: "Unknown", sentence: "No fresh evidence", icon: "unknown", group: "unknown", rank: 6 },
  secure: { word: "Secure", sentence: "Closed and locked, proven by its sensors", icon: "secure", group: "proven", rank: 7 },
};

/** Conditions from worst to best. */
export const CONDITION_ORDER = Object.keys(CONDITIONS);

/** @param {string} condition @returns {ConditionWords} */
export function conditionWords(condition) {
  return CONDITIONS[condition] ?? { ...CONDITIONS.unknown, word: plain(condition) };
}

const MODES = { unlocked: "Unlocked", controlled: "Controlled", secured: "Secured" };
const MODE_SENTENCES = {
  unlocked: "Unlocked by schedule: anyone may pass",
  controlled: "Controlled: locked, badges work",
  secured: "Secured: locked, override badges only",
};

/** @param {string|null} mode */
export const modeWord = (mode) => (mode === null ? "Mode not known" : (MODES[mode] ?? plain(mode)));
/** @param {string|null} mode */
export const modeSentence = (mode) => (mode === null ? "Mode not known" : (MODE_SENTENCES[mode] ?? plain(mode)));

/** The Standard Response Protocol's actions, the usual one first. */
export const ACTIONS = [
  { action: "lockdown", word: "Lockdown", does: "Locks every door" },
  { action: "secure", word: "Secure", does: "Locks the outside doors" },
  { action: "hold", word: "Hold", does: "Halls clear; locks nothing more" },
  { action: "evacuate", word: "Evacuate", does: "People leave; locks nothing more" },
  { action: "shelter", word: "Shelter", does: "Against a hazard; locks nothing more" },
];

/** @param {string} action */
export const actionWord = (action) => ACTIONS.find((known) => known.action === action)?.word ?? plain(action);

const ALARMS = {
  forced: "Forced open",
  held: "Held open",
  latch_fault: "Latch fault",
  jammed: "Jammed",
  tamper: "Tamper",
  no_evidence: "Sensors do not answer",
  reader_offline: "Reader offline",
  line_silent: "Reader line silent",
  fire: "Fire",
  duress: "Duress",
  line_cut: "Line cut",
  line_short: "Line shorted",
  mains_failed: "Mains failed",
  battery_low: "Battery low",
  reader_power: "Reader's supply failing",
  maintenance: "Maintenance: the same alarm again and again",
  rex_held: "Request to exit without end",
  outbox_filling: "Agent's outbox is filling",
  storage_failed: "Agent's card cannot be written",
  config_rolled_back: "Agent went back to an older configuration",
  credentials_missing: "Agent lacks some badges",
};

/** @param {string} alarm */
export const alarmWord = (alarm) => ALARMS[alarm] ?? plain(alarm);

/** A door's alarms, each in words; of a maintenance fault, which alarm it is about.
 * @param {{alarms: string[], maintenance?: string[]}} door @returns {string[]} */
export const alarmWords = (door) =>
  door.alarms.flatMap((alarm) =>
    alarm === "maintenance" && door.maintenance?.length
      ? door.maintenance.map((often) => `Maintenance: ${alarmWord(often)}, again and again`)
      : [alarmWord(alarm)]);

/** Momentary acts, in the words of their buttons. */
const ACTS = {
  grant: "Open once",
  test_lock: "Test the lock",
  clear_duress: "Duress looked after",
  forgive_passback: "Forgive anti-passback",
  rotate_reader_key: "Give the reader a new key",
};

/** @param {string} act */
export const actWord = (act) => ACTS[act] ?? plain(act);

const DENIALS = {
  unknown_credential: "badge not known",
  credential_suspended: "badge suspended",
  not_yet_valid: "badge not valid yet",
  expired: "badge expired",
  clock_untrusted: "the agent's clock cannot be trusted",
  no_access_here: "no rule gives this badge this door",
  outside_schedule: "outside its hours",
  door_secured: "the door is secured",
  read_too_old: "read too old",
  clearance_lapsed: "a clearance of this badge has lapsed",
  pin_missing: "no PIN was entered",
  wrong_pin: "wrong PIN",
  card_missing: "a card must come before the PIN",
  reader_locked_out: "too many wrong PINs, the reader rests",
  passback: "the badge is inside already, or has not left where it was (anti-passback)",
  first_person_missing: "nobody who must be here first has come yet",
  second_person_missing: "no second person came in time",
  interlocked: "the other door of the vestibule is not closed",
};

/** @param {string} denial */
export const denialWord = (denial) => DENIALS[denial] ?? plain(denial);

/** @param {string} word snake_case @returns {string} the same, as a person writes it */
export function plain(word) {
  const spaced = String(word).replaceAll("_", " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/**
 * @param {{kind: string, site?: string|null, zone?: string|null, door?: string|null}} scope
 * @param {(site: string) => string} siteName
 */
export function scopeWords(scope, siteName) {
  if (scope.kind === "district") return "All schools";
  const school = siteName(scope.site ?? "");
  if (scope.kind === "zone") return `Zone ${scope.zone}, ${school}`;
  if (scope.kind === "door") return `Door ${scope.door}, ${school}`;
  return school;
}

const MAY = {
  release: ["officer", "responder", "administrator"],
  command: ["officer", "facilities", "administrator"],
};

/** Whether a role may do a thing; central decides, this only spares people buttons that would be refused.
 * @param {string} role @param {"release"|"command"} thing */
export const may = (role, thing) => MAY[thing].includes(role);
/** @param {"release"|"command"} thing */
export const whoMay = (thing) => MAY[thing].join(", ").replace(/, ([^,]*)$/, " or $1");
