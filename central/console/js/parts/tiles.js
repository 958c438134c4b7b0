/** The three numbers: proven secure, not secure, unknown. Each with its sign and its word. */

import { h, icon, setAttribute, setText } from "./dom.js";

const TILES = [
  { key: "proven", word: "Proven secure", icon: "secure", group: "proven" },
  { key: "open", word: "Not secure", icon: "open", group: "open" },
  { key: "unknown", word: "Unknown", icon: "unknown", group: "unknown" },
];

/** @param {string} label what is counted @param {{key: string, word: string, icon: string, group: string}[]} [kinds] */
export function tiles(label, kinds = TILES) {
  const parts = kinds.map((kind) => {
    const number = h("span", { class: "tile-number" }, "–");
    const top = h("span", { class: "tile-top" }, number, icon(kind.icon));
    const element = h("div", { class: "tile", "data-group": kind.group, "data-key": kind.key },
      top, h("span", { class: "tile-word" }, kind.word));
    return { key: kind.key, number, top, element };
  });
  return {
    element: h("div", { class: "tiles", role: "group", "aria-label": label }, parts.map((part) => part.element)),
    /** @param {Record<string, number|string>} counts */
    update(counts) {
      for (const part of parts) {
        const count = counts[part.key] ?? "–";
        setText(part.number, typeof count === "number" ? count.toLocaleString() : count);
        setAttribute(part.element, "data-none", count === 0);
        setAttribute(part.top, "data-long", part.number.textContent.length > 3);
      }
    },
  };
}
