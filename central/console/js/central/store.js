/**
 * What this page knows, as central last said it: schools, the doors of the school on show, active declarations,
 * the doors of the declaration on show. Collects what changed and tells the page once a frame. Judges nothing:
 * whether a thing may be shown is for rules/truth.js.
 */

/** @typedef {import("./types.js").SiteSummary} SiteSummary */
/** @typedef {import("./types.js").DoorView} DoorView */
/** @typedef {import("./types.js").DeclarationView} DeclarationView */
/** @typedef {import("./types.js").ClosureRowView} ClosureRowView */
/** @typedef {import("./types.js").EventView} EventView */

/**
 * @typedef {object} Changes what to look at again; a `true` in `all` means everything
 * @property {boolean} all
 * @property {boolean} overview
 * @property {boolean} declarations
 * @property {boolean} events
 * @property {Set<string>} doors names, of the school on show
 * @property {Set<string>} rows keys, of the declaration on show
 */

const EVENTS_KEPT = 30;

/** @param {{site: string, door: string}} row */
export const rowKey = (row) => `${row.site}/${row.door}`;

export class Store {
  /** @param {(changes: Changes) => void} onChange once a frame */
  constructor(onChange) {
    this.onChange = onChange;
    this.district = "";
    /** @type {{doors: number, proven: number, conditions: Record<string, number>, agents: number, agents_alive: number}|null} */
    this.totals = null;
    /** @type {Map<string, SiteSummary>} */
    this.sites = new Map();
    /** @type {Map<string, DeclarationView>} active ones, of the whole district */
    this.declarations = new Map();
    /** @type {import("./types.js").SiteView|null} */
    this.site = null;
    /** @type {Map<string, DoorView>} of the school on show */
    this.doors = new Map();
    /** @type {DeclarationView|null} the one on show, active or not */
    this.declaration = null;
    /** @type {Map<string, ClosureRowView>} of the declaration on show */
    this.rows = new Map();
    /** @type {EventView[]} newest first */
    this.events = [];
    /** @type {import("../rules/truth.js").Link} */
    this.link = { state: "connecting", sinceMs: null };
    /** @type {Changes|null} */
    this.changes = null;
  }

  /** A school's name, or its key while the overview is not here. @param {string} site */
  siteName(site) {
    return this.sites.get(site)?.name ?? site;
  }

  /** The page changes: forget what belongs to the one before. */
  leave() {
    this.site = null;
    this.doors = new Map();
    this.declaration = null;
    this.rows = new Map();
  }

  /** @param {import("../rules/truth.js").Link} link */
  setLink(link) {
    this.link = link;
    this.changed().all = true;
  }

  /** @param {any} overview the whole of GET /api/overview */
  setOverview(overview) {
    this.district = overview.district;
    this.totals = overview.totals;
    this.sites = new Map(overview.sites.map((/** @type {SiteSummary} */ site) => [site.site, site]));
    this.declarations = new Map(overview.declarations.map((/** @type {DeclarationView} */ one) => [one.id, one]));
    this.changed().all = true;
  }

  /** @param {import("./types.js").SiteView} site */
  setSite(site) {
    this.site = site;
    this.doors = new Map(site.doors.map((door) => [door.door, door]));
    this.changed().all = true;
  }

  /** @param {DeclarationView & {doors: ClosureRowView[]}} declaration */
  setDeclaration(declaration) {
    const { doors, ...view } = declaration;
    this.declaration = view;
    this.rows = new Map(doors.map((row) => [rowKey(row), row]));
    this.changed().all = true;
  }

  /** One message of the stream. @param {string} kind @param {any} data */
  apply(kind, data) {
    if (kind === "overview") this.applySummaries(data);
    else if (kind === "doors") this.applyDoors(data);
    else if (kind === "declaration") this.applyDeclaration(data);
    else if (kind === "closure") this.applyRows(data);
    else if (kind === "event") this.applyEvent(data);
  }

  /** @param {{sites?: SiteSummary[], totals?: any}} data */
  applySummaries({ sites = [], totals }) {
    for (const site of sites) this.sites.set(site.site, site);
    if (totals) this.totals = totals;
    this.changed().overview = true;
  }

  /** @param {DoorView[]} doors */
  applyDoors(doors) {
    for (const door of doors) {
      if (this.site?.site !== door.site) continue;
      this.doors.set(door.door, door);
      this.changed().doors.add(door.door);
    }
  }

  /** @param {DeclarationView} view */
  applyDeclaration(view) {
    if (view.state === "ended") this.declarations.delete(view.id);
    else this.declarations.set(view.id, view);
    if (this.declaration?.id === view.id) this.declaration = view;
    this.changed().declarations = true;
  }

  /** @param {{id: string, doors: ClosureRowView[]}} closure */
  applyRows({ id, doors }) {
    if (id !== this.declaration?.id) return;
    for (const row of doors) {
      this.rows.set(rowKey(row), row);
      this.changed().rows.add(rowKey(row));
    }
  }

  /** @param {EventView} event */
  applyEvent(event) {
    this.events = [event, ...this.events.filter((one) => one.id !== event.id)].slice(0, EVENTS_KEPT);
    this.changed().events = true;
  }

  /** The changes of this frame, to be added to. */
  changed() {
    if (this.changes === null) {
      this.changes = {
        all: false, overview: false, declarations: false, events: false, doors: new Set(), rows: new Set(),
      };
      requestAnimationFrame(() => {
        const changes = /** @type {Changes} */ (this.changes);
        this.changes = null;
        this.onChange(changes);
      });
    }
    return this.changes;
  }
}
