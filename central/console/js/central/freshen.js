/**
 * Fetches anew what the stream has not refreshed: central may tell only of doors that changed, and a door that stays
 * secure must still be proven again and again.
 */

const WANT_MS = 7_000; // before truth.FRESH_MS, with time for an answer
const EVERY_MS = 4_000;

export class Freshener {
  /** @param {() => Promise<void>} load @param {() => number} steady */
  constructor(load, steady) {
    this.load = load;
    this.steady = steady;
    this.last = -Infinity;
    this.busy = false;
  }

  /** @param {number|null} oldestMs age of the oldest evidence something is shown secure on */
  async check(oldestMs) {
    if (oldestMs === null || oldestMs < WANT_MS || this.busy || this.steady() - this.last < EVERY_MS) return;
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
