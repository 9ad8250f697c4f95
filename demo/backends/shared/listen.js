// The events of nginx, for a page that shows them.
//
//     listen("/events", start, { event, missed, state })
//
// `start` says where to begin: "beginning" with all stored events, { last_id }
// behind that event.  `event` is called with each event, `missed` when events
// were dropped unseen, and `state` with an error text, or "" while all is well.
//
// longpoll.js and what it imports are the files of client/.

import { Longpoll } from "./longpoll.js";

export function listen(url, start, { event, missed, state }) {
  const stream = new Longpoll({ subscribe: url }).subscribe([], { start });

  stream.addEventListener("event", ({ detail }) => event(detail));
  stream.addEventListener("missed", () => missed());
  stream.addEventListener("state", ({ detail }) => {
    if (detail === "listening") state("");
  });
  stream.addEventListener("error", ({ detail }) => {
    if (detail.status === 401) location.assign("/");    // logged out
    else state(`No events: ${detail.message}.`);
  });
}
