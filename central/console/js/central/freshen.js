/**
 * Fetches again what the stream has not refreshed: central reports only doors that changed, and a door that stays
 * secure must still be proven again and again.
 */

/** Shares of the time that evidence lasts: when to ask for newer, with time for an answer, and how often at most. */
const ASK_AT = 0.6;
const ASK_EVERY = 0.33;

export class Freshener {
  /** @param {() => Promise<void>} load @param {() => number} steady */
  constructor(load, steady) {
    this.load = load;
    this.steady = steady;
    this.last = -Infinity;
    this.busy = false;
  }

  /**
   * @param {number|null} oldestMs age of the oldest evidence something is shown secure on
   * @param {number} lastsMs how old it may become
   */
  async check(oldestMs, lastsMs) {
    if (oldestMs === null || oldestMs < ASK_AT * lastsMs || this.busy || this.steady() - this.last < ASK_EVERY * lastsMs) return;
    this.last = this.steady();
    this.busy = true;
    try {
      await this.load();
    } catch {
      // The doors become unknown by their age, which says more than an error would.
    } finally {
      this.busy = false;
    }
  }
}
