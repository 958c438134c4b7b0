/** Hash routes: which page, for which school or door. Pure but for the one listener. */

/**
 * @typedef {object} Route
 * @property {string} name
 * @property {Record<string, string>} params
 * @property {URLSearchParams} query
 * @property {string} path without the '#'
 */

/** @type {[string, RegExp, string[]][]} */
const ROUTES = [
  ["district", /^\/$/, []],
  ["sign-in", /^\/sign-in$/, []],
  ["site", /^\/site\/([^/]+)$/, ["site"]],
  ["door", /^\/site\/([^/]+)\/door\/([^/]+)$/, ["site", "door"]],
  ["declarations", /^\/declarations$/, []],
  ["declaration", /^\/declaration\/([^/]+)$/, ["id"]],
  ["events", /^\/events$/, []],
];

/** @param {string} hash @returns {Route} */
export function parse(hash) {
  const path = hash.replace(/^#/, "") || "/";
  const [bare, search = ""] = path.split("?");
  const query = new URLSearchParams(search);
  for (const [name, pattern, names] of ROUTES) {
    const match = pattern.exec(bare);
    if (match) return { name, path, query, params: Object.fromEntries(names.map((key, i) => [key, decode(match[i + 1])])) };
  }
  return { name: "not-found", path, query, params: {} };
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const hrefs = {
  district: () => "#/",
  events: (/** @type {Record<string, string>} */ query = {}) => `#/events${queryOf(query)}`,
  declarations: () => "#/declarations",
  site: (/** @type {string} */ site) => `#/site/${encodeURIComponent(site)}`,
  door: (/** @type {string} */ site, /** @type {string} */ door) =>
    `#/site/${encodeURIComponent(site)}/door/${encodeURIComponent(door)}`,
  declaration: (/** @type {string} */ id) => `#/declaration/${encodeURIComponent(id)}`,
  signIn: (/** @type {string} */ to) => `#/sign-in${queryOf(to && to !== "/" ? { to } : {})}`,
};

/** @param {Record<string, string>} query */
function queryOf(query) {
  const text = new URLSearchParams(query).toString();
  return text ? `?${text}` : "";
}
