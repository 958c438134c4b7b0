/** One agent in words: heard or silent, its alarms, what waits in it. As a line of its list, and as a row that must be seen. */

import { h, setAttribute, setText, show } from "./dom.js";
import { counted, span } from "../messages/format.js";
import { agentNeedsSomebody } from "../rules/order.js";
import { isLive } from "../rules/truth.js";
import { alarmWord } from "../messages/en.js";

/** @typedef {import("../central/types.js").AgentView} AgentView */

/** @param {AgentView} agent @param {import("../central/types.js").Context} context */
function heardWords(agent, { store, clock }) {
  if (!isLive(store.link)) return "not known now";
  if (agent.alive) return "heard";
  return `SILENT, ${agent.heard_ms === null ? "never heard" : `last heard ${span(clock.roughly() - agent.heard_ms)} ago`}`;
}

/** @param {AgentView} agent @param {boolean} live */
const alarmsOf = (agent, live) =>
  (agent.alarms ?? []).map((alarm) => `${live ? "Alarm" : "Last known alarm"}: ${alarmWord(alarm)}`);

/** @param {import("../central/types.js").Context} context */
export function agentLine(context) {
  const element = h("li");
  const line = {
    element,
    /** @type {AgentView|null} */
    agent: null,
    /** @param {AgentView} agent */
    update(agent) {
      line.agent = agent;
      const live = isLive(context.store.link);
      const parts = [heardWords(agent, context)];
      if (agent.fire) parts.push("FIRE input active");
      parts.push(...alarmsOf(agent, live));
      if (agent.outbox?.depth) parts.push(`${counted(agent.outbox.depth, "event")} waiting`);
      if (agent.outbox?.dropped) parts.push(`${counted(agent.outbox.dropped, "event")} lost`);
      if (agent.config_wanted !== null && agent.config_version !== agent.config_wanted) parts.push("configuration not up to date");
      setAttribute(element, "data-grave", live && agentNeedsSomebody(agent));
      setText(element, `${agent.agent}: ${parts.join(", ")}`);
    },
  };
  return line;
}

/** @param {import("../central/types.js").Context} context */
export function agentRow(context) {
  const name = h("strong", { class: "door-name" });
  const heard = h("span", { class: "row-detail" });
  const alarms = h("span", { class: "alarms" });
  const element = h("div", { class: "row" }, name, heard, alarms);
  return {
    element,
    /** @param {AgentView} agent */
    update(agent) {
      setAttribute(element, "data-agent", agent.agent);
      setText(name, `Agent ${agent.agent}`);
      setText(heard, heardWords(agent, context));
      setText(alarms, alarmsOf(agent, isLive(context.store.link)).join(". "));
      show(alarms, alarms.textContent !== "");
    },
  };
}
