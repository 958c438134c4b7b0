/** One door: what it is, on what evidence, since when, what holds it, what happened, its day. */

import { explain } from "../central/api.js";
import { command } from "../central/command_watch.js";
import { confirmAct } from "../parts/confirm.js";
import { errorBox, fill, h, setAttribute, setText, show } from "../parts/dom.js";
import { conditionChip } from "../parts/door_row.js";
import { duressPart } from "../parts/duress.js";
import { eventRow } from "../parts/event_row.js";
import { moment, span } from "../messages/format.js";
import { Freshener } from "../central/freshen.js";
import { DAY_MS, RESOLUTION_MS, historyStrip } from "../parts/history_strip.js";
import { KeyedList } from "../parts/keyed_list.js";
import { hrefs } from "../rules/router.js";
import { inDuress } from "../rules/order.js";
import { may, rolesWith } from "../rules/rights.js";
import { isLive, oldestProofMs, showDoor } from "../rules/truth.js";
import { actWord, alarmWords, anyOf, conditionWords, declarationName, doubtWords, modeSentence, scopeWords } from "../messages/en.js";

/** @typedef {import("../central/types.js").DoorView} DoorView */

const HISTORY_EVERY_MS = 60_000;

/** @param {import("../central/types.js").Context} context @param {import("../rules/router.js").Route} route @returns {import("../central/types.js").Page} */
export function doorPage(context, route) {
  const { store, clock, api } = context;
  const { site, door: key } = route.params;
  const at = { site: encodeURIComponent(site), door: encodeURIComponent(key) };
  const school = h("a", { href: hrefs.site(site) });
  const heading = h("h1");
  const chip = conditionChip();
  chip.element.classList.add("big");
  const sentence = h("p", { class: "sentence" });
  const facts = factList(["Mode", "Door contact", "Bolt", "Evidence", "In this condition since", "Lock", "Zones", "Agent"]);
  const duress = duressPart(context, site, key);
  const alarms = h("p", { class: "alarms" });
  const holds = h("ul", { class: "lines" });
  const holdsPart = h("section", {}, h("h2", {}, "Held by"), holds);
  const acts = h("div", { class: "acts" });
  const outcome = h("p", { class: "outcome", role: "status" });
  const problems = h("div");
  const day = h("div", {}, h("p", { class: "fact" }, "Fetching…"));
  const events = h("div", { class: "rows" });
  const eventList = new KeyedList(events, (/** @type {import("../central/types.js").EventView} */ event) => String(event.id), () => eventRow(context, false));
  const noEvents = h("p", { class: "fact" });
  const element = h("div", { class: "page" },
    h("p", { class: "crumbs" }, h("a", { href: hrefs.district() }, "All schools"), " / ", school),
    heading, h("div", { class: "verdict" }, chip.element, sentence), duress.element, alarms, facts.element, holdsPart,
    h("section", {}, h("h2", {}, "Act"), acts, outcome, problems),
    h("section", {}, h("h2", {}, "Last 24 hours"), day),
    h("section", {}, h("h2", {}, "Recent events"), events, noEvents,
      h("p", {}, h("a", { class: "button", href: hrefs.events({ site, door: key }) }, "All events of this door"))));

  const buttons = makeActs(async (kind) => {
    if (kind === "clear_duress" && !(await confirmAct(lookedAfter(heading.textContent ?? key, duress.words())))) return;
    fill(problems);
    for (const button of buttons) button.disabled = true;
    try {
      await command(api, clock, { site, door: key }, kind, (words, state) => {
        setText(outcome, words);
        setAttribute(outcome, "data-outcome", state);
      });
      await loadDoor();
    } catch (error) {
      setText(outcome, "");
      fill(problems, errorBox(explain(error)));
    }
    for (const button of buttons) button.disabled = false;
    draw();
  });
  if (may(context.session.role, "command")) fill(acts, buttons);
  else fill(acts, h("p", { class: "fact" }, `Your role is ${context.session.role}. Opening once and testing the lock need ${anyOf(rolesWith("command"))}.`));

  async function loadDoor() {
    const { events: recent, ...door } = await api.get(`/sites/${at.site}/doors/${at.door}`);
    if (store.site?.site !== site) return;
    store.applyDoors([door]);
    eventList.sync(recent);
    setText(noEvents, recent.length ? "" : "None recorded.");
  }

  let historyAt = -Infinity;
  async function loadHistory() {
    historyAt = clock.steady();
    const to = Math.ceil(clock.roughly() / RESOLUTION_MS) * RESOLUTION_MS;
    const query = { site, door: key, from_ms: to - DAY_MS, to_ms: to, resolution_ms: RESOLUTION_MS };
    try {
      const answer = await api.get("/history/doors", query);
      fill(day, historyStrip(answer.series.flatMap((/** @type {any} */ one) => one.points), query.from_ms, to, answer.resolution_ms));
    } catch (error) {
      fill(day, errorBox(explain(error)));
    }
  }

  const load = async () => {
    duress.refresh();
    store.setSite(await api.get(`/sites/${at.site}`));
    await loadDoor();
    void loadHistory();
  };
  const freshener = new Freshener(loadDoor, clock.steady);
  /** @type {string} what the events on show belong to */
  let eventsOf = "";

  function draw() {
    const door = store.doors.get(key);
    setText(school, store.site?.name ?? store.siteName(site));
    setText(heading, door?.name ?? key);
    if (!door) return;
    drawVerdict(door);
    drawHolds(door);
    duress.update(door);
    setText(alarms, alarmWords(door).map((words) => `Alarm: ${words}`).join(". "));
    show(alarms, door.alarms.length > 0);
    facts.set("Mode", modeSentence(door.mode) + (door.fire_released ? "; released by the fire alarm" : ""));
    facts.set("Door contact", door.evidence.contact ?? "no reading");
    facts.set("Bolt", door.evidence.bolt_fitted ? (door.evidence.bolt ?? "no reading") : "no bolt sensor fitted");
    facts.set("Lock", door.released ? "commanded released" : "commanded locked");
    facts.set("Zones", door.zones.join(", ") || "none");
    facts.set("Agent", door.agent);
    const grant = buttons[0];
    if (door.mode === "secured") grant.disabled = true;
    setText(grant, door.mode === "secured" ? `${actWord("grant")}: refused while secured` : actWord("grant"));
    show(buttons[2], inDuress(door) && may(context.session.role, "release"));
    const now = `${door.condition} ${door.mode} ${door.since_ms} ${door.alarms}`;
    if (eventsOf && eventsOf !== now) void loadDoor().catch(() => {});
    eventsOf = now;
  }

  /** @param {DoorView} door */
  function drawVerdict(door) {
    const shown = showDoor(door, store.link, clock.now());
    chip.update(shown);
    setText(sentence, (shown.lastKnown ? "When last heard: " : "") + conditionWords(shown.condition).sentence + (shown.doubt ? `: ${doubtWords(shown.doubt)}` : ""));
    facts.set("Evidence", shown.ageMs === null ? "none" : `${span(shown.ageMs)} old`);
    const since = door.since_ms === null ? "not known" : `${moment(door.since_ms, clock.roughly())} (${span(clock.roughly() - door.since_ms)})`;
    facts.set("In this condition since", isLive(store.link) ? since : `not known now; last known ${since}`);
  }

  /** @param {DoorView} door */
  function drawHolds(door) {
    show(holdsPart, door.declarations.length > 0);
    const items = door.declarations.map((id) => {
      const one = store.declarations.get(id);
      const words = one ? `${declarationName(one)}, ${scopeWords(one.scope, (name) => store.siteName(name))}` : `Declaration ${id}`;
      return h("li", {}, h("a", { href: hrefs.declaration(id) }, words));
    });
    if (holds.textContent !== items.map((item) => item.textContent).join("")) fill(holds, items);
  }

  return {
    element,
    title: () => `${heading.textContent} – Doorward`,
    watch: { site },
    scope: { kind: "site", site },
    load,
    update: draw,
    tick() {
      const door = store.doors.get(key);
      if (!door) return;
      drawVerdict(door);
      duress.update(door);
      if (!isLive(store.link)) return;
      void freshener.check(oldestProofMs([door], clock.now()), store.link.evidenceLastsMs);
      if (clock.steady() - historyAt > HISTORY_EVERY_MS && historyAt > 0) void loadHistory();
    },
  };
}

/** @param {(kind: string) => void} run @returns {HTMLButtonElement[]} open once, test lock, clear a duress alarm */
function makeActs(run) {
  return [
    h("button", { type: "button", class: "button", onclick: () => run("grant") }, actWord("grant")),
    h("button", { type: "button", class: "button", onclick: () => run("test_lock") }, actWord("test_lock")),
    h("button", { type: "button", class: "button", hidden: true, onclick: () => run("clear_duress") }, actWord("clear_duress")),
  ];
}

/** What is asked before a duress is called over. @param {string} door @param {string} what happened, and when */
const lookedAfter = (door, what) => ({
  title: `${door}: has somebody looked after the duress?`,
  text: `${what}. The alarm ends for everybody, and nothing else will call for help at this door.`,
  yes: "Yes, end the alarm",
  no: "No, keep the alarm",
});

/** @param {string[]} names */
function factList(names) {
  const values = new Map(names.map((name) => [name, h("dd")]));
  return {
    element: h("dl", { class: "facts" }, names.map((name) => h("div", {}, h("dt", {}, name), values.get(name)))),
    /** @param {string} name @param {string} value */
    set: (name, value) => setText(/** @type {any} */ (values.get(name)), value),
  };
}
