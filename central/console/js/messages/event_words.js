/** What happened, in a sentence a person reads once. Pure. Kinds this version does not know are shown as they came. */

import { actWord, actionWord, alarmWord, conditionWords, denialWord, modeWord, plain, scopeWords } from "./en.js";

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
  access_denied: (data) => `Access denied${whose(data)}: ${denialWord(data.reason ?? data.denial ?? "no reason given")}`,
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

/** With whom, by what and how. @param {Data} data */
function together(data) {
  const shown = { pin: ", by PIN", card_and_pin: ", card and PIN" }[data.shown] ?? "";
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
  return `${act}: done${found(data)}`;
}

/** What the sensors said right after a test. @param {Data} data */
export function found(data) {
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

/** Whether an event needs a person; an alarm that was grouped with others does not. @param {{kind: string, data?: Data|null}} event */
export const isGrave = (event) =>
  ["alarm_raised", "panic_pressed", "fire_started", "events_dropped", "duress", "pin_guessing"].includes(event.kind) && !event.data?.grouped;

/** "REAL Lockdown" or "DRILL: Lockdown": never one for the other. @param {{drill: boolean, action: string}} declaration */
export const declarationName = (declaration) =>
  declaration.drill ? `DRILL: ${actionWord(declaration.action)}` : `REAL ${actionWord(declaration.action)}`;

/** @param {import("../central/types.js").DeclarationView} declaration @param {(site: string) => string} siteName */
export const newDeclaration = (declaration, siteName) =>
  `${declarationName(declaration)} declared: ${scopeWords(declaration.scope, siteName)}, by ${declaration.by}`;
