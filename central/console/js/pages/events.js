/** What happened: the latest first, by school, door and kind; older ones page by page. */

import { explain } from "../central/api.js";
import { errorBox, field, fill, h, setText, show } from "../parts/dom.js";
import { eventRow } from "../parts/event_row.js";
import { KeyedList } from "../parts/keyed_list.js";
import { byName } from "../rules/order.js";
import { hrefs } from "../rules/router.js";
import { isLive } from "../rules/truth.js";
import { EVENT_KINDS, plain } from "../messages/en.js";

/** @typedef {import("../central/types.js").EventView} EventView */

const EVENTS_AT_ONCE = 100;
const ASK_EVERY_MS = 3_000;

/** @param {import("../central/types.js").Context} context @param {import("../rules/router.js").Route} route @returns {import("../central/types.js").Page} */
export function eventsPage(context, route) {
  const { api, store, clock } = context;
  const wanted = Object.fromEntries(["site", "door", "kind"].map((name) => [name, route.query.get(name) ?? ""]));
  const school = h("select", { id: "event-school", onchange: () => filter({ site: school.value, door: "" }) });
  const kind = h("select", { id: "event-kind", onchange: () => filter({ kind: kind.value }) },
    h("option", { value: "" }, "Everything"), EVENT_KINDS.map((one) => h("option", { value: one }, plain(one))));
  kind.value = wanted.kind;
  const rows = h("div", { class: "rows" });
  const list = new KeyedList(rows, (/** @type {EventView} */ event) => String(event.id), () => eventRow(context, true));
  const older = h("button", { type: "button", class: "button", onclick: () => void loadOlder() }, "Older");
  const note = h("p", { class: "fact" }, "Fetching…");
  const problems = h("div");
  const onlyDoor = wanted.door && h("p", { class: "fact" }, `Only of door ${wanted.door}. `,
    h("a", { href: hrefs.events({ site: wanted.site }) }, "All doors of the school"));
  const element = h("div", { class: "page" }, h("h1", {}, "Events"),
    h("div", { class: "filters" }, field("School", school), field("Kind", kind)),
    onlyDoor, rows, note, problems, older);
  /** @type {Map<number, EventView>} */
  const events = new Map();
  let allFetched = false;
  let loadedAt = -Infinity;
  let schoolsOf = "";

  /** @param {Record<string, string>} change */
  function filter(change) {
    const query = Object.entries({ ...wanted, ...change }).filter(([, value]) => value);
    context.navigate(hrefs.events(Object.fromEntries(query)));
  }

  /** @param {number} [before] */
  async function fetchEvents(before) {
    loadedAt = clock.steady();
    const { events: some } = await api.get("/events", { ...wanted, before_id: before, limit: EVENTS_AT_ONCE });
    for (const event of some) events.set(event.id, event);
    if (before !== undefined || events.size <= EVENTS_AT_ONCE) allFetched = some.length < EVENTS_AT_ONCE;
    drawEvents();
  }

  async function loadOlder() {
    older.disabled = true;
    try {
      await fetchEvents(Math.min(...events.keys()));
      fill(problems);
    } catch (error) {
      fill(problems, errorBox(explain(error)));
    }
    older.disabled = false;
  }

  function drawEvents() {
    list.sync([...events.values()].sort((a, b) => b.id - a.id));
    setText(note, events.size === 0 ? "Nothing recorded that fits." : allFetched ? "That is all there is." : "");
    show(older, !allFetched && events.size > 0);
  }

  function drawSchools() {
    const sites = byName(store.sites.values());
    const now = sites.map((site) => site.name).join("|");
    if (now === schoolsOf && school.options.length) return;
    schoolsOf = now;
    fill(school, h("option", { value: "" }, "All schools"), sites.map((site) => h("option", { value: site.site }, site.name)));
    school.value = wanted.site;
  }

  return {
    element,
    title: () => "Events – Doorward",
    watch: wanted.site ? { site: wanted.site } : {},
    scope: wanted.site ? { kind: "site", site: wanted.site } : { kind: "district" },
    load: () => fetchEvents(),
    update: drawSchools,
    tick() {
      if (isLive(store.link) && clock.steady() - loadedAt > ASK_EVERY_MS && !document.hidden) void fetchEvents().catch(() => {});
    },
  };
}
