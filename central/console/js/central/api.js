/**
 * Central's HTTP API. Answers are plain objects as docs describe them; failures are {@link ApiError}s that say
 * what happened and what to do. Knows nothing of pages.
 */

import { adviceWords } from "../messages/en.js";

const TIMEOUT_MS = 10_000;

export class ApiError extends Error {
  /**
   * @param {number} status 0: central did not answer
   * @param {string} detail
   * @param {string} [type] machine-readable kind, such as "same_person"
   */
  constructor(status, detail, type = "about:blank") {
    super(detail);
    this.status = status;
    this.type = type;
  }
}

/** Any failure as two sentences. @param {unknown} error @returns {{what: string, todo: string}} */
export function explain(error) {
  if (error instanceof ApiError) return { what: error.message, todo: adviceWords(error.status) };
  return { what: `The console failed: ${error}`, todo: "Reload the page; if it stays so, report this sentence." };
}

export class Api {
  /** @param {{onSignedOut: () => void}} hooks called when central says the session is over */
  constructor({ onSignedOut }) {
    this.onSignedOut = onSignedOut;
  }

  /** @param {string} path below /api @param {Record<string, string|number|boolean|null|undefined>} [query] */
  get(path, query = {}) {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
    }
    return this.send("GET", search.size ? `${path}?${search}` : path);
  }

  /** @param {string} path @param {unknown} [body] */
  post(path, body) {
    return this.send("POST", path, body);
  }

  /** @param {string} path */
  delete(path) {
    return this.send("DELETE", path);
  }

  /** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
  async send(method, path, body) {
    const answer = await this.reach(method, path, body);
    if (answer.ok) return answer.status === 204 ? null : answer.json();
    const error = await problem(answer);
    if (answer.status === 401 && path !== "/session") this.onSignedOut();
    throw error;
  }

  /** @param {string} method @param {string} path @param {unknown} body */
  async reach(method, path, body) {
    try {
      return await fetch(`/api${path}`, {
        method,
        headers: body === undefined ? {} : { "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: "same-origin",
        cache: "no-store",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      const late = error instanceof DOMException && error.name === "TimeoutError";
      throw new ApiError(0, late ? "Central did not answer within 10 seconds." : "Central cannot be reached.");
    }
  }
}

/** @param {Response} answer @returns {Promise<ApiError>} */
async function problem(answer) {
  try {
    const { detail, title, type } = await answer.json();
    return new ApiError(answer.status, sentence(detail) || title || `Central answered ${answer.status}.`, type);
  } catch {
    return new ApiError(answer.status, `Central answered ${answer.status} ${answer.statusText}.`);
  }
}

/** @param {unknown} detail a sentence, or a list of {loc, msg} */
function sentence(detail) {
  if (Array.isArray(detail)) return detail.map((one) => `${(one.loc ?? []).join(".")}: ${one.msg}`).join("; ");
  return typeof detail === "string" ? detail : "";
}
