// A cursor, as the protocol has it, says behind which event to read on:
//
//     { since_time, last_id }      either may be missing
//
// null is "now": only events that are published after the next poll begins.
// All times are the server's; no local clock is used.

/** Makes a cursor of a user's or a storage's value; undefined if it is none. */
export function toCursor(start) {
  if (start === "now") return null;
  if (start === "beginning") return { since_time: 0 };
  if (typeof start !== "object" || !start) return undefined;

  const cursor = {};

  if (Number.isInteger(start.since_time)) cursor.since_time = start.since_time;
  if (typeof start.last_id === "string" && start.last_id) {
    cursor.last_id = start.last_id;
  }

  return "since_time" in cursor || "last_id" in cursor ? cursor : undefined;
}

/** The cursor right behind an event. */
export const behind = event => ({ since_time: event.timestamp,
                                  last_id: event.id });

/** The cursor behind an answer. */
export function next(cursor, { events, timestamp }) {
  return events ? behind(events[events.length - 1])
                : { ...cursor, since_time: timestamp };
}

// an id may be written in several ways; its first 48 bits are a time
const hex = ({ last_id = "" }) =>
  last_id.toLowerCase().replace(/^urn:uuid:|[^0-9a-f]/g, "");
const time = cursor =>
  cursor.since_time ?? parseInt(hex(cursor).slice(0, 12), 16);

/** Whether a is before b, in the order of the zone. */
export function isBefore(a, b) {
  const ms = time(a) - time(b);
  return ms < 0 || ms === 0 && hex(a) < hex(b);
}

export const isSame = (a, b) =>
  a?.since_time === b?.since_time && a?.last_id === b?.last_id;
