/**
 * What the console says in English: conditions, modes, actions, alarms, what happened, what to do. Pure tables and
 * sentences; the one place to translate. A word this version does not know is shown as it came, never hidden.
 */

import { span } from "./format.js";

/** One word for a chip, and what it means at the door. @type {Record<string, {word: string, sentence: string}>} */
const CONDITIONS = {
  forced: { word: "Forced", sentence: "Opened with nobody having the right to pass" },
  tampered: { word: "Tampered", sentence: "Tamper switch open: its sensors prove nothing" },
  jammed: { word: "Jammed", sentence: "Closed, but the bolt did not throw" },
  held: { word: "Held open", sentence: "Open for longer than its time" },
  open: { word: "Open", sentence: "Open" },
  unlatched: { word: "Unlatched", sentence: "Closed, but nothing holds it" },
  unknown: { word: "Unknown", sentence: "No fresh evidence" },
  secure: { word: "Secure", sentence: "Closed and locked, proven by its sensors" },
};

/** @param {string} condition */
export const conditionWords = (condition) => CONDITIONS[condition] ?? { ...CONDITIONS.unknown, word: plain(condition) };

/** Why a door is not shown as what central said. @type {Record<import("../rules/truth.js").Doubt, string>} */
const DOUBTS = {
  broker: "central has lost its message broker",
  connecting: "not connected yet",
  silent: "no word from central",
  unproven: "its agent says secure, without proof",
  no_evidence: "there is no evidence",
  old: "its evidence is too old",
  future: "its evidence is dated in the future",
};

/** @param {import("../rules/truth.js").Doubt} doubt */
export const doubtWords = (doubt) => DOUBTS[doubt];

/** What the sensors say. @param {import("../central/types.js").DoorView} door */
export function evidenceWords({ evidence }) {
  const contact = evidence.contact ? `door ${evidence.contact}` : "door contact: no reading";
  if (!evidence.bolt_fitted) return `${contact}, no bolt sensor fitted`;
  return `${contact}, ${evidence.bolt ? `bolt ${evidence.bolt}` : "bolt: no reading"}`;
}

/** "evidence 3 s old" @param {number|null} ageMs */
export const ageWords = (ageMs) => (ageMs === null ? "no evidence" : `evidence ${span(ageMs)} old`);

/** @type {Record<string, string>} */
const MODES = { unlocked: "Unlocked", controlled: "Controlled", secured: "Secured" };
/** @type {Record<string, string>} */
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

/** @type {Record<string, string>} */
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

/** Momentary acts, in the words of their buttons. @type {Record<string, string>} */
const ACTS = {
  grant: "Open once",
  test_lock: "Test the lock",
  clear_duress: "Duress looked after",
  forgive_passback: "Forgive anti-passback",
  rotate_reader_key: "Give the reader a new key",
};

/** @param {string} act */
export const actWord = (act) => ACTS[act] ?? plain(act);

/** @type {Record<string, string>} */
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
const denialWord = (denial) => DENIALS[denial] ?? plain(denial);

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

/** "officer, responder or administrator" @param {string[]} roles */
export const anyOf = (roles) => roles.join(", ").replace(/, ([^,]*)$/, " or $1");

/** @typedef {Record<string, any>} Data */

/** @param {Data} data */
const change = (data, /** @type {(word: any) => string} */ word) =>
  data.from ? `${word(data.from)} → ${word(data.to)}` : word(data.to);

