/** An active declaration as a card: real or drill unmistakable, how far it is proven, who, when. */

import { h, setAttribute, setText } from "./dom.js";
import { moment } from "../messages/format.js";
import { hrefs } from "../rules/router.js";
import { isLive } from "../rules/truth.js";
import { closureWords, declarationName, scopeWords, stateWords } from "../messages/en.js";

/** @typedef {import("../central/types.js").DeclarationView} DeclarationView */

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
