/** The page that the address names: puts it in its place, keeps it current, and says above it what could not be fetched. */

import { explain } from "../central/api.js";
import { errorBox, fill, h } from "../parts/dom.js";
import { hrefs, parse } from "../rules/router.js";
import { declarationPage } from "./declaration.js";
import { declarationsPage } from "./declarations.js";
import { districtPage } from "./district.js";
import { doorPage } from "./door.js";
import { eventsPage } from "./events.js";
import { notFoundPage } from "./not_found.js";
import { signInPage } from "./sign_in.js";
import { sitePage } from "./site.js";

/** @type {Record<string, (context: import("../central/types.js").Context, route: import("../rules/router.js").Route) => import("../central/types.js").Page>} */
const PAGES = {
  district: districtPage,
  site: sitePage,
  door: doorPage,
  declaration: declarationPage,
  declarations: declarationsPage,
  events: eventsPage,
  "not-found": notFoundPage,
};

export class Frame {
  /**
   * @param {HTMLElement} main
   * @param {Omit<import("../central/types.js").Context, "session"|"navigate">} tools what every page may use
   * @param {import("../central/session.js").Session} session
   * @param {{live: import("../central/live.js").Live, fetching: import("../central/fetching.js").Fetching,
   *   header: import("../parts/header.js").Header, declare: import("../parts/declare.js").DeclareDialog}} around the page
   */
  constructor(main, tools, session, around) {
    this.main = main;
    this.tools = tools;
    this.session = session;
    this.around = around;
    this.problem = h("div", { class: "problem" });
    /** @type {import("../central/types.js").Page|null} */
    this.page = null;
  }

  /** @param {string} path with its '#' */
  navigate(path) {
    if (location.hash === path) this.route();
    else location.hash = path;
  }

  /** Show the page of the address; the sign-in first if nobody is signed in. */
  route() {
    const route = parse(location.hash);
    const { live, fetching, header } = this.around;
    const { who } = this.session;
    live.stop();
    this.tools.store.leave();
    fetching.begin(null);
    if (who === null && route.name !== "sign-in") return location.replace(hrefs.signIn(route.path));
    if (who === null || route.name === "sign-in") {
      header.setSession(null, route.name);
      this.page = signInPage(this.tools.api, (session) => this.signedIn(session, route.query.get("to") ?? "/"));
    } else {
      header.setSession(who, route.name);
      this.page = PAGES[route.name]({ ...this.tools, session: who, navigate: (path) => this.navigate(path) }, route);
      live.watch(this.page.watch);
      fetching.begin(this.page);
    }
    fill(this.problem);
    fill(this.main, this.problem, this.page.element);
    document.title = this.page.title();
    scrollTo(0, 0);
    this.main.focus({ preventScroll: true });
    this.page.update({ all: true, overview: true, declarations: true, events: true, doors: new Set(), rows: new Set() });
  }

  /** @param {import("../central/types.js").SessionView} session @param {string} to */
  signedIn(session, to) {
    this.session.who = session;
    location.replace(to.startsWith("/") ? `#${to}` : "#/");
    this.around.declare.resume();
  }

  /** Nobody is signed in any more: sign in, then back to here. */
  signedOut() {
    this.around.fetching.begin(null);
    this.around.declare.pause();
    const { name, path } = parse(location.hash);
    if (name !== "sign-in") location.replace(hrefs.signIn(path));
  }

  async signOut() {
    try {
      await this.session.end();
    } catch (error) {
      fill(this.problem, errorBox(explain(error)));
      return;
    }
    this.around.declare.forget();
    location.hash = hrefs.signIn("/");
  }

  /** What the page needs was fetched, or not. @param {unknown} error null: all is here */
  fetched(error) {
    if (error === null) return fill(this.problem);
    const again = h("button", { type: "button", class: "button", onclick: () => void this.around.fetching.load() }, "Try again");
    const box = errorBox(explain(error));
    box.append(again, " ", h("a", { href: hrefs.district(), class: "button" }, "All schools"));
    if (this.problem.textContent === box.textContent) return; // said already: neither said again nor taken from a finger
    fill(this.problem, box);
  }

  /** @param {import("../central/store.js").Changes} changes */
  update(changes) {
    this.around.header.update();
    if (this.session.who === null || this.page === null) return;
    this.page.update(changes);
    document.title = this.page.title();
  }
}
