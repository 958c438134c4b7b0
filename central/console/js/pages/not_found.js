/** An address that names no page: says so, and leads on. */

import { h } from "../parts/dom.js";
import { hrefs } from "../rules/router.js";

/** @param {import("../central/types.js").Context} _context @param {import("../rules/router.js").Route} route @returns {import("../central/types.js").Page} */
export function notFoundPage(_context, route) {
  const element = h("div", { class: "page" }, h("h1", {}, "No such page"),
    h("p", {}, `“${route.path}” names no page of this console.`),
    h("p", {}, h("a", { class: "button", href: hrefs.district() }, "All schools")));
  return { element, title: () => "No such page – Doorward", watch: {}, scope: { kind: "district" }, load: async () => {}, update: () => {} };
}
