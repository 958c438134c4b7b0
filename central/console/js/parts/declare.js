/**
 * The one question of an emergency: what, where, drill or real. One confirm, and its button says all of it.
 *
 * REAL is the default. Somebody in a hurry who leaves it untouched locks the doors and needs a second person to
 * release: a cost. With drill as the default the same hurry would tell a school that a gunman is a drill, and let
 * one person open the doors again: a danger. On the district's page the default scope is all schools for the same
 * reason: a hasty confirm locks too much, never too little.
 */

import { explain } from "../central/api.js";
import { errorBox, field, fill, h, setAttribute, setText, show } from "./dom.js";
import { byName } from "../rules/order.js";
import { hrefs } from "../rules/router.js";
import { ACTIONS, actionWord } from "../messages/en.js";

/** @typedef {import("../central/types.js").Scope} Scope */

export class DeclareDialog {
  /**
   * @param {import("../central/api.js").Api} api
   * @param {import("../central/store.js").Store} store
   * @param {(path: string) => void} navigate
   */
  constructor(api, store, navigate) {
    this.api = api;
    this.store = store;
    this.navigate = navigate;
    this.paused = false;
    /** @type {string|null} school whose zones and doors are listed */
    this.listed = null;
    this.dialog = /** @type {HTMLDialogElement} */ (h("dialog", { class: "dialog declare", "aria-labelledby": "declare-title" }));
    this.build();
  }

  build() {
    this.heading = h("h2", { id: "declare-title", tabindex: "-1" }, "Declare an emergency");
    this.actions = h("div", { class: "choices" }, ACTIONS.map((one, i) =>
      choice("action", one.action, one.word, one.does, i === 0)));
    this.school = h("select", { id: "declare-school", onchange: () => void this.listParts() });
    this.part = h("select", { id: "declare-part" });
    this.reality = h("div", { class: "choices two" },
      choice("reality", "real", "REAL", "This is happening", true),
      choice("reality", "drill", "DRILL", "An exercise", false));
    this.reason = h("input", { id: "declare-reason", maxlength: "500", autocomplete: "off" });
    this.errors = h("div");
    this.confirm = h("button", { type: "submit", class: "button confirm" });
    this.partField = field("Which part", this.part);
    this.form = h("form", { method: "dialog", onsubmit: (/** @type {Event} */ event) => this.submit(event), oninput: () => this.say() },
      this.heading,
      h("fieldset", {}, h("legend", {}, "What"), this.actions),
      h("fieldset", { class: "where" }, h("legend", {}, "Where"),
        field("School", this.school), this.partField),
      h("fieldset", {}, h("legend", {}, "Real or drill"), this.reality),
      field("Reason (may stay empty)", this.reason),
      this.errors,
      h("div", { class: "dialog-end" }, this.confirm,
        h("button", { type: "button", class: "button", onclick: () => this.dialog.close() }, "Cancel, declare nothing")));
    this.dialog.append(this.form);
    document.body.append(this.dialog);
  }

  /** @param {Scope} [scope] what is meant on this page */
  open(scope = { kind: "district" }) {
    this.form.reset();
    fill(this.errors);
    this.listSchools(scope.site ?? "");
    void this.listParts(scope);
    this.busy(false);
    this.showNow();
  }

  showNow() {
    if (!this.dialog.open) this.dialog.showModal();
    this.heading.focus(); // not the confirm: a key held down must not declare
  }

  /** The session ended: keep what was chosen for after the sign-in. */
  pause() {
    this.paused = this.paused || this.dialog.open;
    this.dialog.close();
  }

  /** Signed in again. */
  resume() {
    if (!this.paused) return;
    this.paused = false;
    fill(this.errors, errorBox({ what: "Nothing has been declared yet: you had to sign in.", todo: "Confirm again." }));
    this.busy(false);
    this.showNow();
  }

  forget() {
    this.paused = false;
    this.dialog.close();
  }

  /** @param {string} chosen */
  listSchools(chosen) {
    const schools = byName(this.store.sites.values());
    fill(this.school,
      h("option", { value: "" }, schools.length ? `All ${schools.length} schools` : "All schools"),
      schools.map((site) => h("option", { value: site.site }, site.name)),
      chosen && !this.store.sites.has(chosen) && h("option", { value: chosen }, chosen));
    this.school.value = chosen;
  }

  /** Zones and doors of the chosen school. Without them, the whole school can still be declared. @param {Scope} [scope] */
  async listParts(scope) {
    const site = this.school.value;
    show(this.partField, site !== "");
    fill(this.part, h("option", { value: "" }, "Whole school"));
    this.listed = site;
    this.say();
    if (site === "") return;
    try {
      /** @type {import("../central/types.js").SiteView} */
      const known = this.store.site?.site === site ? this.store.site : await this.api.get(`/sites/${site}`);
      if (this.listed !== site) return;
      const doors = byName(known.doors);
      this.part.append(
        h("optgroup", { label: "One zone" }, known.zones.map((zone) =>
          h("option", { value: `zone:${zone}` }, `Zone ${zone}`))),
        h("optgroup", { label: "One door" }, doors.map((door) => h("option", { value: `door:${door.door}` }, door.name))));
      if (scope?.zone) this.part.value = `zone:${scope.zone}`;
      if (scope?.door) this.part.value = `door:${scope.door}`;
    } catch (error) {
      fill(this.errors, errorBox({ what: "The school's zones and doors could not be fetched.", todo: "The whole school can be declared." }));
    }
    this.say();
  }

  chosen() {
    const data = new FormData(this.form);
    const site = this.school.value;
    const [kind, name] = this.part.value.split(":");
    /** @type {Scope} */
    let scope = { kind: "district" };
    if (site) scope = kind ? { kind, site, [kind]: name } : { kind: "site", site };
    return {
      action: String(data.get("action")),
      scope,
      drill: data.get("reality") === "drill",
      reason: this.reason.value.trim(),
    };
  }

  /** The confirm button says all that it will do. */
  say() {
    const { action, drill } = this.chosen();
    const school = this.school.selectedOptions[0]?.textContent ?? "";
    const part = this.part.value ? `${this.part.selectedOptions[0]?.textContent}, ` : "";
    setAttribute(this.dialog, "data-drill", drill ? "true" : "false");
    setText(this.confirm, `${drill ? "Start DRILL" : "Declare REAL"} ${actionWord(action)}: ${part}${school}`);
  }

  /** @param {boolean} busy */
  busy(busy) {
    this.confirm.disabled = busy;
    if (busy) setText(this.confirm, "Declaring…");
    else this.say();
  }

  /** @param {Event} event */
  async submit(event) {
    event.preventDefault();
    if (this.confirm.disabled) return;
    this.busy(true);
    fill(this.errors);
    try {
      const made = await this.api.post("/declarations", this.chosen());
      this.dialog.close();
      this.store.applyDeclaration(made);
      this.navigate(hrefs.declaration(made.id));
    } catch (error) {
      const { what, todo } = explain(error);
      fill(this.errors, errorBox({
        what: `Not confirmed. ${what}`,
        todo: `${todo} To declare the same twice does no harm.`,
      }));
      this.busy(false);
    }
  }
}

/** @param {string} name @param {string} value @param {string} word @param {string} does @param {boolean} chosen */
function choice(name, value, word, does, chosen) {
  return h("label", { class: "choice", "data-value": value },
    h("input", { type: "radio", name, value, checked: chosen }),
    h("span", { class: "choice-word" }, word), h("span", { class: "choice-does" }, does));
}
