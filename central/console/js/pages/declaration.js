/**
 * One declaration: real or drill, who and when, and door by door whether it is proven. Counts live; ends with
 * two people, or one for a drill.
 */

import { explain } from "../central/api.js";
import { confirmAct } from "../parts/confirm.js";
import { errorBox, fill, h, setAttribute, setText, show } from "../parts/dom.js";
import { DoorSections } from "../parts/declaration_doors.js";
import { moment, span, took } from "../messages/format.js";
import { Freshener } from "../central/freshen.js";
import { hrefs } from "../rules/router.js";
import { tiles } from "../parts/tiles.js";
import { releaseStep, rolesWith } from "../rules/rights.js";
import { isLive, oldestProofMs, showRow } from "../rules/truth.js";
import { anyOf, closureWords, declarationName, doubtWords, scopeWords } from "../messages/en.js";

/** @typedef {import("../central/types.js").DeclarationView} DeclarationView */

/** Above this, evidence ages are left to central, which sweeps every second; the stream must still be live. */
const ROWS_FRESHENED = 600;
const SAY_EVERY_MS = 5_000;
/** So long before the oldest proof expires, and from then on, the doors are drawn at every tick. */
const REDRAW_MS = 1_000;
const COUNTS = [
  { key: "proven", word: "Proven", icon: "secure", group: "proven" },
  { key: "pending", word: "Pending", icon: "held", group: "unknown" },
  { key: "failed", word: "Cannot be secured", icon: "jammed", group: "failed" },
];

/** @param {import("../central/types.js").Context} context @param {import("../rules/router.js").Route} route @returns {import("../central/types.js").Page} */
export function declarationPage(context, route) {
  const { store, clock, api } = context;
  const { id } = route.params;
  const path = `/declarations/${encodeURIComponent(id)}`;
  const siteName = (/** @type {string} */ site) => store.siteName(site);
  const heading = h("h1", {}, "Declaration");
  const where = h("p", { class: "declared-where" });
  const state = h("p", { class: "declared-state" });
  const who = h("p");
  const head = h("div", { class: "declared" }, heading, where, state, who);
  const counts = tiles("Doors of this declaration", COUNTS);
  const closure = h("p", { class: "sentence" });
  const sections = new DoorSections(context);
  const release = h("section", { class: "release", "aria-label": "Release" });
  const problems = h("div");
  const element = h("div", { class: "page" },
    h("p", { class: "crumbs" }, h("a", { href: hrefs.declarations() }, "All declarations")),
    head, counts.element, closure, sections.trouble, release, problems, sections.rest);
  let releaseOf = "";
  let saidAt = -Infinity;

  const load = async () => store.setDeclaration(await api.get(path));
  const freshener = new Freshener(load, clock.steady);
  const ageMatters = () => store.rows.size <= ROWS_FRESHENED;

  function draw() {
    const one = store.declaration;
    if (one === null) return;
    setAttribute(head, "data-drill", one.drill ? "true" : "false");
    setAttribute(head, "data-state", one.state);
    setText(heading, declarationName(one));
    setText(where, scopeWords(one.scope, siteName));
    setText(who, `Declared ${moment(one.at_ms, clock.roughly())} by ${one.by}${one.reason ? `. Reason: ${one.reason}` : ""}`);
    drawRelease(one);
    drawDoors(one);
  }

  /** @param {DeclarationView} one */
  function drawDoors(one) {
    const ended = one.state === "ended";
    const now = clock.now();
    const judged = [...store.rows.values()].map((row) => {
      if (ended) return { row, state: row.state, why: row.why ?? "" };
      const fresh = ageMatters() ? row : { ...row, evidence_at_ms: now };
      const { state: how, doubt } = showRow(fresh, store.link, now);
      return { row, state: how, why: doubt ? doubtWords(doubt) : row.why || "no proof yet" };
    });
    const tally = { proven: 0, pending: 0, failed: 0, unknown: 0 };
    for (const { state: how } of judged) tally[how] += 1;
    const counted = judged.length || ended ? tally : { ...one.closure, unknown: 0 };
    const live = isLive(store.link) || ended;
    const { proven, pending, failed } = one.closure;
    counts.update(ended && judged.length === 0 ? { proven, pending, failed } : live
      ? { proven: counted.proven, pending: counted.pending + counted.unknown, failed: counted.failed }
      : { proven: "?", pending: "?", failed: "?" });
    show(counts.element, one.closure.doors > 0);
    setText(closure, closureSentence(one, live, tally.unknown));
    sections.update(judged, one.scope.kind === "district");
    drawState(one);
    sayProgress(one, live);
  }

  /** @param {DeclarationView} one */
  function drawState(one) {
    const lasted = span((one.ended_at_ms ?? clock.roughly()) - one.at_ms);
    if (one.state === "ended") setText(state, `ENDED ${moment(one.ended_at_ms ?? 0, clock.roughly())} by ${one.ended_by ?? "somebody"}, after ${lasted}`);
    else setText(state, `ACTIVE for ${lasted}`);
  }

  /** Not every count: a screen reader would never come to an end. @param {DeclarationView} one @param {boolean} live */
  function sayProgress(one, live) {
    if (clock.steady() - saidAt < SAY_EVERY_MS) return;
    saidAt = clock.steady();
    context.announcer.say(closureWords(one, live));
  }

  /** @param {DeclarationView} one */
  function drawRelease(one) {
    const now = JSON.stringify([one.state, one.release_requested_by, one.drill, one.action, one.scope]);
    if (now === releaseOf) return;
    releaseOf = now;
    fill(release, ...releaseParts(one, context, act));
    show(release, one.state !== "ended");
  }

  /** @param {"post"|"delete"} method @param {Parameters<typeof confirmAct>[0]|null} question */
  async function act(method, question) {
    if (question !== null && !(await confirmAct(question))) return;
    fill(problems);
    try {
      store.applyDeclaration(await api[method](`${path}/release`));
    } catch (error) {
      fill(problems, errorBox(explain(error)));
    }
    await load().catch(() => {});
  }

  return {
    element,
    title: () => `${store.declaration ? declarationName(store.declaration) : "Declaration"} – Doorward`,
    watch: { declaration: id },
    scope: { kind: "district" },
    load,
    update: (changes) => {
      if (changes.all || changes.declarations || changes.overview) draw();
      else if (changes.rows.size && store.declaration) drawDoors(store.declaration);
    },
    tick() {
      const one = store.declaration;
      if (one === null || one.state === "ended") return;
      drawState(one);
      if (!isLive(store.link) || !ageMatters()) return;
      const oldest = oldestProofMs(store.rows.values(), clock.now());
      const lastsMs = store.link.evidenceLastsMs;
      void freshener.check(oldest, lastsMs);
      if (oldest !== null && oldest > lastsMs - REDRAW_MS) drawDoors(one);
    },
  };
}

