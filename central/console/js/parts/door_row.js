/** One door as a line of a list: its sign, its words, and the age of what is known. Reads truth.js, draws. */

import { h, icon, setAttribute, setIcon, setText, show } from "./dom.js";
import { span } from "../messages/format.js";
import { hrefs } from "../rules/router.js";
import { showDoor } from "../rules/truth.js";
import { alarmWords, conditionWords, modeWord } from "../messages/en.js";

/** @typedef {import("../central/types.js").DoorView} DoorView */

/** A sign with its word, for one condition. */
export function conditionChip() {
  const sign = icon("unknown");
  const word = h("span");
  const element = h("span", { class: "chip" }, sign, word);
  return {
    element,
    /** @param {import("../rules/truth.js").Shown} shown */
    update(shown) {
      const words = conditionWords(shown.condition);
      setIcon(sign, words.icon);
      setText(word, shown.lastKnown ? `Last known: ${words.word}` : words.word);
      setAttribute(element, "data-group", words.group);
      setAttribute(element, "data-condition", shown.condition);
    },
  };
}

/** What the sensors say, in words. @param {DoorView} door @returns {string} */
export function evidenceWords({ evidence }) {
  const contact = evidence.contact ? `door ${evidence.contact}` : "door contact: no reading";
  if (!evidence.bolt_fitted) return `${contact}, no bolt sensor fitted`;
  return `${contact}, ${evidence.bolt ? `bolt ${evidence.bolt}` : "bolt: no reading"}`;
}

/** "evidence 3 s old" @param {import("../rules/truth.js").Shown} shown */
export const ageWords = (shown) => (shown.ageMs === null ? "no evidence" : `evidence ${span(shown.ageMs)} old`);

/**
 * How wrong a door is by what central said last: lower comes first. Not by what may be shown, so that a lost stream
 * does not shuffle the page.
 * @param {DoorView} door
 */
export function wrongness(door) {
  const { rank, group } = conditionWords(door.condition);
  if (inDuress(door)) return -1; // whatever its sensors say: somebody was made to open it
  if (group === "proven") return door.alarms.length ? ALARMED : 100;
  const passing = door.condition === "open" || door.condition === "unlatched";
  if (passing && door.mode === "unlocked") return 50 + rank; // as its schedule wants it
  if (passing && door.mode === "controlled" && door.alarms.length === 0) return 20 + rank; // somebody passes
  return rank;
}
const ALARMED = 10;

/** Whether somebody was made to open it and nobody has looked after it yet. @param {DoorView} door */
export const inDuress = (door) => door.alarms.includes("duress");

/** The word that must not be overlooked beside a green "Secure". */
export const duressSign = () => h("strong", { class: "duress" }, "DURESS");

/** Whether somebody should go there, or find out. @param {DoorView} door */
export const needsSomebody = (door) => wrongness(door) < 20;

/** @param {import("../central/types.js").Context} context */
export function doorRow(context) {
  const chip = conditionChip();
  const name = h("strong", { class: "door-name" });
  const mode = h("span", { class: "door-mode" });
  const evidence = h("span");
  const age = h("span", { class: "age" });
  const alarms = h("span", { class: "alarms" });
  const duress = duressSign();
  const element = h("a", { class: "row door-row" }, duress, name, chip.element, h("span", { class: "row-detail" }, mode, " · ", evidence, " · ", age), alarms);
  /** @type {DoorView} */
  let door;

  function tick() {
    const shown = showDoor(door, context.store.link, context.clock.now());
    chip.update(shown);
    setText(age, ageWords(shown) + (shown.why ? `: ${shown.why}` : ""));
    return shown;
  }
  return {
    element,
    tick,
    /** @param {DoorView} next */
    update(next) {
      door = next;
      const shown = tick();
      setAttribute(element, "href", hrefs.door(door.site, door.door));
      setAttribute(element, "data-door", door.door);
      setText(name, door.name);
      show(duress, inDuress(door));
      setText(mode, modeWord(door.mode) + (door.declarations.length ? " by declaration" : "") + (door.fire_released ? ", released by fire" : ""));
      setText(evidence, evidenceWords(door));
      setText(alarms, alarmWords(door).map((words) => `${shown.lastKnown ? "Last known alarm" : "Alarm"}: ${words}`).join(". "));
      show(alarms, door.alarms.length > 0);
    },
  };
}
