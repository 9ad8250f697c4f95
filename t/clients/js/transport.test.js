// client/transport.js, with a clock of the test's own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Transport } from "../../../client/transport.js";

const clock = { now: 0, after(seconds) { this.now += 1000 * seconds; } };
const choice = (option, options) =>
  new Transport(option, { margin: 10, ...options }, () => clock.now);

// an event stream of so many seconds
function lives(one, seconds) {
  one.opened();
  clock.after(seconds);
  one.alive();
  one.ended();
}


test("transport: only auto changes it", () => {
  for (const option of ["stream", "poll"]) {
    const one = choice(option);

    for (const what of ["useless", "polled", "pollFailed", "reset", "refused",
                        "refused", "refused"])
    {
      one[what]();
      assert.equal(one.next, option, what);
    }
    one.heard("poll");
    one.heard("stream");
    assert.equal(one.next, option);
  }
  assert.throws(() => choice("streams"), { name: "TypeError",
                                           message: /^transport: not / });
});


test("transport: auto polls where nothing comes through", () => {
  const one = choice("auto");

  assert.equal(one.next, "stream");
  one.useless();
  assert.equal(one.next, "poll");
  one.polled();
  for (let i = 0; i < 10; i++) {
    clock.after(29.9);
    one.polled();
    assert.equal(one.next, "poll");
  }
  clock.after(1);
  assert.equal(one.next, "stream", "after five minutes");

  one.useless();
  one.polled();
  clock.after(599);
  assert.equal(one.next, "poll");
  clock.after(1);
  assert.equal(one.next, "stream", "after ten");

  for (let i = 0; i < 9; i++) {
    one.useless();
    one.polled();
    clock.after(3601);
    assert.equal(one.next, "stream", "after an hour at most");
  }
});


test("transport: a poll that fails as well does not decide", () => {
  const one = choice("auto");

  one.useless();
  one.pollFailed();
  assert.equal(one.next, "stream");
  one.useless();
  one.polled();
  one.pollFailed();
  assert.equal(one.next, "poll", "once polls were answered, they may fail");
});


test("transport: three bad streams in a row are enough", () => {
  const one = choice("auto");

  lives(one, 2);
  lives(one, 9);
  lives(one, 11);
  lives(one, 1);
  one.refused();
  assert.equal(one.next, "stream");
  lives(one, 3);
  assert.equal(one.next, "poll");

  one.reset();
  assert.equal(one.next, "stream", "until the browser is online again");
  lives(one, 3);
  lives(one, 3);
  assert.equal(one.next, "stream");
});


test("transport: as the tab that leads", () => {
  const one = choice("auto", { retry: { max: 1 } });

  one.heard("poll");
  assert.equal(one.next, "poll");
  one.heard("stream");
  assert.equal(one.next, "stream");
  one.heard("poll");
  clock.after(11);
  assert.equal(one.next, "stream");
});
