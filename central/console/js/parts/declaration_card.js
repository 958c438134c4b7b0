/** An active declaration as a card: real or drill unmistakable, how far it is proven, who, when. */

import { h, setAttribute, setText } from "./dom.js";
import { declarationName } from "../messages/event_words.js";
import { moment } from "../messages/format.js";
import { hrefs } from "../rules/router.js";
import { isLive } from "../rules/truth.js";
import { scopeWords } from "../messages/en.js";

/** @typedef {import("../central/types.js").DeclarationView} DeclarationView */

/** "12 of 14 doors proven, 1 pending, 1 cannot be secured" @param {DeclarationView} one @param {boolean} live */
export function closureWords(one, live) {
  const { doors, proven, pending, failed } = one.closure;
  if (doors === 0) return one.action === "lockdown" || one.action === "secure" ? "Covers no door" : "Asks nothing of the doors";
  if (!live && one.state !== "ended") return `${doors} doors; their proof is not known now`;
  const rest = [pending && `${pending} pending`, failed && `${failed} cannot be secured`].filter(Boolean);
  return [`${proven} of ${doors} doors proven`, ...rest].join(", ");
}

/** @param {DeclarationView} one */
export function stateWords(one) {
  if (one.state === "ended") return `Ended by ${one.ended_by ?? "somebody"}`;
  return one.state === "release_requested" ? `Active; ${one.release_requested_by} asked for release` : "Active";
}

/** @param {import("../central/types.js").Context} context */
export function declarationCard(context) {
  const name = h("strong", { class: "card-name" });
  const where = h("span", { class: "card-where" });
  const closure = h("span", { class: "card-closure" });
  const who = h("span", { class: "row-detail" });
  const element = h("a", { class: "card" }, name, where, closure, who);
  return {
    element,
    /** @param {DeclarationView} one */
    update(one) {
      setAttribute(element, "href", hrefs.declaration(one.id));
      setAttribute(element, "data-drill", one.drill ? "true" : "false");
      setAttribute(element, "data-state", one.state);
      setText(name, declarationName(one));
      setText(where, scopeWords(one.scope, (site) => context.store.siteName(site)));
      setText(closure, closureWords(one, isLive(context.store.link)));
      setText(who, `${moment(one.at_ms, context.clock.roughly())} by ${one.by}. ${stateWords(one)}.`);
    },
  };
}
