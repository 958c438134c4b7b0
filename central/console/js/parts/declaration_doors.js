/**
 * The doors of a declaration by name: first those that cannot be secured, with the reason; then the pending; then
 * the proven, each with its time. Shows some hundred at a time, so that a whole district does not freeze a phone.
 */

import { h, icon, setAttribute, setText, show } from "./dom.js";
import { took } from "../messages/format.js";
import { KeyedList } from "./keyed_list.js";
import { hrefs } from "../rules/router.js";
import { rowKey } from "../central/store.js";

/** @typedef {import("../central/types.js").ClosureRowView} ClosureRowView */
/** @typedef {{row: ClosureRowView, state: string, why: string}} Judged */

const ROWS_AT_ONCE = 150;
const SECTIONS = [
  { state: "failed", word: "Cannot be secured", icon: "jammed", group: "failed" },
  { state: "unknown", word: "Not known now", icon: "unknown", group: "unknown" },
  { state: "pending", word: "Pending", icon: "held", group: "unknown" },
  { state: "proven", word: "Proven", icon: "secure", group: "proven" },
];

export class DoorSections {
  /** @param {import("../central/types.js").Context} context */
  constructor(context) {
    this.sections = SECTIONS.map((kind) => new Section(context, kind, () => this.draw()));
    this.filter = h("input", { type: "search", id: "find-door", autocomplete: "off", oninput: () => this.draw() });
    this.none = h("p", { class: "fact" });
    this.head = h("div", { class: "find" }, h("label", { for: "find-door" }, "Find a door"), this.filter);
    const [failed, unknown, ...rest] = this.sections.map((section) => section.element);
    this.trouble = h("div", { class: "door-sections" }, failed, unknown);
    this.rest = h("div", { class: "door-sections" }, this.head, this.none, rest);
    /** @type {Judged[]} */
    this.judged = [];
    this.withSchool = false;
  }

  /** @param {Judged[]} judged @param {boolean} withSchool whether a line says its school */
  update(judged, withSchool) {
    this.judged = judged;
    this.withSchool = withSchool;
    this.draw();
  }

  draw() {
    const wanted = this.filter.value.trim().toLowerCase();
    const shown = wanted ? this.judged.filter(({ row }) => `${row.name} ${row.site}`.toLowerCase().includes(wanted)) : this.judged;
    show(this.head, this.judged.length > 12);
    setText(this.none, wanted && shown.length === 0 ? `No door's name contains “${this.filter.value}”.` : "");
    /** @type {Map<string, Judged[]>} in central's own order: sorting a district at every change would cost more than it tells */
    const byState = new Map(SECTIONS.map((kind) => [kind.state, []]));
    for (const one of shown) byState.get(one.state)?.push(one);
    for (const section of this.sections) section.update(byState.get(section.kind.state) ?? [], this.withSchool);
  }
}

class Section {
  /** @param {import("../central/types.js").Context} context @param {typeof SECTIONS[number]} kind @param {() => void} redraw */
  constructor(context, kind, redraw) {
    this.kind = kind;
    this.limit = ROWS_AT_ONCE;
    this.title = h("h2");
    const rows = h("div", { class: "rows" });
    /** @type {KeyedList<Judged & {school: boolean}>} */
    this.list = new KeyedList(rows, ({ row }) => rowKey(row), () => closureRow(context, kind));
    this.more = h("button", { type: "button", class: "button", onclick: () => ((this.limit += ROWS_AT_ONCE), redraw()) });
    this.element = h("section", { "data-section": kind.state }, this.title, rows, this.more);
  }

  /** @param {Judged[]} judged of this state @param {boolean} school whether a line says its school */
  update(judged, school) {
    const some = judged.slice(0, this.limit);
    show(this.element, judged.length > 0);
    setText(this.title, `${this.kind.word}: ${judged.length.toLocaleString()}`);
    this.list.sync(some.map((one) => ({ ...one, school })));
    show(this.more, judged.length > some.length);
    setText(this.more, `Show ${Math.min(ROWS_AT_ONCE, judged.length - some.length)} more of ${(judged.length - some.length).toLocaleString()}`);
  }
}

/** @param {import("../central/types.js").Context} context @param {{icon: string, group: string, word: string}} kind */
function closureRow(context, kind) {
  const name = h("strong", { class: "door-name" });
  const detail = h("span", { class: "row-detail" });
  const element = h("a", { class: "row closure-row" },
    h("span", { class: "chip", "data-group": kind.group }, icon(kind.icon), h("span", { class: "unseen" }, kind.word)), name, detail);
  return {
    element,
    /** @param {Judged & {school: boolean}} judged */
    update({ row, state, why, school }) {
      setAttribute(element, "href", hrefs.door(row.site, row.door));
      setAttribute(element, "data-door", rowKey(row));
      setText(name, school ? `${row.name}, ${context.store.siteName(row.site)}` : row.name);
      setText(detail, state === "proven" ? `proven after ${took(row.proven_ms ?? 0)}` : why);
    },
  };
}
