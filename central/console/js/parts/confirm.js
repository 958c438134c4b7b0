/** Asks once before an act that loosens something. Resolves to whether it was confirmed. */

import { h } from "./dom.js";

/** @param {{title: string, text: string, yes: string, no: string}} words @returns {Promise<boolean>} */
export function confirmAct({ title, text, yes, no }) {
  return new Promise((resolve) => {
    const dialog = /** @type {HTMLDialogElement} */ (
      h("dialog", { class: "dialog", "aria-labelledby": "confirm-title" },
        h("form", { method: "dialog" },
          h("h2", { id: "confirm-title" }, title),
          h("p", {}, text),
          h("div", { class: "dialog-end" },
            h("button", { value: "yes", class: "button strong" }, yes),
            h("button", { value: "no", class: "button", autofocus: true }, no))))
    );
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
