/** Says things to screen readers through the two live regions of index.html; not often, and not twice. */

import { newDeclarationWords } from "../messages/en.js";

export class Announcer {
  /** @param {HTMLElement} polite @param {HTMLElement} assertive */
  constructor(polite, assertive) {
    this.regions = { polite, assertive };
  }

  /** @param {string} sentence @param {"polite"|"assertive"} [how] */
  say(sentence, how = "polite") {
    const region = this.regions[how];
    if (region.textContent !== sentence) region.textContent = sentence;
  }

  /** A declaration that the store does not have yet. @param {string} kind of the stream's message @param {any} data
   * @param {import("../central/store.js").Store} store */
  sayNew(kind, data, store) {
    if (kind !== "declaration" || data.state !== "active" || store.declarations.has(data.id)) return;
    this.say(newDeclarationWords(data, (site) => store.siteName(site)), data.drill ? "polite" : "assertive");
  }
}
