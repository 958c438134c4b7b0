/** Says things to screen readers through the two live regions of index.html; not often, and not twice. */

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
}
