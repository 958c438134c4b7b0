/**
 * What comes first: conditions, doors, agents, schools, declarations, and what needs a person at all. Pure. By what
 * central said last, not by what may be shown, so that a lost stream does not shuffle the page.
 */

import { groupOf } from "./truth.js";

/** @typedef {import("../central/types.js").AgentView} AgentView */
/** @typedef {import("../central/types.js").DeclarationView} DeclarationView */
/** @typedef {import("../central/types.js").DoorView} DoorView */
/** @typedef {import("../central/types.js").SiteSummary} SiteSummary */

/** From worst to best. */
export const CONDITIONS = ["forced", "tampered", "jammed", "held", "open", "unlatched", "unknown", "secure"];
/** Those that need a person, whatever the schedule says. */
export const TROUBLE = ["forced", "tampered", "jammed", "held"];

/** One that this version does not know stands and is drawn as unknown. @param {string} condition */
export const knownCondition = (condition) => (CONDITIONS.includes(condition) ? condition : "unknown");

/** How wrong a door is: lower comes first; below 20 it needs somebody. @param {DoorView} door */
function wrongness(door) {
  const rank = CONDITIONS.indexOf(knownCondition(door.condition));
  if (inDuress(door)) return -1; // whatever its sensors say: somebody was made to open it
  if (groupOf(door.condition) === "proven") return door.alarms.length ? 10 : 100;
  const passing = door.condition === "open" || door.condition === "unlatched";
  if (passing && door.mode === "unlocked") return 50 + rank; // as its schedule wants it
  if (passing && door.mode === "controlled" && door.alarms.length === 0) return 20 + rank; // somebody passes
  return rank;
}

/** Whether somebody was made to open it and nobody has looked after it yet. @param {DoorView} door */
export const inDuress = (door) => door.alarms.includes("duress");

/** Whether somebody should go there, or find out. @param {DoorView} door */
const doorNeedsSomebody = (door) => wrongness(door) < 20;

/** Whether somebody should look after it. @param {AgentView} agent */
export const agentNeedsSomebody = (agent) => !agent.alive || Boolean(agent.alarms?.length);

/** @template {{name: string}} T @param {Iterable<T>} named */
export const byName = (named) => [...named].sort((a, b) => a.name.localeCompare(b.name));

/** Silent ones first. @param {Iterable<AgentView>} agents */
export const agentsInOrder = (agents) =>
  [...agents].sort((a, b) => Number(a.alive) - Number(b.alive) || a.agent.localeCompare(b.agent));

/** @param {Iterable<DeclarationView>} declarations */
export const latestFirst = (declarations) => [...declarations].sort((a, b) => b.at_ms - a.at_ms);

/** Real ones first, then the latest. @param {Iterable<DeclarationView>} declarations */
export const realFirst = (declarations) => latestFirst(declarations).sort((a, b) => Number(a.drill) - Number(b.drill));

/** The worst first; within that, by name. @param {Iterable<SiteSummary>} sites */
export const sitesInOrder = (sites) =>
  byName(sites).map((site) => ({ site, urgency: urgency(site) })).sort((a, b) => a.urgency - b.urgency).map(({ site }) => site);

/** @param {SiteSummary} site */
function urgency(site) {
  if (site.fire || site.duress) return 0;
  if (TROUBLE.some((condition) => site.conditions[condition])) return 1;
  if (site.alarms > 0) return 2;
  if (site.declarations.length > 0) return 3;
  return site.agents_alive < site.agents || site.conditions.unknown ? 4 : 5;
}

/**
 * The doors and agents of a school in the order in which to look at them: what needs somebody, then zone by zone. A
 * door in several zones stands in its first, one in none in the zone "".
 * @param {Iterable<DoorView>} doors @param {AgentView[]} agents
 * @returns {{first: {doors: DoorView[], agents: AgentView[]}, zones: [string, DoorView[]][]}}
 */
export function schoolInOrder(doors, agents) {
  const ordered = byName(doors).map((door) => ({ door, wrong: wrongness(door) })).sort((a, b) => a.wrong - b.wrong).map(({ door }) => door);
  /** @type {Map<string, DoorView[]>} */
  const zones = new Map();
  for (const door of ordered.filter((one) => !doorNeedsSomebody(one))) {
    const zone = door.zones[0] ?? "";
    zones.set(zone, [...(zones.get(zone) ?? []), door]);
  }
  return {
    first: { doors: ordered.filter(doorNeedsSomebody), agents: agentsInOrder(agents.filter(agentNeedsSomebody)) },
    zones: [...zones].sort(([a], [b]) => a.localeCompare(b)),
  };
}

const GRAVE = ["alarm_raised", "panic_pressed", "fire_started", "events_dropped", "duress", "pin_guessing"];

/** Whether an event needs a person; an alarm that was grouped with others does not.
 * @param {{kind: string, data?: Record<string, any>|null}} event */
export const isGrave = (event) => GRAVE.includes(event.kind) && !event.data?.grouped;
