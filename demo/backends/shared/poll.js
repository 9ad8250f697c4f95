// Asks nginx for events, again and again, each time behind what was seen last.
//
//     poll("/events", { since_time: 0 }, { event, missed, state })
//
// The cursor is where to begin: { since_time: 0 } for all there is, { last_id }
// for what comes behind that event, {} for what comes from now on.  `event` is
// called with each event, `missed` when some were dropped before they could be
// seen, `state` with what there is to say: nothing while all is well.

"use strict";

async function poll(url, cursor, { event, missed, state }) {
  for (let pause = 500; ; ) {
    // nobody tells that a poll is parked, but one that fails does so soon
    const parked = setTimeout(state, 1000, "");

    try {
      // "no-store": or the browser lets only one of several windows ask
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
