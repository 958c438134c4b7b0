/**
 * Central's time, as far as this device can tell, and how long central has been silent.
 *
 * A message may arrive late, never early: the best estimate is the highest time a message implied. It is allowed
 * to fall slowly, so that a device whose clock runs fast does not see all evidence as old after some hours.
 * A device that slept, or whose clock was set, knows nothing until central speaks again.
 */

const DRIFT = 0.000_5; // worse than any crystal
const JUMP_MS = 2_000;

export class ServerClock {
  constructor() {
    /** @type {{serverMs: number, steady: number}|null} */
    this.anchor = null;
    /** @type {number|null} newest time the stream has said */
    this.newest = null;
    this.last = { steady: this.steady(), wall: Date.now() };
  }

  /** Milliseconds that only ever rise; not while the device sleeps. */
  steady() {
    return performance.now();
  }

  /** The stream said central's time. @param {number} serverMs @param {boolean} [first] of a new stream */
  hear(serverMs, first = false) {
    this.estimate(serverMs);
    this.newest = first || this.newest === null ? serverMs : Math.max(this.newest, serverMs);
  }

  /**
   * An answer said central's time. It is no older than its question, so it shows a stream that lags, and a central
   * whose clock was set back.
   * @param {number} serverMs @param {number} tookMs from question to answer
   */
  hearAnswer(serverMs, tookMs) {
    const now = this.now();
    if (now !== null && now > serverMs + tookMs + JUMP_MS) this.anchor = null;
    this.estimate(serverMs);
  }

  /** @param {number} serverMs */
  estimate(serverMs) {
    const now = this.now();
    const allowed = this.anchor ? DRIFT * (this.steady() - this.anchor.steady) : 0;
    if (now === null || now - serverMs <= allowed) this.anchor = { serverMs, steady: this.steady() };
  }

  /** Central's time in UTC ms, or null while it is not known. */
  now() {
    return this.anchor === null ? null : this.anchor.serverMs + (this.steady() - this.anchor.steady);
  }

  /** The device's own idea where central's is not known: for showing times, never for judging evidence. */
  roughly() {
    return this.now() ?? Date.now();
  }

  /** How old the stream's newest word is, or null before the first. */
  silentMs() {
    const now = this.now();
    return now === null || this.newest === null ? null : now - this.newest;
  }

  /** Call about twice a second. True if the device slept or its clock was set; the estimate is then forgotten. */
  jumped() {
    const steady = this.steady() - this.last.steady;
    const wall = Date.now() - this.last.wall;
    this.last = { steady: this.steady(), wall: Date.now() };
    if (Math.abs(wall - steady) <= JUMP_MS) return false;
    this.anchor = null;
    return true;
  }
}
