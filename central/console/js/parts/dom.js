/**
 * Building and changing the page with nothing but the DOM: text is always text, and a node is written to only when
 * what it shows has changed.
 */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node|string|null|undefined|false} Child */

/**
 * An element. Properties: `class`, `on*` listeners as functions, booleans as present or absent, others as attributes.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Child|Child[])} children
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "value") /** @type {any} */ (element).value = value;
    else setAttribute(element, name, value);
  }
  element.append(...nodes(children));
  return element;
}

/** @param {(Child|Child[])[]} children @returns {(Node|string)[]} */
function nodes(children) {
  return /** @type {(Node|string)[]} */ (children.flat().filter((child) => child || child === ""));
}

/** @param {Element} element @param {...(Child|Child[])} children */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/** @param {Node} node @param {string|number} text */
export function setText(node, text) {
  const wanted = String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** @param {Element} element @param {string} name @param {string|number|boolean|null|undefined} value */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const wanted = value === true ? "" : String(value);
  if (element.getAttribute(name) !== wanted) element.setAttribute(name, wanted);
}

/** @param {HTMLElement} element @param {boolean} shown */
export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

/** @param {string} tag @param {Record<string, string|number>} attributes @param {...Node} children */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A symbol of index.html; decoration, the word stands beside it. @param {string} name */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true", focusable: "false" }, svg("use", { href: `#i-${name}` }));
}

/** @param {Element} holder an svg made by {@link icon} @param {string} name */
export function setIcon(holder, name) {
  const use = holder.firstElementChild;
  if (use) setAttribute(use, "href", `#i-${name}`);
}

/** A control under its label; the control has the id. @param {string} words @param {HTMLElement} control */
export const field = (words, control) => h("div", {}, h("label", { for: control.id }, words), control);

/** An error with what to do, in a box of its own. @param {{what: string, todo: string}} words */
export function errorBox({ what, todo }) {
  return h("div", { class: "error", role: "alert" }, h("strong", {}, what), h("p", {}, todo));
}
