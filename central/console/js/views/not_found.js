/** An address that names no page: says so, and leads on. */

import { h } from "../dom.js";
import { hrefs } from "../router.js";

/** @param {import("../types.js").Context} _context @param {import("../router.js").Route} route @returns {import("../types.js").View} */
export function notFoundView(_context, route) {
  const element = h("div", { class: "page" }, h("h1", {}, "No such page"),
    h("p", {}, `“${route.path}” names no page of this console.`),
    h("p", {}, h("a", { class: "button", href: hrefs.district() }, "All schools")));
  return { element, title: () => "No such page – Doorward", watch: {}, scope: { kind: "district" }, load: async () => {}, update: () => {} };
}
