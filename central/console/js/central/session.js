/** Who is signed in, by central's word. Knows nothing of pages. */

export class Session {
  /** @param {import("./api.js").Api} api @param {() => void} onOver central says that nobody is signed in (any more) */
  constructor(api, onOver) {
    this.api = api;
    this.onOver = onOver;
    /** @type {import("./types.js").SessionView|null} */
    this.who = null;
    this.asking = false;
  }

  /** Ask central; its silence leaves it as it was. */
  async ask() {
    if (this.asking) return;
    this.asking = true;
    try {
      this.who = await this.api.get("/session");
    } catch (error) {
      if (/** @type {any} */ (error).status === 401) this.over();
    } finally {
      this.asking = false;
    }
  }

  over() {
    this.who = null;
    this.onOver();
  }

  /** Sign out; throws if central does not confirm it. */
  async end() {
    try {
      await this.api.delete("/session");
    } catch (error) {
      if (/** @type {any} */ (error).status !== 401) throw error; // else it was over already
    }
    this.who = null;
  }

  /** Ask once it has expired. @param {number|null} nowMs central's time */
  tick(nowMs) {
    if (this.who !== null && nowMs !== null && nowMs > this.who.expires_ms) void this.ask();
  }
}
