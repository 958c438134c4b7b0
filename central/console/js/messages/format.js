/** Times and numbers for people. Pure; milliseconds in, words out; the device's time zone. */

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const SHORT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const KEY = new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit" });

/** "08:01:12" @param {number} utcMs */
export const clockTime = (utcMs) => CLOCK.format(utcMs);

/** "08:01" @param {number} utcMs */
export const shortTime = (utcMs) => SHORT.format(utcMs);

/** "08:01:12", with the day before it when it is not today's. @param {number} utcMs @param {number} nowMs */
export function moment(utcMs, nowMs) {
  const time = CLOCK.format(utcMs);
  return KEY.format(utcMs) === KEY.format(nowMs) ? time : `${DAY.format(utcMs)}, ${time}`;
}

/** "4 s", "12 min", "3 h 5 min", "2 days": rounded down, never below zero. @param {number} ms */
export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 && hours < 12 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

/** "1.2 s": how long a proof took. @param {number} ms */
export function took(ms) {
  return ms < 60_000 ? `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s` : span(ms);
}

/** "1 door", "2 doors" @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${count.toLocaleString()} ${count === 1 ? one : many}`;
