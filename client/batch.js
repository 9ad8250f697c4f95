// A batch: what one answer, or one piece of an event stream, brings.
//
//     { steps: [{ event, to }, { missed: true }, ...], to }
//
// Each step is handed out in order.  `to` is the cursor behind an event, and
// the one behind the whole batch.

import { behind, next } from "./cursor.js";

/** Whether a value is an event, as answers and frames have them. */
export const isEvent = e =>
  e && typeof e.id === "string" && "data" in e
  && typeof e.category === "string" && Number.isInteger(e.timestamp);

/** The batch of a poll's answer. */
export function ofAnswer(cursor, answer) {
  const { events = [], missed } = answer;

  return { steps: [...missed ? [{ missed: true }] : [],
                   ...events.map(event => ({ event, to: behind(event) }))],
           to: next(cursor, answer) };
}

/**
 * The batch of an event stream's frames, behind a cursor and a last event ID;
 * undefined if a frame is not one of the module's.
 *
 * A new id is the cursor behind its frame.  (That of an event which golongpoll
 * wrote is not the event's own.)  Frames of unknown types only have an id.
 */
export function ofFrames(cursor, lastId, frames) {
  const steps = [];

  for (const frame of frames) {
    const id = frame.lastId !== lastId ? frame.lastId : "";

    lastId = frame.lastId;
    if (frame.type === "missed") steps.push({ missed: true });
    if (id) cursor = { last_id: id };

    if (frame.type === "message") {
      const event = parse(frame.data);

      if (!isEvent(event)) return undefined;
      if (!id || id === event.id) cursor = behind(event);
      steps.push({ event, to: cursor });
    }
  }

  return { steps, to: cursor };
}

/** The value of a JSON text; undefined if it is none. */
export function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
