/**
 * The shapes of central's answers, for the type checker and the reader. No code.
 *
 * @typedef {Record<string, number>} Counts
 *
 * @typedef {object} SiteSummary
 * @property {string} site
 * @property {string} name
 * @property {number} doors
 * @property {Counts} conditions
 * @property {Counts} modes
 * @property {number} agents
 * @property {number} agents_alive
 * @property {number} alarms
 * @property {number} [duress] doors with a duress alarm
 * @property {Record<string, string[]>} [agent_alarms] what belongs to no door, by agent
 * @property {boolean} fire
 * @property {string[]} declarations
 *
 * @typedef {object} Evidence
 * @property {string|null} contact
 * @property {string|null} bolt
 * @property {boolean} bolt_fitted
 *
 * @typedef {object} DoorView
 * @property {string} site
 * @property {string} agent
 * @property {string} door
 * @property {string} name
 * @property {string[]} zones
 * @property {boolean} perimeter
 * @property {string|null} mode
 * @property {string} condition
 * @property {boolean} proven
 * @property {Evidence} evidence
 * @property {number|null} evidence_at_ms
 * @property {number|null} since_ms
 * @property {boolean} released
 * @property {string[]} declarations
 * @property {string[]} alarms
 * @property {string[]} [maintenance] which alarms came so often that the hardware is at fault
 * @property {boolean} fire_released
 *
 * @typedef {object} AgentView
 * @property {string} site
 * @property {string} agent
 * @property {boolean} alive
 * @property {number|null} heard_ms
 * @property {string|null} session
 * @property {Record<string, string>} versions
 * @property {{depth: number, capacity: number, dropped: number}|null} outbox
 * @property {number|null} config_version
 * @property {number|null} config_wanted
 * @property {boolean} fire
 * @property {string[]} [alarms] what belongs to no door
 *
 * @typedef {object} SiteView
 * @property {string} site
 * @property {string} name
 * @property {string} timezone
 * @property {string[]} zones
 * @property {AgentView[]} agents
 * @property {DoorView[]} doors
 *
 * @typedef {{kind: string, site?: string|null, zone?: string|null, door?: string|null}} Scope
 *
 * @typedef {object} DeclarationView
 * @property {string} id
 * @property {string} action
 * @property {Scope} scope
 * @property {boolean} drill
 * @property {string} reason
 * @property {string} by
 * @property {number} at_ms
 * @property {string} origin
 * @property {"active"|"release_requested"|"ended"} state
 * @property {string|null} release_requested_by
 * @property {number|null} release_requested_at_ms
 * @property {string|null} ended_by
 * @property {number|null} ended_at_ms
 * @property {{doors: number, proven: number, pending: number, failed: number, slowest_ms: number|null}} closure
 *
 * @typedef {object} ClosureRowView
 * @property {string} site
 * @property {string} agent
 * @property {string} door
 * @property {string} name
 * @property {"proven"|"pending"|"failed"} state
 * @property {string|null} why
 * @property {string} condition
 * @property {Evidence} evidence
 * @property {number|null} evidence_at_ms
 * @property {number|null} proven_ms
 *
 * @typedef {object} EventView
 * @property {number} id
 * @property {string} site
 * @property {string} agent
 * @property {string|null} door
 * @property {string} kind
 * @property {number} at_ms
 * @property {boolean} clock_trusted
 * @property {number} received_ms
 * @property {Record<string, any>} data
 *
 * @typedef {object} HistoryPoint a door in one span of time
 * @property {number} t_ms
 * @property {Record<string, number>} conditions_ms how long each condition lasted
 * @property {number} granted
 * @property {number} denied
 *
 * @typedef {object} Hello the live stream's first message
 * @property {number} server_ms
 * @property {number} evidence_lasts_ms evidence older than this proves nothing
 * @property {number} stream_silent_ms a stream without a word for so long is to be believed no more
 *
 * @typedef {object} SessionView
 * @property {string} username
 * @property {string} role
 * @property {number} expires_ms
 *
 * @typedef {object} Context what a page may use
 * @property {import("./api.js").Api} api
 * @property {import("./store.js").Store} store
 * @property {import("./clock.js").ServerClock} clock
 * @property {SessionView} session
 * @property {import("../parts/announce.js").Announcer} announcer
 * @property {(path: string) => void} navigate
 *
 * @typedef {object} Page
 * @property {HTMLElement} element
 * @property {() => string} title
 * @property {{site?: string, declaration?: string}} watch
 * @property {() => Promise<void>} load
 * @property {(changes: import("./store.js").Changes) => void} update
 * @property {() => void} [tick] once a second
 * @property {Scope} [scope] what the lockdown button means here
 */

export {};
