/** One school: what is wrong first, then its doors by zone; its agents. */

import { h, setAttribute, setText, show } from "../parts/dom.js";
import { agentLine, agentRow } from "../parts/agent_row.js";
import { doorRow } from "../parts/door_row.js";
import { counted } from "../messages/format.js";
import { Freshener } from "../central/freshen.js";
import { KeyedList } from "../parts/keyed_list.js";
import { hrefs } from "../rules/router.js";
import { tiles } from "../parts/tiles.js";
import { agentsInOrder, inDuress, schoolInOrder } from "../rules/order.js";
import { groupOf, isLive, oldestProofMs, showDoor } from "../rules/truth.js";

/** @typedef {import("../central/types.js").DoorView} DoorView */
/** @typedef {ReturnType<typeof doorRow>} DoorLine */

/** @param {import("../central/types.js").Context} context @param {import("../rules/router.js").Route} route @returns {import("../central/types.js").Page} */
export function sitePage(context, route) {
  const { store, clock } = context;
  const { site } = route.params;
  const heading = h("h1");
  const total = tiles("Doors of the school");
  const agents = h("ul", { class: "lines agents" });
  const agentList = new KeyedList(agents, (/** @type {import("../central/types.js").AgentView} */ agent) => agent.agent, () => agentLine(context));
  const wait = h("p", { class: "fact" }, "Fetching the doors…");
  const groups = h("div");
  /** @type {Map<string, DoorLine>} every line on show, by door */
  const lines = new Map();
  const groupList = new KeyedList(groups, (/** @type {ZoneGroup} */ group) => group.key, () => zoneGroup(lines, context));
  const element = h("div", { class: "page" },
    h("p", { class: "crumbs" }, h("a", { href: hrefs.district() }, "All schools")),
    heading, total.element, wait, groups,
    h("section", { "aria-labelledby": "agents" }, h("h2", { id: "agents" }, "Agents"), agents),
    h("p", {}, h("a", { class: "button", href: hrefs.events({ site }) }, "Events of this school")));
  const load = async () => store.setSite(await context.api.get(`/sites/${encodeURIComponent(site)}`));
  const freshener = new Freshener(load, clock.steady);
  let heardOf = "";

  function draw() {
    setText(heading, store.site?.name ?? store.siteName(site));
    if (store.site === null) return;
    show(wait, false);
    agentList.sync(agentsInOrder(store.site.agents));
    drawGroups();
    drawTotal();
  }

  const drawGroups = () => groupList.sync(zoneGroups(store.doors.values(), store.site?.agents ?? []));

  function drawTotal() {
    const counts = { proven: 0, open: 0, unknown: 0 };
    const now = clock.now();
    for (const door of store.doors.values()) counts[groupOf(showDoor(door, store.link, now).condition)] += 1;
    total.update(counts);
  }

  /** The stream tells how many agents are heard, not which, and little of their alarms: ask again when that changes. */
  function followAgents() {
    const summary = store.sites.get(site);
    const now = summary ? JSON.stringify([summary.agents_alive, summary.fire, summary.agent_alarms]) : heardOf;
    if (heardOf && now !== heardOf) void load().catch(() => {});
    heardOf = now;
  }

  return {
    element,
    title: () => `${store.site?.name ?? site} – Doorward`,
    watch: { site },
    scope: { kind: "site", site },
    load,
    update: (changes) => {
      if (changes.all || changes.overview) followAgents();
      draw();
    },
    tick() {
      if (store.site === null) return;
      for (const line of lines.values()) line.tick();
      for (const one of groupList.rows.values()) /** @type {ReturnType<typeof zoneGroup>} */ (one).tick();
      drawTotal();
      agentList.sync([...agentList.rows.values()].map((row) => /** @type {any} */ (row).agent));
      if (isLive(store.link)) void freshener.check(oldestProofMs(store.doors.values(), clock.now()), store.link.evidenceLastsMs);
    },
  };
}

/** @typedef {import("../central/types.js").AgentView} AgentView */
/** @typedef {{key: string, title: string, agents: AgentView[], doors: DoorView[]}} ZoneGroup */

/** What is wrong first, then zone by zone. @param {Iterable<DoorView>} doors @param {AgentView[]} agents @returns {ZoneGroup[]} */
function zoneGroups(doors, agents) {
  const { first, zones } = schoolInOrder(doors, agents);
  const counts = [first.agents.length && counted(first.agents.length, "agent"), first.doors.length && counted(first.doors.length, "door")];
  const title = `Look at these first: ${counts.filter(Boolean).join(", ")}`;
  return [
    ...(counts.some(Boolean) ? [{ key: "!", title, ...first }] : []),
    ...zones.map(([zone, members]) => ({ key: `z${zone}`, title: zone === "" ? "In no zone" : `Zone ${zone}`, agents: [], doors: members })),
  ];
}

/** @param {Map<string, DoorLine>} lines @param {import("../central/types.js").Context} context */
function zoneGroup(lines, context) {
  const title = h("h2");
  const doors = () => {
    const rows = h("div", { class: "rows" });
    /** @type {KeyedList<DoorView>} */
    const list = new KeyedList(rows, (door) => door.door, (door) => {
      const line = doorRow(context);
      lines.set(door.door, line);
      return line;
    });
    return { rows, list };
  };
  // A door in duress stands before everything; an agent before the other doors: it may be the cause of many.
  const duress = doors();
  const others = doors();
  const agents = h("div", { class: "rows" });
  const agentList = new KeyedList(agents, (/** @type {AgentView} */ agent) => agent.agent, () => agentRow(context));
  const element = h("section", { class: "zone" }, title, duress.rows, agents, others.rows);
  /** @type {AgentView[]} */
  let shown = [];
  return {
    element,
    tick: () => agentList.sync(shown),
    /** @param {ZoneGroup} group */
    update(group) {
      setText(title, group.title);
      setAttribute(element, "data-wrong", group.key === "!");
      shown = group.agents;
      agentList.sync(shown);
      show(agents, shown.length > 0);
      const first = group.doors.filter(inDuress);
      duress.list.sync(first);
      show(duress.rows, first.length > 0);
      others.list.sync(group.doors.filter((door) => !inDuress(door)));
    },
  };
}
