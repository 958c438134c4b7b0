/** Puts the console together: session, stream, store, header, and the frame of the page that the address names. */

import { Api } from "./central/api.js";
import { ServerClock } from "./central/clock.js";
import { Fetching } from "./central/fetching.js";
import { Live, TICK_MS } from "./central/live.js";
import { Session } from "./central/session.js";
import { Store } from "./central/store.js";
import { Frame } from "./pages/frame.js";
import { Announcer } from "./parts/announce.js";
import { DeclareDialog } from "./parts/declare.js";
import { Header } from "./parts/header.js";

/** @param {string} id */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const clock = new ServerClock();
const announcer = new Announcer(part("polite"), part("assertive"));
const api = new Api({ onSignedOut: () => session.over() });
const session = new Session(api, () => frame.signedOut());
const store = new Store((changes) => frame.update(changes));
const live = new Live(clock, {
  onHello: () => void fetching.load(),
  onMessage(kind, data) {
    announcer.sayNew(kind, data, store);
    fetching.message(kind, data);
  },
  onLink: (link) => store.setLink(link),
  onRefused: () => void session.ask(),
});
const fetching = new Fetching(api, clock, store, live, (error) => frame.fetched(error));
const declare = new DeclareDialog(api, store, (path) => frame.navigate(path));
const header = new Header(part, store, clock, {
  onDeclare: () => declare.open(frame.page?.scope),
  onSignOut: () => void frame.signOut(),
});
/** @type {Frame} */
const frame = new Frame(part("main"), { api, store, clock, announcer }, session, { live, fetching, header, declare });

function tick() {
  live.tick();
  header.tick();
  fetching.tick();
  session.tick(clock.now());
  frame.page?.tick?.();
}

document.querySelector("[data-skip]")?.addEventListener("click", (event) => {
  event.preventDefault(); // the hash is the route
  part("main").focus();
});
addEventListener("hashchange", () => frame.route());
setInterval(tick, TICK_MS);
document.addEventListener("visibilitychange", () => document.hidden || tick());
await session.ask();
frame.route();
