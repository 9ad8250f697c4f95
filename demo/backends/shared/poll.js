// Polls nginx for events in a loop, each time behind the last event.
//
//     poll("/events", { since_time: 0 }, { event, missed, state })
//
// The cursor says where to begin: { since_time: 0 } with all stored events,
// { last_id } behind that event, {} with the next new event.  `event` is called
// with each event, `missed` when events were dropped unseen, and `state` with
// an error text, or "" while polling works.

"use strict";

async function poll(url, cursor, { event, missed, state }) {
  for (let pause = 500; ; ) {
    // a poll that fails does so soon; one that lasts a second is waiting
    const parked = setTimeout(state, 1000, "");

    try {
      // "no-store": without it, a browser sends only one of several equal polls
      const args = new URLSearchParams({ timeout: 45, ...cursor });
      const join = url.includes("?") ? "&" : "?";
      const response = await fetch(url + join + args, { cache: "no-store" })
        .finally(() => clearTimeout(parked));

      // logged out, in another window perhaps
      if (response.status === 401) return location.assign("/");
      if (!response.ok) throw new Error(`the server says ${response.status}`);

      const answer = await response.json();
      if (answer.error) throw new Error(answer.error);

      pause = 500;
      state("");
      if (answer.missed) missed();

      for (const e of answer.events || []) {
        event(e);
        cursor = { since_time: e.timestamp, last_id: e.id };
      }

      if (answer.timeout) cursor = { ...cursor, since_time: answer.timestamp };

    } catch (error) {
      state(error.message);
      await new Promise(done => setTimeout(done, pause));
      pause = Math.min(pause * 2, 10000);
    }
  }
}
