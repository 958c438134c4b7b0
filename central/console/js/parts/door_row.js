/** One door as a line of a list: its sign, its words, and the age of what is known. Draws what rules/truth.js says. */

import { h, icon, setAttribute, setIcon, setText, show } from "./dom.js";
import { hrefs } from "../rules/router.js";
import { inDuress, knownCondition } from "../rules/order.js";
import { groupOf, showDoor } from "../rules/truth.js";
import { ageWords, alarmWords, conditionWords, doubtWords, evidenceWords, modeWord } from "../messages/en.js";

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
      setIcon(sign, knownCondition(shown.condition));
      setText(word, shown.lastKnown ? `Last known: ${words.word}` : words.word);
      setAttribute(element, "data-group", groupOf(shown.condition));
      setAttribute(element, "data-condition", shown.condition);
    },
  };
}

/** The word that must not be overlooked beside a green "Secure". */
export const duressSign = () => h("strong", { class: "duress" }, "DURESS");

/** @param {import("../central/types.js").Context} context */
export function doorRow(context) {
  const chip = conditionChip();
  const name = h("strong", { class: "door-name" });
  const mode = h("span");
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
    setText(age, ageWords(shown.ageMs) + (shown.doubt ? `: ${doubtWords(shown.doubt)}` : ""));
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
