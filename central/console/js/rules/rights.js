/** Who may do what. Pure. Central decides; this only spares people buttons that would be refused. */

/** @typedef {"release"|"command"} Right */

/** @type {Record<Right, string[]>} */
const ROLES = {
  release: ["officer", "responder", "administrator"],
  command: ["officer", "facilities", "administrator"],
};

/** @param {Right} right */
export const rolesWith = (right) => ROLES[right];

/** @param {string} role @param {Right} right */
export const may = (role, right) => ROLES[right].includes(role);

/**
 * What a person may do to end a declaration: nothing, end a drill, ask, wait for a second person, or be that person.
 * @param {import("../central/types.js").DeclarationView} one @param {{username: string, role: string}} session
 * @returns {"nothing"|"end_drill"|"ask"|"wait"|"end"}
 */
export function releaseStep(one, session) {
  if (!may(session.role, "release")) return "nothing";
  if (one.drill) return "end_drill";
  if (one.state !== "release_requested") return "ask";
  return one.release_requested_by === session.username ? "wait" : "end";
}
