/** Puts the console together: session, stream, store, header and the page the address names. */

import { Announcer } from "./parts/announce.js";
import { Api, explain } from "./central/api.js";
import { ServerClock } from "./central/clock.js";
import { DeclareDialog } from "./parts/declare.js";
import { errorBox, fill, h } from "./parts/dom.js";
import { Header } from "./parts/header.js";
import { Live, TICK_MS } from "./central/live.js";
import { hrefs, parse } from "./rules/router.js";
import { Store } from "./central/store.js";
import { newDeclaration } from "./messages/event_words.js";
import { declarationView } from "./pages/declaration.js";
import { declarationsView } from "./pages/declarations.js";
import { districtView } from "./pages/district.js";
import { doorView } from "./pages/door.js";
import { eventsView } from "./pages/events.js";
import { notFoundView } from "./pages/not_found.js";
import { signInView } from "./pages/sign_in.js";
import { siteView } from "./pages/site.js";

/** @typedef {import("./central/types.js").View} View */

const VIEWS = {
  district: districtView,
  site: siteView,
  door: doorView,
  declaration: declarationView,
  declarations: declarationsView,
  events: eventsView,
  "not-found": notFoundView,
};
/** If the stream does not open by then, show what central answers, marked as unknown. */
const HELLO_MS = 1_500;
const FETCH_AGAIN_MS = 3_000;

/** @param {string} id */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

class Console {
  constructor() {
    this.main = part("main");
    this.problem = h("div", { class: "problem" });
    this.clock = new ServerClock();
    this.announcer = new Announcer(part("polite"), part("assertive"));
    this.api = new Api({ onSignedOut: () => this.signedOut() });
    this.store = new Store((changes) => this.update(changes));
    this.live = new Live(this.clock, {
      onHello: () => void this.load(),
      onMessage: (kind, data) => this.message(kind, data),
      onLink: (link) => this.store.setLink(link),
      onRefused: () => void this.askSession(),
    });
    /** @type {import("./central/types.js").Context["session"]|null} */
    this.session = null;
    /** @type {View|null} */
    this.view = null;
    /** @type {[string, any][]|null} messages that came while fetching: applied after it, in their order */
    this.waiting = null;
    /** @type {View|null} the view that is being fetched for */
    this.loading = null;
    this.again = false;
    /** @type {number|null} steady time when fetching failed, to be tried again */
    this.failedAt = null;
    this.fetched = false;
    this.asking = false;
    this.declare = new DeclareDialog(this.api, this.store, (path) => this.navigate(path));
    this.header = new Header(part, this.store, this.clock, {
      onDeclare: () => this.declare.open(this.view?.scope),
      onSignOut: () => void this.signOut(),
    });
  }

  async start() {
    document.querySelector("[data-skip]")?.addEventListener("click", (event) => {
      event.preventDefault(); // the hash is the route
      this.main.focus();
    });
    addEventListener("hashchange", () => this.route());
    setInterval(() => this.tick(), TICK_MS);
    document.addEventListener("visibilitychange", () => document.hidden || this.tick());
    await this.askSession();
    this.route();
  }

  /** Who is signed in; central's silence leaves it as it was. */
  async askSession() {
    if (this.asking) return;
    this.asking = true;
    try {
      this.session = await this.api.get("/session");
    } catch (error) {
      if (/** @type {any} */ (error).status === 401) this.signedOut();
    } finally {
      this.asking = false;
    }
  }

  signedOut() {
    this.session = null;
    const { name, path } = parse(location.hash);
    this.declare.pause();
    if (name !== "sign-in") location.replace(hrefs.signIn(path));
  }

  async signOut() {
    try {
      await this.api.delete("/session");
    } catch (error) {
      fill(this.problem, errorBox(explain(error)));
      return;
    }
    this.session = null;
    this.declare.forget();
    location.hash = hrefs.signIn("/");
  }

  /** @param {string} path with its '#' */
  navigate(path) {
    if (location.hash === path) this.route();
    else location.hash = path;
  }