/** @param {DeclarationView} one @param {boolean} live @param {number} stale */
function closureSentence(one, live, stale) {
  const { doors, proven, slowest_ms: slowest } = one.closure;
  if (live && doors > 0 && proven === doors && slowest !== null && stale === 0) {
    return one.state === "ended" ? `All ${doors} doors were proven; the slowest took ${took(slowest)}.` : `All ${doors} doors are proven; the slowest took ${took(slowest)}.`;
  }
  return `${closureWords(one, live)}.${stale ? ` The proof of ${stale} is too old.` : ""}`;
}

/**
 * What this person can do about the release, or why not.
 * @param {DeclarationView} one
 * @param {import("../central/types.js").Context} context
 * @param {(method: "post"|"delete", question: Parameters<typeof confirmAct>[0]|null) => void} act
 * @returns {Node[]}
 */
function releaseParts(one, { session, store }, act) {
  const title = h("h2", {}, "Release");
  const step = releaseStep(one, session);
  if (step === "nothing") {
    return [title, h("p", { class: "fact" }, `Your role is ${session.role}. Releasing needs ${anyOf(rolesWith("release"))}.`)];
  }
  const name = declarationName(one);
  const where = scopeWords(one.scope, (site) => store.siteName(site));
  const end = {
    title: `End ${name}?`,
    text: `${where}: every door that nothing else holds returns to its schedule now. Some may unlock.`,
    yes: `End ${name}`,
    no: "Keep it active",
  };
  const button = (/** @type {string} */ words, /** @type {"post"|"delete"} */ method, /** @type {typeof end|null} */ question, strong = false) =>
    h("button", { type: "button", class: strong ? "button strong" : "button", onclick: () => act(method, question) }, words);
  if (step === "end_drill") return [title, h("p", {}, "A drill is ended by one person."), button("End the drill", "post", end, true)];
  if (step === "ask") {
    return [title, h("p", {}, "Two different people end a real declaration: one asks, another one ends it."),
      button("Ask for release", "post", null)];
  }
  const withdraw = button("Withdraw the request", "delete", null);
  if (step === "wait") {
    return [title, h("p", { class: "sentence" }, "You asked for release. Somebody else must end it."), withdraw];
  }
  return [title, h("p", { class: "sentence" }, `${one.release_requested_by} asked for release. You are the second person.`),
    button(`End ${name}`, "post", end, true), withdraw];
}
