/**
 * A list whose rows are made once and then only changed: what keeps thousands of doors from freezing a phone.
 * While a finger or the keyboard is on a row, rows do not move under it.
 */

/**
 * @template T
 * @typedef {{element: HTMLElement, update: (item: T) => void}} Row
 */

/** @template T */
export class KeyedList {
  /**
   * @param {HTMLElement} parent owned by this list
   * @param {(item: T) => string} keyOf
   * @param {(item: T) => Row<T>} make
   */
  constructor(parent, keyOf, make) {
    this.parent = parent;
    this.keyOf = keyOf;
    this.make = make;
    /** @type {Map<string, Row<T>>} */
    this.rows = new Map();
    this.pressed = false;
    parent.addEventListener("pointerdown", () => (this.pressed = true));
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
      parent.addEventListener(end, () => (this.pressed = false));
    }
  }

  /** Show exactly these, in this order. @param {T[]} items */
  sync(items) {
    const wanted = new Set();
    for (const item of items) {
      const key = this.keyOf(item);
      wanted.add(key);
      const row = this.rows.get(key) ?? this.add(key, item);
      row.update(item);
    }
    for (const [key, row] of this.rows) {
      if (wanted.has(key)) continue;
      row.element.remove();
      this.rows.delete(key);
    }
    if (!this.touched()) this.order(items);
  }

  /** Change one row, wherever it stands. @param {T} item @returns {boolean} whether it is in the list */
  change(item) {
    const row = this.rows.get(this.keyOf(item));
    row?.update(item);
    return row !== undefined;
  }

  /** @param {string} key @param {T} item */
  add(key, item) {
    const row = this.make(item);
    this.rows.set(key, row);
    this.parent.append(row.element);
    return row;
  }

  touched() {
    return this.pressed || (this.parent.contains(document.activeElement) && this.parent !== document.activeElement);
  }

  /** @param {T[]} items */
  order(items) {
    let place = this.parent.firstElementChild;
    for (const item of items) {
      const element = /** @type {Row<T>} */ (this.rows.get(this.keyOf(item))).element;
      if (element === place) place = place.nextElementSibling;
      else this.parent.insertBefore(element, place);
    }
  }
}
