/**
 * Who was made to open a door, and when: it stays on the door's page for as long as the duress does, however much has
 * happened there since. Fetches the event itself; whether the alarm is on is the door's word.
 */

import { duressSign } from "./door_row.js";
import { h, setText, show } from "./dom.js";
import { eventSentence } from "../messages/en.js";
import { moment } from "../messages/format.js";
import { inDuress } from "../rules/order.js";

/** @typedef {import("../central/types.js").EventView} EventView */

/** The alarm may come before its event does; the event is asked for so often until it is here. */
const ASK_EVERY_MS = 3_000;

/** @param {import("../central/types.js").Context} context @param {string} site @param {string} key of the door */
export function duressPart({ api, clock, store }, site, key) {
  const sentence = h("p", { class: "sentence" });
  const element = h("section", { class: "duress-part", "aria-label": "Duress", hidden: true }, duressSign(), sentence);
  /** @type {EventView|null} the newest one */
  let event = null;
  let askedMs = -Infinity;
  let wanted = true;

  /** What is known of it, in a sentence. */
  function words() {
    if (event === null) return "Somebody was made to open this door. Who and when is being fetched";
    const trust = event.clock_trusted ? "" : " (the agent's clock was not to be trusted)";
    return `${eventSentence(event)}, at ${moment(event.at_ms, clock.roughly())}${trust}`;
  }

  async function ask() {
    askedMs = clock.steady();
    const { events } = await api.get("/events", { site, door: key, kind: "duress", limit: 1 });
    wanted = events.length === 0;
    if (events.length > 0 && (event === null || events[0].id > event.id)) event = events[0];
    setText(sentence, words());
  }

  /** A newer one that the stream told of. */
  function listen() {
    for (const told of store.events) {
      if (told.kind === "duress" && told.site === site && told.door === key && told.id > (event?.id ?? 0)) event = told;
    }
  }

  return {
    element,
    words,
    /** The stream may have missed one: ask again. */
    refresh() {
      wanted = true;
    },
    /** At every change of the door or of the events, and once a second. @param {import("../central/types.js").DoorView} door */
    update(door) {
      show(element, inDuress(door));
      if (!inDuress(door)) {
        event = null;
        wanted = true;
        askedMs = -Infinity;
        return;
      }
      listen();
      setText(sentence, words());
      if (wanted && clock.steady() - askedMs > ASK_EVERY_MS) void ask().catch(() => {});
    },
  };
}
