/** One event as a line of a list. */

import { h, setAttribute, setText } from "./dom.js";
import { eventSentence } from "../messages/en.js";
import { moment } from "../messages/format.js";
import { isGrave } from "../rules/order.js";
import { hrefs } from "../rules/router.js";

/** @param {import("../central/types.js").Context} context @param {boolean} withPlace whether the line says where */
export function eventRow(context, withPlace) {
  const time = h("span", { class: "event-time" });
  const what = h("span", { class: "event-what" });
  const where = h("span", { class: "row-detail" });
  const element = h(withPlace ? "a" : "div", { class: "row event-row" }, time, what, where);
  return {
    element,
    /** @param {import("../central/types.js").EventView} event */
    update(event) {
      const trust = event.clock_trusted ? "" : " (the agent's clock was not to be trusted)";
      setText(time, moment(event.at_ms, context.clock.roughly()) + trust);
      setText(what, eventSentence(event));
      setAttribute(element, "data-grave", isGrave(event));
      setAttribute(element, "data-event", event.id);
      if (!withPlace) return;
      setText(where, [event.door, context.store.siteName(event.site), event.agent].filter(Boolean).join(", "));
      setAttribute(element, "href", event.door ? hrefs.door(event.site, event.door) : hrefs.site(event.site));
    },
  };
}
