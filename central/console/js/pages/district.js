/** The district: all schools, the worst first; what is declared; who is silent. */

import { h, icon, setAttribute, setText, show } from "../parts/dom.js";
import { clockTime, counted } from "../messages/format.js";
import { KeyedList } from "../parts/keyed_list.js";
import { hrefs } from "../rules/router.js";
import { tiles } from "../parts/tiles.js";
import { CONDITIONS, TROUBLE, isGrave, realFirst, sitesInOrder } from "../rules/order.js";
import { groupOf, isLive, showCounts } from "../rules/truth.js";
import { conditionWords, eventSentence } from "../messages/en.js";
import { declarationCard } from "../parts/declaration_card.js";

/** @typedef {import("../central/types.js").SiteSummary} SiteSummary */

const EVENTS_SHOWN = 8;

/** @param {import("../central/types.js").Context} context @returns {import("../central/types.js").Page} */
export function districtPage(context) {
  const { store } = context;
  const heading = h("h1", {}, "District");
  const total = tiles("Doors of the district");
  const agents = h("p", { class: "fact" });
  const declared = h("div", { class: "cards" });
  const declaredList = new KeyedList(declared, (/** @type {import("../central/types.js").DeclarationView} */ one) => one.id, () => declarationCard(context));
  const calm = h("p", { class: "fact" }, "Nothing is declared.");
  const filter = h("input", { type: "search", id: "find-school", autocomplete: "off", oninput: () => draw() });
  const schools = h("div", { class: "rows" });
  const list = new KeyedList(schools, (/** @type {SiteSummary} */ site) => site.site, () => siteRow(context));
  const none = h("p", { class: "fact" });
  const latest = h("ul", { class: "lines" });
  const latestList = new KeyedList(latest, (/** @type {import("../central/types.js").EventView} */ event) => String(event.id), () => eventLine(context));
  const latestPart = h("section", { "aria-labelledby": "latest" }, h("h2", { id: "latest" }, "Since this page opened"), latest);
  const element = h("div", { class: "page" },
    heading, h("section", { "aria-label": "Active declarations" }, declared, calm), total.element, agents,
    h("section", { "aria-labelledby": "schools" },
      h("div", { class: "section-head" }, h("h2", { id: "schools" }, "Schools"),
        h("div", { class: "find" }, h("label", { for: "find-school" }, "Find a school"), filter)),
      schools, none),
    latestPart);

  function draw() {
    setText(heading, store.district || "District");
    const counts = store.totals ? showCounts(store.totals.conditions, store.link) : { proven: "–", open: "–", unknown: "–" };
    total.update(counts);
    drawAgents();
    const active = realFirst(store.declarations.values());
    declaredList.sync(active);
    show(calm, active.length === 0 && store.totals !== null);
    const wanted = filter.value.trim().toLowerCase();
    const sites = sitesInOrder(store.sites.values()).filter((site) => `${site.name} ${site.site}`.toLowerCase().includes(wanted));
    list.sync(sites);
    setText(none, sites.length ? "" : store.totals === null ? "Fetching the schools…" : `No school's name contains “${filter.value}”.`);
    latestList.sync(store.events.slice(0, EVENTS_SHOWN));
    show(latestPart, store.events.length > 0);
  }

  function drawAgents() {
    if (store.totals === null) return setText(agents, "");
    if (!isLive(store.link)) {
      setAttribute(agents, "data-bad", false);
      return setText(agents, "Agents: not known now");
    }
    const silent = [...store.sites.values()].filter((site) => site.agents_alive < site.agents)
      .map((site) => `${site.name} ${site.agents - site.agents_alive} of ${site.agents}`);
    const count = store.totals.agents - store.totals.agents_alive;
    setAttribute(agents, "data-bad", count > 0);
    setText(agents, count === 0
      ? `All ${counted(store.totals.agents, "agent")} heard`
      : `${counted(count, "agent")} silent: ${silent.slice(0, 6).join(", ")}${silent.length > 6 ? ` and ${silent.length - 6} more schools` : ""}`);
  }

  return {
    element,
    title: () => `${store.district || "District"} – Doorward`,
    watch: {},
    scope: { kind: "district" },
    load: async () => {},
    update: draw,
  };
}

/** @param {import("../central/types.js").Context} context */
function siteRow(context) {
  const name = h("strong", { class: "site-name" });
  const flags = h("span", { class: "flags" });
  const figures = ["secure", "open", "unknown"].map((sign, i) => {
    const number = h("span", { class: "figure-number" });
    const element = h("span", { class: "figure", "data-group": ["proven", "open", "unknown"][i] },
      icon(sign), number, " ", h("span", {}, ["proven", "not secure", "unknown"][i]));
    return { number, element };
  });
  const detail = h("span", { class: "row-detail" });
  const element = h("a", { class: "row site-row" }, name, flags,
    h("span", { class: "figures" }, figures.map((figure) => figure.element)), detail);
  return {
    element,
    /** @param {SiteSummary} site */
    update(site) {
      const counts = showCounts(site.conditions, context.store.link);
      setAttribute(element, "href", hrefs.site(site.site));
      setAttribute(element, "data-site", site.site);
      setText(name, site.name);
      [counts.proven, counts.open, counts.unknown].forEach((count, i) => {
        setText(figures[i].number, count.toLocaleString());
        setAttribute(figures[i].element, "data-none", count === 0);
      });
      setText(flags, flagWords(site, isLive(context.store.link)));
      show(flags, flags.textContent !== "");
      setAttribute(element, "data-duress", Boolean(site.duress));
      setText(detail, detailWords(site, counts.lost));
    },
  };
}

/** @param {SiteSummary} site @param {boolean} live */
function flagWords(site, live) {
  const flags = [];
  if (site.duress) flags.push(`DURESS at ${counted(site.duress, "door")}`);
  if (site.fire) flags.push("Fire");
  const trouble = TROUBLE.filter((condition) => site.conditions[condition]);
  flags.push(...trouble.map((condition) => `${site.conditions[condition]} ${conditionWords(condition).word.toLowerCase()}`));
  if (site.alarms) flags.push(counted(site.alarms, "alarm"));
  if (live && site.agents_alive < site.agents) flags.push(`${counted(site.agents - site.agents_alive, "agent")} silent`);
  return flags.length && !live ? `Last known: ${flags.join(", ")}` : flags.join(", ");
}

/** "1 forced, 3 open; 4 doors in all" @param {SiteSummary} site @param {number} lost */
function detailWords(site, lost) {
  const parts = CONDITIONS.filter((condition) => site.conditions[condition] && groupOf(condition) === "open")
    .map((condition) => `${site.conditions[condition]} ${conditionWords(condition).word.toLowerCase()}`);
  if (lost) parts.push(`${lost} proven when last heard`);
  return [counted(site.doors, "door"), ...parts].join(" · ");
}

/** @param {import("../central/types.js").Context} context */
function eventLine(context) {
  const element = h("li");
  return {
    element,
    /** @param {import("../central/types.js").EventView} event */
    update(event) {
      const where = [event.door, context.store.siteName(event.site)].filter(Boolean).join(", ");
      setAttribute(element, "data-grave", isGrave(event));
      setText(element, `${clockTime(event.at_ms)} ${eventSentence(event)} – ${where}`);
    },
  };
}
