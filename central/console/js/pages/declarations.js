/** Every declaration, active ones first, then the latest. */

import { h, setText, show } from "../parts/dom.js";
import { declarationCard } from "../parts/declaration_card.js";
import { KeyedList } from "../parts/keyed_list.js";
import { latestFirst } from "../rules/order.js";

/** @typedef {import("../central/types.js").DeclarationView} DeclarationView */

const LIMIT = 100;

/** @param {import("../central/types.js").Context} context @returns {import("../central/types.js").Page} */
export function declarationsPage(context) {
  const { store } = context;
  const makeList = () => {
    const element = h("div", { class: "cards" });
    return { element, list: new KeyedList(element, (/** @type {DeclarationView} */ one) => one.id, () => declarationCard(context)) };
  };
  const active = makeList();
  const past = makeList();
  const calm = h("p", { class: "fact" }, "Nothing is declared.");
  const none = h("p", { class: "fact" }, "Fetching…");
  const element = h("div", { class: "page" }, h("h1", {}, "Declarations"),
    h("section", { "aria-labelledby": "active" }, h("h2", { id: "active" }, "Active"), active.element, calm),
    h("section", { "aria-labelledby": "past" }, h("h2", { id: "past" }, "Ended"), past.element, none));
  /** @type {DeclarationView[]} */
  let ended = [];
  let activeIds = "";

  async function loadPast() {
    ended = await context.api.get("/declarations", { active: false, limit: LIMIT });
    ended = ended.filter((one) => one.state === "ended");
    setText(none, ended.length === 0 ? "None yet." : ended.length >= LIMIT ? `The latest ${LIMIT}; older ones are in the events.` : "");
    draw();
  }

  function draw() {
    const now = latestFirst(store.declarations.values());
    active.list.sync(now);
    show(calm, now.length === 0);
    past.list.sync(latestFirst(ended));
    const ids = now.map((one) => one.id).sort().join();
    if (activeIds && ids !== activeIds) void loadPast().catch(() => {});
    activeIds = ids;
  }

  return { element, title: () => "Declarations – Doorward", watch: {}, scope: { kind: "district" }, load: loadPast, update: draw };
}