/** @type {Record<string, (data: Data) => string>} */
const SENTENCES = {
  condition_changed: (data) => `Condition: ${change(data, (word) => conditionWords(word).word)}`,
  mode_changed: (data) => `Mode: ${change(data, modeWord)}`,
  alarm_raised: (data) => raised(data),
  alarm_cleared: (data) => `Alarm over: ${alarmWord(data.alarm ?? "")}${where(data)}`,
  held_warning: (data) => `Door open for long: an alarm in ${Math.round((data.in_ms ?? 0) / 1000)} s`,
  access_granted: (data) => `Access granted${whose(data)}${together(data)}`,
  access_denied: (data) => `Access denied${whose(data)}: ${denialWord(data.reason ?? "no reason given")}`,
  request_to_exit: () => "Somebody went out (request to exit)",
  lock_commanded: (data) => `Lock commanded${data.released === undefined ? "" : data.released ? ": release" : ": lock"}`,
  panic_pressed: () => "Panic button pressed",
  fire_started: () => "Fire alarm",
  fire_ended: () => "Fire alarm over",
  agent_started: () => "Agent started",
  agent_health: () => "Agent's minute report",
  declarations_applied: () => "Declarations applied",
  config_applied: (data) => `Configuration applied${data.version ? `: version ${data.version}` : ""}`,
  command_done: (data) => acted(data),
  message_refused: (data) => `Message refused: ${denialWord(data.reason ?? "no reason given")}${data.detail ? ` (${data.detail})` : ""}`,
  reader_online: () => "Reader online",
  reader_offline: () => "Reader offline",
  card_read_refused: (data) => `Reader ${data.reader ?? "?"}: ${data.count ?? 1} unreadable ${data.count > 1 ? "reads" : "read"} refused (${plain(data.reason ?? "noise").toLowerCase()})`,
  override_used: (data) => `Responder's badge used${whose(data, "by")}: an emergency passage${data.clock_trusted === false ? " (the agent's clock was not to be trusted, so no date of the badge was checked)" : ""}`,
  duress: (data) => `DURESS${whose(data, "of")}: somebody was made to open this door${data.opened === false ? " (it stayed shut)" : ""}`,
  passback_noted: (data) => `Let in all the same: ${data.cardholder ?? "this badge"} was ${data.known_in ? `in ${data.known_in}` : "outside"} and had not left (anti-passback)`,
  passback_forgiven: (data) => `Anti-passback forgiven for ${data.cardholder ?? "everybody"}${data.by ? ` by ${data.by}` : ""}`,
  passback_unguarded: (data) => `Anti-passback (${plain(data.passback ?? "hard").toLowerCase()}) is off at this door: no reader leads back, so it would shut people out for good`,
  pin_guessing: (data) => `PINs are tried out${data.cardholder ? ` with the card of ${data.cardholder}` : ""} at reader ${data.reader ?? "?"}: rest number ${data.rests ?? "?"} within a day, ${Math.round((data.rest_ms ?? 0) / 60000)} min`,
  first_person_came: (data) => `First person came${whose(data, "of", ": ")}; the door follows its schedule`,
  second_person_awaited: (data) => `${data.cardholder ?? "One person"} may pass with a second person, who is awaited`,
  config_confirmed: (data) => `Configuration confirmed${data.version ? `: version ${data.version}` : ""}`,
  config_rolled_back: (data) => `Configuration rolled back${data.version ? `: version ${data.version} is not used` : ""}${data.why ? ` (${data.why})` : ""}`,
  reader_key_set: (data) => `Reader ${data.reader ?? "?"} has a new key`,
  reader_key_kept: (data) => `Reader ${data.reader ?? "?"} took no new key and keeps the one it has`,
  walk_test_begun: (data) => `Walk test begun by ${data.by ?? "?"}: ${data.doors?.length ?? 0} doors; nothing is known of them meanwhile`,
  walk_test_ended: (data) => `Walk test ended: ${plain(data.verdict ?? "?").toLowerCase()}, ${data.found?.length ?? 0} to look at`,
  events_dropped: (data) => `Events lost, the outbox was full: ${data.count ?? "?"}`,
};

/** @param {Data} data @param {string} [word] @param {string} [before] */
function whose(data, word = "to", before = ` ${word} `) {
  if (data.cardholder) return `${before}${data.cardholder}`;
  return data.by ? ` by ${data.by}` : "";
}

/** @type {Record<string, string>} */
const SHOWN = { pin: ", by PIN", card_and_pin: ", card and PIN" };

/** With whom, by what and how. @param {Data} data */
function together(data) {
  const shown = SHOWN[data.shown] ?? "";
  const others = data.with?.length ? `, with ${data.with.join(" and ")}` : "";
  return `${others}${shown}${data.override ? ", as a responder" : ""}`;
}

