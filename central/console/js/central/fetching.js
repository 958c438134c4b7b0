/**
 * Fetches the overview and what the page on show needs, again after every gap of the stream and after a failure. What
 * the stream says meanwhile is applied after it, in its order.
 */

/** @typedef {import("./types.js").Page} Page */

/** If the stream does not open by then, show what central answers, marked as unknown. */
const HELLO_MS = 1_500;
const FETCH_AGAIN_MS = 3_000;

export class Fetching {
  /**
   * @param {import("./api.js").Api} api
   * @param {import("./clock.js").ServerClock} clock
   * @param {import("./store.js").Store} store
   * @param {import("./live.js").Live} live
   * @param {(error: unknown) => void} onEnd what failed, or null
   */
  constructor(api, clock, store, live, onEnd) {
    this.api = api;
    this.clock = clock;
    this.store = store;
    this.live = live;
    this.onEnd = onEnd;
    /** @type {Page|null} */
    this.page = null;
    /** @type {[string, any][]|null} messages that came while fetching */
    this.waiting = null;
    /** @type {number|null} steady time */
    this.failedAt = null;
    this.begin(null);
  }

  /** From now on, fetch for this page; for none while nobody is signed in. @param {Page|null} page */
  begin(page) {
    this.page = page;
    this.waiting = null;
    this.busy = false;
    this.again = false;
    this.fetched = false;
    this.failedAt = null;
    if (page !== null) setTimeout(() => this.page === page && !this.fetched && void this.load(), HELLO_MS);
  }

  async load() {
    const { page } = this;
    if (page === null) return;
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    this.fetched = true;
    this.waiting = [];
    this.failedAt = null;
    const { gaps } = this.live;
    try {
      const asked = this.clock.steady();
      const [overview, missing] = await Promise.all([this.askOverview(asked), this.askPage(page)]);
      if (this.page !== page) return;
      this.store.setOverview(overview);
      this.live.broker(overview.broker_connected, overview.server_ms);
      this.live.fetched(gaps);
      this.ended(missing);
    } catch (error) {
      if (this.page === page) this.ended(error);
    } finally {
      if (this.page === page) this.catchUp();
    }
  }

  /** @param {number} asked steady time */
  async askOverview(asked) {
    const overview = await this.api.get("/overview");
    this.clock.hearAnswer(overview.server_ms, this.clock.steady() - asked);
    return overview;
  }

  /** What a page shows; that it does not exist is an answer, too, and the rest of the page lives. @param {Page} page */
  async askPage(page) {
    try {
      await page.load();
      return null;
    } catch (error) {
      if (/** @type {any} */ (error).status !== 404) throw error;
      return error;
    }
  }

  /** @param {any} error */
  ended(error) {
    if (error?.status === 404) this.live.settle();
    else if (error !== null) this.failedAt = this.clock.steady();
    this.onEnd(error);
  }

  catchUp() {
    this.busy = false;
    for (const [kind, data] of this.waiting ?? []) this.store.apply(kind, data);
    this.waiting = null;
    if (!this.again) return;
    this.again = false;
    void this.load();
  }

  /** The stream said something. @param {string} kind @param {any} data */
  message(kind, data) {
    if (this.waiting === null) this.store.apply(kind, data);
    else this.waiting.push([kind, data]);
  }

  tick() {
    if (this.failedAt !== null && this.clock.steady() - this.failedAt > FETCH_AGAIN_MS) void this.load();
  }
}