  route() {
    const route = parse(location.hash);
    this.live.stop();
    this.store.leave();
    this.waiting = null;
    this.loading = null;
    this.failedAt = null;
    this.fetched = false;
    if (route.name === "sign-in" || this.session === null) {
      if (route.name !== "sign-in") return location.replace(hrefs.signIn(route.path));
      this.header.show(null, route.name);
      this.view = signInView(this.api, (session) => this.signedIn(session, route.query.get("to") ?? "/"));
    } else {
      this.header.show(this.session, route.name);
      this.view = VIEWS[/** @type {keyof typeof VIEWS} */ (route.name)](this.context(this.session), route);
      this.live.watch(this.view.watch);
      const view = this.view;
      setTimeout(() => this.view === view && !this.fetched && void this.load(), HELLO_MS);
    }
    fill(this.problem);
    fill(this.main, this.problem, this.view.element);
    document.title = this.view.title();
    scrollTo(0, 0);
    this.main.focus({ preventScroll: true });
    this.view.update({
      all: true, overview: true, declarations: true, events: true, doors: new Set(), rows: new Set(),
    });
  }

  /** @param {import("./central/types.js").Context["session"]} session @param {string} to */
  signedIn(session, to) {
    this.session = session;
    location.replace(to.startsWith("/") ? `#${to}` : "#/");
    this.declare.resume();
  }

  /** @param {import("./central/types.js").Context["session"]} session @returns {import("./central/types.js").Context} */
  context(session) {
    return {
      api: this.api,
      store: this.store,
      clock: this.clock,
      session,
      announcer: this.announcer,
      navigate: (path) => this.navigate(path),
      reload: () => this.load(),
      openDeclare: (scope) => this.declare.open(scope),
    };
  }

  /** Fetch the overview and the view's own data; what the stream says meanwhile is applied after. */
  async load() {
    const view = this.view;
    if (view === null || this.session === null) return;
    if (this.loading === view) {
      this.again = true;
      return;
    }
    this.loading = view;
    this.fetched = true;
    this.waiting = [];
    this.failedAt = null;
    const { gaps } = this.live;
    try {
      const asked = this.clock.steady();
      const [overview, missing] = await Promise.all([this.askOverview(asked), this.askView(view)]);
      if (this.view !== view) return;
      this.store.setOverview(overview);
      this.live.broker(overview.broker_connected, overview.server_ms);
      this.live.fetched(gaps);
      if (missing) this.failed(missing);
      else fill(this.problem);
    } catch (error) {
      if (this.view === view && this.session !== null) this.failed(error);
    } finally {
      if (this.view === view) this.loaded();
    }
  }

  /** What a view shows; that it does not exist is an answer, too, and the rest of the page lives. @param {View} view */
  async askView(view) {
    try {
      await view.load();
    } catch (error) {
      if (/** @type {any} */ (error).status !== 404) throw error;
      return error;
    }
  }

  /** @param {number} asked steady time */
  async askOverview(asked) {
    const overview = await this.api.get("/overview");
    this.clock.hearAnswer(overview.server_ms, this.clock.steady() - asked);
    return overview;
  }

  loaded() {
    this.loading = null;
    for (const [kind, data] of this.waiting ?? []) this.store.apply(kind, data);
    this.waiting = null;
    if (this.again) {
      this.again = false;
      void this.load();
    }
  }

  /** @param {unknown} error */
  failed(error) {
    if (/** @type {any} */ (error).status === 404) this.live.settle();
    else this.failedAt = this.clock.steady();
    const again = h("button", { type: "button", class: "button", onclick: () => void this.load() }, "Try again");
    const box = errorBox(explain(error));
    box.append(again, " ", h("a", { href: hrefs.district(), class: "button" }, "All schools"));
    if (this.problem.textContent === box.textContent) return; // said already: neither said again nor taken from a finger
    fill(this.problem, box);
  }

  /** @param {string} kind @param {any} data */
  message(kind, data) {
    if (kind === "declaration" && !this.store.declarations.has(data.id) && data.state === "active") {
      this.announcer.say(newDeclaration(data, (site) => this.store.siteName(site)), data.drill ? "polite" : "assertive");
    }
    if (this.waiting === null) this.store.apply(kind, data);
    else this.waiting.push([kind, data]);
  }

  /** @param {import("./central/store.js").Changes} changes */
  update(changes) {
    this.header.update();
    if (this.session === null || this.view === null) return;
    this.view.update(changes);
    document.title = this.view.title();
  }

  tick() {
    this.live.tick();
    this.header.tick();
    if (this.failedAt !== null && this.clock.steady() - this.failedAt > FETCH_AGAIN_MS) void this.load();
    const now = this.clock.now();
    if (this.session !== null && now !== null && now > this.session.expires_ms) void this.askSession();
    this.view?.tick?.();
  }
}

void new Console().start();
