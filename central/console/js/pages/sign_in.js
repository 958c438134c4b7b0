/** Signing in; then on to where the person was. */

import { ApiError, explain } from "../central/api.js";
import { errorBox, field, fill, h } from "../parts/dom.js";

/**
 * @param {import("../central/api.js").Api} api
 * @param {(session: any) => void} onSignedIn
 * @returns {import("../central/types.js").Page}
 */
export function signInPage(api, onSignedIn) {
  const name = h("input", { id: "username", name: "username", autocomplete: "username", required: true, autocapitalize: "none", spellcheck: "false" });
  const password = h("input", { id: "password", name: "password", type: "password", autocomplete: "current-password", required: true });
  const button = h("button", { type: "submit", class: "button strong" }, "Sign in");
  const problems = h("div");

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    fill(problems);
    try {
      onSignedIn(await api.post("/session", { username: name.value.trim(), password: password.value }));
    } catch (error) {
      const wrong = error instanceof ApiError && error.status === 401;
      fill(problems, errorBox(wrong
        ? { what: error.message, todo: "Check both and try again. An administrator can set a new password." }
        : explain(error)));
      password.value = "";
      password.focus();
    }
    button.disabled = false;
  }

  const element = h("div", { class: "page sign-in" },
    h("h1", {}, "Doorward"), h("p", {}, "Sign in to see and lock the district's doors."),
    h("form", { onsubmit: submit },
      field("Name", name), field("Password", password), problems, button));
  return { element, title: () => "Sign in – Doorward", watch: {}, load: async () => {}, update: () => {} };
}