/** Of which reader or line. @param {Data} data */
const where = (data) => (data.reader ? `, reader ${data.reader}` : data.input ? `, ${data.input} line` : "");

/** An alarm; how often it came, where that is the news. @param {Data} data */
function raised(data) {
  if (data.alarm === "maintenance") {
    return `Maintenance fault: ${alarmWord(data.of ?? "")}${where(data)}, ${data.count} times. Look at the hardware`;
  }
  const often = data.count > 1 ? `, ${data.count} more times` : data.repeat ? `, number ${data.repeat} of a series` : "";
  return `Alarm: ${alarmWord(data.alarm ?? "")}${where(data)}${often}${data.lasting ? ", and it stays" : ""}`;
}

/** An act that was carried out, in its button's words, and by whom. @param {Data} data */
function acted(data) {
  const act = `${data.kind ? actWord(data.kind) : "Command"}${data.by ? ` by ${data.by}` : ""}`;
  if (data.kind === "clear_duress") return data.cleared === false ? `${act}: there was none any more` : act;
  return `${act}: done${sensedAfter(data)}`;
}

/** What the sensors said right after a test. @param {Data} data */
export function sensedAfter(data) {
  if (!data.condition) return "";
  return `; ${conditionWords(data.condition).word.toLowerCase()}, contact ${data.contact ?? "no reading"}, bolt ${data.bolt ?? "no reading"}`;
}

/** Kinds a person may filter by. */
export const EVENT_KINDS = Object.keys(SENTENCES);

/** @param {{kind: string, data?: Data|null}} event */
export function eventSentence(event) {
  const data = event.data ?? {};
  if (event.kind.startsWith("declaration")) {
    return `${plain(event.kind)}${data.action ? `: ${actionWord(data.action)}` : ""}${data.by ? ` by ${data.by}` : ""}`;
  }
  return SENTENCES[event.kind]?.(data) ?? plain(event.kind);
}

/** "REAL Lockdown" or "DRILL: Lockdown": never one for the other. @param {{drill: boolean, action: string}} declaration */
export const declarationName = (declaration) =>
  declaration.drill ? `DRILL: ${actionWord(declaration.action)}` : `REAL ${actionWord(declaration.action)}`;

/** @param {import("../central/types.js").DeclarationView} declaration @param {(site: string) => string} siteName */
export const newDeclarationWords = (declaration, siteName) =>
  `${declarationName(declaration)} declared: ${scopeWords(declaration.scope, siteName)}, by ${declaration.by}`;

/** "12 of 14 doors proven, 1 pending, 1 cannot be secured" @param {import("../central/types.js").DeclarationView} one @param {boolean} live */
export function closureWords(one, live) {
  const { doors, proven, pending, failed } = one.closure;
  if (doors === 0) return one.action === "lockdown" || one.action === "secure" ? "Covers no door" : "Asks nothing of the doors";
  if (!live && one.state !== "ended") return `${doors} doors; their proof is not known now`;
  const rest = [pending && `${pending} pending`, failed && `${failed} cannot be secured`].filter(Boolean);
  return [`${proven} of ${doors} doors proven`, ...rest].join(", ");
}

/** @param {import("../central/types.js").DeclarationView} one */
export function stateWords(one) {
  if (one.state === "ended") return `Ended by ${one.ended_by ?? "somebody"}`;
  return one.state === "release_requested" ? `Active; ${one.release_requested_by} asked for release` : "Active";
}

/** What to do, by status; what happened stands before it, in central's own words. @type {Record<number, string>} */
const ADVICE = {
  401: "Sign in again.",
  403: "Ask somebody whose role may do this.",
  404: "It may have been removed or renamed: go back and choose again.",
  409: "Look at its present state on this page.",
  422: "Change what is named and send again.",
  429: "Wait a minute, then try again.",
  503: "Try again in a few seconds. A school's panic button and its badges work without central.",
};
const UNREACHED =
  "Check this device's network and try again. A school's panic button and its badges work without central.";

/** What to do after a failed request. @param {number} status of HTTP; 0: central did not answer */
export const adviceWords = (status) => ADVICE[status] ?? (status === 0 ? UNREACHED : ADVICE[503]);
