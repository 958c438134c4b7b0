/**
 * Sends a momentary act to a door and says what became of it: done, refused, or not answered in time. Central only
 * knows that it was sent; the agent's own event is the answer.
 */

import { clockTime } from "../messages/format.js";
import { actWord, eventSentence, sensedAfter } from "../messages/en.js";

const ANSWER_EVERY_MS = 700;
const GRACE_MS = 4_000;

/**
 * @param {import("./api.js").Api} api
 * @param {import("./clock.js").ServerClock} clock
 * @param {{site: string, door: string}} door
 * @param {string} kind grant, test_lock or clear_duress
 * @param {(words: string, outcome: "waiting"|"done"|"refused"|"silent") => void} say
 */
export async function command(api, clock, door, kind, say) {
  const path = `/sites/${encodeURIComponent(door.site)}/doors/${encodeURIComponent(door.door)}/commands`;
  const { id, expires_ms: expiresMs } = await api.post(path, { kind });
  say(`${actWord(kind)}: sent, waiting for the agent`, "waiting");
  while (clock.roughly() < expiresMs + GRACE_MS) {
    await new Promise((resolve) => setTimeout(resolve, ANSWER_EVERY_MS));
    const { events } = await api.get("/events", { site: door.site, limit: 50 });
    const answer = events.find((/** @type {any} */ event) => event.data?.id === id);
    if (!answer) continue;
    const done = answer.kind === "command_done";
    say(`${actWord(kind)}: ${done ? `done${sensedAfter(answer.data)}` : eventSentence(answer)} at ${clockTime(answer.at_ms)}`, done ? "done" : "refused");
    return;
  }
  say(`${actWord(kind)}: no answer from the agent by ${clockTime(expiresMs)}. It has expired and will not be carried out late.`, "silent");
}
