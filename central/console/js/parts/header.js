/**
 * What stands on every page: the name, the Lockdown control, the banner that says when nothing is known, the strip of
 * active declarations, and the way to every list.
 */

import { fill, h, icon, setAttribute, setText, show } from "./dom.js";
import { clockTime, span } from "../messages/format.js";
import { hrefs } from "../rules/router.js";
import { declarationName, scopeWords } from "../messages/en.js";
import { realFirst } from "../rules/order.js";
import { isLive } from "../rules/truth.js";

const TABS = [
  { name: "district", word: "Schools", href: hrefs.district(), also: ["site", "door"] },
  { name: "events", word: "Events", href: hrefs.events(), also: [] },
  { name: "declarations", word: "Declarations", href: hrefs.declarations(), also: ["declaration"] },
];

export class Header {
  /**
   * @param {(id: string) => HTMLElement} part of index.html
   * @param {import("../central/store.js").Store} store
   * @param {import("../central/clock.js").ServerClock} clock
   * @param {{onDeclare: () => void, onSignOut: () => void}} hooks
   */
  constructor(part, store, clock, hooks) {
    this.store = store;
    this.clock = clock;
    this.header = part("header");
    this.banner = part("banner");
    this.strip = part("strip");
    this.tabs = part("tabs");
    this.footer = part("footer");
    this.stripText = "";
    this.bannerWhat = h("strong");
    this.bannerAge = h("span");
    this.bannerTodo = h("p");
    fill(this.banner, h("p", {}, this.bannerWhat, " ", this.bannerAge), this.bannerTodo);
    this.who = h("span");
    fill(this.footer, this.who, h("button", { type: "button", class: "button", onclick: hooks.onSignOut }, "Sign out"));
    this.linkWord = h("span", { class: "link-word" });
    this.links = TABS.map((tab) => h("a", { href: tab.href, class: "tab" }, tab.word));
    fill(this.tabs, this.links);
    fill(
      this.header,
      h("a", { href: hrefs.district(), class: "brand" }, "Doorward"),
      this.linkWord,
      h("button", { type: "button", class: "button lockdown", "aria-haspopup": "dialog", onclick: hooks.onDeclare },
        icon("lock"), "Lockdown"),
    );
  }

  /** @param {import("../central/types.js").SessionView|null} session @param {string} page */
  setSession(session, page) {
    show(this.header, session !== null);
    show(this.tabs, session !== null);
    show(this.footer, session !== null);
    setText(this.who, session ? `Signed in: ${session.username}, ${session.role}` : "");
    TABS.forEach((tab, i) => {
      const here = tab.name === page ? "page" : tab.also.includes(page) ? "true" : null;
      setAttribute(this.links[i], "aria-current", here);
    });
    this.signedIn = session !== null;
    this.update();
  }

  update() {
    this.showBanner();
    this.showStrip();
  }

  tick() {
    this.showBanner();
  }

  showBanner() {
    const { state, sinceMs } = this.store.link;
    // Short, so that the Lockdown control beside it stays on the narrowest screen.
    const words = { live: "Live", connecting: "Wait", silent: "Not live", broker: "Not live" };
    setText(this.linkWord, words[state]);
    setAttribute(this.linkWord, "data-state", state);
    const lost = this.signedIn === true && (state === "silent" || state === "broker");
    show(this.banner, lost);
    if (!lost) return;
    const since = sinceMs === null ? "" : ` since ${clockTime(sinceMs)}`;
    const age = sinceMs === null ? "" : `(${span(this.clock.roughly() - sinceMs)})`;
    setText(this.bannerWhat, state === "broker"
      ? `Central has lost its message broker${since}: no door can be seen.`
      : `No word from central${since}: no door can be seen.`);
    setText(this.bannerAge, age);
    setText(this.bannerTodo,
      "Doors keep acting by themselves. Ask the schools by radio; their panic buttons and badges work. " +
      (state === "broker" ? "A declaration is kept and sent when the broker is back." : "Check this device's network."));
  }

  /** All active declarations, real ones first; rebuilt only when its words change. */
  showStrip() {
    const here = this.store.declaration?.id; // its own page says it larger
    const active = realFirst(this.store.declarations.values()).filter((one) => one.id !== here);
    show(this.strip, this.signedIn === true && active.length > 0);
    const lines = active.map((one) => this.line(one));
    const text = JSON.stringify(lines);
    if (text === this.stripText) return;
    this.stripText = text;
    const shown = lines.slice(0, 2);
    fill(
      this.strip,
      shown.map((line) => h("a", { href: line.href, class: "strip-line", "data-drill": String(line.drill) },
        h("strong", {}, line.name), h("span", {}, line.where), h("span", {}, line.count))),
      lines.length > shown.length &&
        h("a", { href: hrefs.declarations(), class: "strip-more" }, `${lines.length - shown.length} more active`),
    );
  }

  /** @param {import("../central/types.js").DeclarationView} one */
  line(one) {
    const { doors, proven } = one.closure;
    const live = isLive(this.store.link);
    const count = doors === 0 ? "" : live ? `${proven} of ${doors} proven` : "proof not known now";
    return {
      href: hrefs.declaration(one.id),
      drill: one.drill,
      name: declarationName(one),
      where: scopeWords(one.scope, (site) => this.store.siteName(site)),
      count: one.state === "release_requested" ? `${count}${count && "; "}release asked for` : count,
    };
  }
}
