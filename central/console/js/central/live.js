/**
 * The one stream of server-sent events, and the judgement whether it can be believed: `live`, or since when not.
 * A stream that is open but late is silent: what counts is the time central says, not that bytes arrive.
 */

import { limitsOf } from "../rules/truth.js";

const KINDS = ["overview", "doors", "declaration", "closure", "event"];
/** For so long the first stream may take to open before the page says that central is not heard. */
const OPENS_WITHIN_MS = 10_000;
const RETRY_MS = 2_000;
const REOPEN_SILENT_MS = 5_000;
export const TICK_MS = 500;

export class Live {
  /**
   * @param {import("./clock.js").ServerClock} clock
   * @param {{onHello: () => void, onMessage: (kind: string, data: any) => void,
   *   onLink: (link: import("../rules/truth.js").Link) => void, onRefused: () => void}} hooks
   *   onHello: a new stream is open or has lost something, fetch everything and call fetched(); onRefused: central refused the stream, perhaps the session is over
   */
  constructor(clock, hooks) {
    this.clock = clock;
    this.hooks = hooks;
    /** @type {EventSource|null} */
    this.source = null;
    this.url = "";
    this.tried = 0; // steady time of the last attempt
    this.began = clock.steady();
    /** @type {number|null} central's time when its broker was lost */
    this.brokerLost = null;
    this.gaps = 0; // times that something may have been missed
    this.caughtUp = false; // all was fetched since the last of them
    /** @type {import("../rules/truth.js").Limits|null} as central said when the stream opened */
    this.limits = null;
    /** @type {import("../rules/truth.js").Link} */
    this.link = { state: "connecting", sinceMs: null };
  }

  /** Watch a school, a declaration, or the district alone. @param {{site?: string, declaration?: string}} what */
  watch(what) {
    const query = new URLSearchParams(/** @type {Record<string, string>} */ (what)).toString();
    this.url = `/api/live${query ? `?${query}` : ""}`;
    this.open();
  }

  /** What was asked for does not exist: watch the district alone, so that the page still knows what is declared. */
  settle() {
    if (this.url.includes("?")) this.watch({});
  }

  stop() {
    this.source?.close();
    this.source = null;
    this.url = "";
  }

  open() {
    this.source?.close();
    this.tried = this.clock.steady();
    const source = new EventSource(this.url);
    this.source = source;
    source.addEventListener("hello", (event) => {
      const hello = JSON.parse(event.data);
      this.limits = limitsOf(hello);
      this.clock.hear(hello.server_ms, true);
      this.missed();
    });
    source.addEventListener("ping", (event) => this.ping(JSON.parse(event.data)));
    source.addEventListener("resync", () => this.missed());
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.hooks.onMessage(kind, JSON.parse(event.data)));
    source.addEventListener("error", () => {
      if (source === this.source && source.readyState === EventSource.CLOSED) this.hooks.onRefused();
    });
  }

  /** What is known here may be overtaken: it proves nothing until it is fetched again. */
  missed() {
    this.gaps += 1;
    this.caughtUp = false;
    this.judge();
    this.hooks.onHello();
  }

  /** All was fetched. @param {number} gaps this.gaps when the fetching began */
  fetched(gaps) {
    if (gaps !== this.gaps) return;
    this.caughtUp = true;
    this.judge();
  }

  /** @param {{server_ms: number, broker_connected: boolean}} ping */
  ping(ping) {
    this.clock.hear(ping.server_ms);
    this.broker(ping.broker_connected, ping.server_ms);
  }

  /** Central said whether it has its broker. @param {boolean} connected @param {number} serverMs */
  broker(connected, serverMs) {
    this.brokerLost = connected ? null : (this.brokerLost ?? serverMs);
    this.judge();
  }

  /** Twice a second: judge the stream, and open it again if it is shut or silent. */
  tick() {
    const jumped = this.clock.jumped();
    this.judge();
    if (this.url === "") return;
    const waited = this.clock.steady() - this.tried;
    const shut = this.source?.readyState === EventSource.CLOSED && waited > RETRY_MS;
    const mute = this.link.state === "silent" && waited > REOPEN_SILENT_MS;
    if (jumped || shut || mute) this.open();
  }

  judge() {
    const link = this.verdict();
    if (link.state === this.link.state && link.sinceMs === this.link.sinceMs) return;
    this.link = link;
    this.hooks.onLink(link);
  }

  /** @returns {import("../rules/truth.js").Link} */
  verdict() {
    const { newest } = this.clock;
    const silentMs = this.clock.silentMs();
    if (newest === null && this.clock.steady() - this.began <= OPENS_WITHIN_MS) return { state: "connecting", sinceMs: null };
    if (this.limits === null || silentMs === null || silentMs > this.limits.stream_silent_ms) return { state: "silent", sinceMs: newest };
    if (this.brokerLost !== null) return { state: "broker", sinceMs: this.brokerLost };
    if (!this.caughtUp) return { state: "connecting", sinceMs: null };
    return { state: "live", sinceMs: null, evidenceLastsMs: this.limits.evidence_lasts_ms };
  }
}
