// Event streams through client/ in Node, against the nginx of client.t, some
// through a proxy that buffers, cuts or delays (proxy.js).

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { LongpollError } from "../../../client/longpoll.js";
import { at, counted, has, listen, read, retry, storage, test, upTo }
  from "./listen.js";
import { category, nginx, parked, publish, until, url } from "./nginx.js";
import { Between } from "./proxy.js";

const stream = { transport: "stream" };
const isStream = ({ accept }) => accept === "text/event-stream";
const kinds = between => between.asked.map(one =>
  isStream(one) ? "stream" : "poll");

// Runs a test with a proxy.
const through = (name, run, timeout) => test(name, async () => {
  const between = await Between.start();

  try {
    await run(between);
  } finally {
    await between.close();
  }
}, timeout);


test("stream: events once and in order, by one request", async () => {
  const names = [category("a&b=c +%<é>\""), category("zoo"), category("x")];
  const { asked, fetch } = counted();
  const got = listen(at("/events", { fetch }).subscribe(names.slice(0, 2)));
  const seen = [];
  const data = ["oink", "", 0, 2.5, true, false, [], {}, { a: [null] },
                "Grüße, 🐄 \u0000 \u2028 \r\n\n", "</script>"];

  assert.equal(got.stream.transport, null);
  got.stream.addEventListener("event", ({ detail }) => seen.push(detail));
  await parked(1);

  const ids = [];
  for (const [i, one] of data.entries()) {
    ids.push(await publish(names[i % 2], one));
    await publish(names[2], "not this one");
  }
  await has(got, data.length);

  assert.deepEqual(got.all, data);
  assert.deepEqual(got.ids, ids);
  assert.deepEqual(seen.map(e => e.category), data.map((_, i) => names[i % 2]));
  assert.deepEqual(got.errors, []);
  assert.equal(got.stream.transport, "stream");
  got.stream.close();
  assert.deepEqual(got.states, ["connecting", "listening", "closed"]);
  assert.deepEqual(got.transports, ["stream"]);
  assert.equal(asked.length, 1);
  assert.equal(new URL(asked[0].url).searchParams.get("timeout"), null);
  await parked(0);
});


test("stream: where to begin, and another stream behind it", async () => {
  const name = category("start");
  const first = await publish(name, 1);

  await publish(name, 2);

  const cursors = { now: "now", beginning: "beginning",
                    id: { last_id: first } };
  const got = {};

  for (const how in cursors) {
    got[how] = listen(at("/events", stream)
                      .subscribe(name, { start: cursors[how] }));
  }

  await until("a cursor", () => got.now.stream.cursor?.last_id);
  await publish(name, 3);
  await has(got.now, 1);
  await has(got.beginning, 3);
  await has(got.id, 2);

  assert.deepEqual(got.now.all, [3]);
  assert.deepEqual(got.beginning.all, [1, 2, 3]);
  assert.deepEqual(got.id.all, [2, 3]);
  for (const how in got) got[how].stream.close();
  await publish(name, 4);

  // A cursor of a stream is one of a poll, and the other way round.
  const { cursor } = got.now.stream;

  for (const transport of ["poll", "stream", "poll"]) {
    const next = listen(at("/events", { transport })
                        .subscribe(name, { start: cursor }));

    await has(next, 1);
    assert.deepEqual(next.all, [4]);
    next.stream.close();
    assert.ok(next.stream.cursor.last_id);
    assert.equal(next.stream.transport, transport);
  }
  await parked(0);
});


test("stream: missed comes between the events around the gap", async () => {
  const name = category("small");
  const client = at("/small", stream);
  const got = listen(client.subscribe(name));

  await until("a cursor", () => got.stream.cursor);
  await publish(name, 1, "/small");
  await has(got, 1);
  got.stream.close();

  const { cursor } = got.stream;

  for (const n of [2, 3, 4, 5]) await publish(name, n, "/small");

  const again = client.subscribe(name, { start: cursor });
  const iterated = again[Symbol.asyncIterator]();
  const heard = listen(again);

  await has(heard, 3);
  await publish(name, 6, "/small");
  assert.deepEqual(await read(iterated, 4), ["missed", 4, 5, 6]);
  assert.deepEqual(heard.all, ["missed", 4, 5, 6]);
  again.close();
});


test("stream: a storage keeps the cursor of the last handled event",
     async () => {
  const name = category("stored");
  const options = { storage: storage(), start: "beginning" };
  const client = at("/events", stream);

  await fetch(url("/publish"), { method: "POST", body: JSON.stringify(
    upTo(5).map(n => ({ category: name, data: n }))) });

  const first = client.subscribe(name, options);
  const iterator = first[Symbol.asyncIterator]();

  for (const n of [1, 2, 3]) {
    assert.equal((await iterator.next()).value.data, n);
  }
  first.close();            // 3 was delivered, but no call waits for a fourth

  assert.deepEqual(await read(client.subscribe(name, options), 2), [3, 4]);

  const last = listen(client.subscribe(name, options));

  await has(last, 1);
  assert.deepEqual(last.all, [5]);
});


test("stream: close and abort", async () => {
  const name = category("abort");
  const abort = new AbortController();
  const client = at("/events", stream);
  const aborted = client.subscribe(name, { signal: abort.signal });
  const closed = client.subscribe(name);
  const gone = assert.rejects(read(aborted, 1), /enough/);
  const ended = read(closed, 1);

  await parked(2);
  abort.abort(new Error("enough"));
  await gone;
  await parked(1);
  closed.close();
  assert.deepEqual(await ended, []);
  await parked(0);

  // a listener closes the stream, in the middle of what came at once
  for (const n of upTo(9)) await publish(name, n);

  const some = client.subscribe(name, { start: "beginning" });
  const got = listen(some);

  some.addEventListener("event", ({ detail }) =>
    detail.data === 4 && some.close());
  await until("the end", () => some.state === "closed");
  await parked(0);
  assert.deepEqual(got.all, [1, 2, 3, 4]);
});


through("stream: cut into pieces anywhere", async between => {
  const name = category("pieces");
  const data = ["Grüße, 🐄", "\r\n\r\n", "x".repeat(300)];

  for (const split of [1, 2, 3, 7, 64]) {
    between.how = { split };

    const got = listen(at(between.url("/events"), stream)
                       .subscribe(name + split, { start: "beginning" }));

    await until("it to listen", () => got.stream.state === "listening");
    for (const one of data) await publish(name + split, one);
    await has(got, data.length);
    got.stream.close();
    assert.deepEqual(got.all, data);
    assert.deepEqual(got.errors, []);
  }
  assert.deepEqual(new Set(kinds(between)), new Set(["stream"]));
});


for (const keeps of ["body", "all"]) {
  through(`stream: a proxy that keeps ${keeps}: auto polls`, async between => {
    const name = category("keeps");

    between.how = { keeps };

    const got = listen(at(between.url("/events"))
                       .subscribe(name, { margin: 2 }));

    await until("it to listen", () => got.stream.state === "listening");
    assert.equal(got.stream.transport, "poll");
    for (const n of upTo(5)) {
      await publish(name, n);
      await has(got, n);
    }
    got.stream.close();
    assert.deepEqual(got.all, upTo(5));
    assert.deepEqual(got.errors, []);
    assert.deepEqual(got.states, ["connecting", "listening", "closed"]);
    assert.deepEqual(got.transports, ["poll"]);
    assert.equal(kinds(between)[0], "stream");
    assert.equal(kinds(between).filter(kind => kind === "stream").length, 1);
    await parked(0);

    // "stream" is told instead
    const only = listen(at(between.url("/events"), stream)
                        .subscribe(name, { margin: 0.5 }));

    await until("two errors", () => only.errors.length >= 2);
    only.stream.close();
    assert.equal(only.errors[0].message, "no answer in time");
    assert.equal(only.stream.transport, null);
    assert.deepEqual(only.states.slice(0, 3),
                     ["connecting", "broken", "connecting"]);
  });
}


through("stream: auto takes the answer of a server that only polls",
        async between => {
  const name = category("json");

  await publish(name, 1);
  between.how = { asks: (_, headers) => { delete headers.accept; } };

  // nginx says that the time-out is missing
  const got = listen(at(between.url("/events"))
                     .subscribe(name, { start: "beginning" }));

  await has(got, 1);
  assert.equal(got.stream.transport, "poll");
  assert.deepEqual(kinds(between).slice(0, 2), ["stream", "poll"]);
  await until("the next poll", () => between.living === 1);
  got.stream.close();

  // the location adds one
  await until("the end of the last poll", () => between.living === 0);
  between.asked.length = 0;
  between.how.asks = (to, headers) => {
    delete headers.accept;
    if (!to.searchParams.has("timeout")) to.searchParams.set("timeout", 1);
  };

  const used = listen(at(between.url("/events"))
                      .subscribe(name, { start: "beginning" }));

  await has(used, 1);
  await publish(name, 2);
  await has(used, 2);
  used.stream.close();
  assert.deepEqual(used.all, [1, 2]);
  assert.ok(between.asked[1].url.searchParams.has("last_id"),
            "the answer was used");

  const only = listen(at(between.url("/events"), stream).subscribe(name));

  await until("an error", () => only.errors.length);
  only.stream.close();
  assert.deepEqual([only.errors[0].status, only.errors[0].message],
                   [200, "the answer is not an event stream"]);
  for (const { errors } of [got, used]) assert.deepEqual(errors, []);
});


through("stream: auto polls where streams are cut every moment",
        async between => {
  const name = category("cut");
  let n = 0;

  between.how = { cuts: 150 };

  const got = listen(at(between.url("/events"))
                     .subscribe(name, { margin: 4, timeout: 1 }));

  await until("a cursor", () => got.stream.cursor);

  const flood = (async () => {
    while (got.stream.transport !== "poll") {
      await publish(name, ++n);
      await sleep(20);
    }
    between.how = {};
    for (const end = n + 5; n < end; ) await publish(name, ++n);
  })();

  await flood;
  await has(got, n);
  assert.deepEqual(got.all, upTo(n));
  assert.deepEqual(kinds(between).slice(0, 4),
                   ["stream", "stream", "stream", "poll"]);
  assert.deepEqual(got.transports, ["stream", "poll"]);

  // and tries a stream again
  await until("a stream", () => got.stream.transport === "stream");
  await publish(name, ++n);
  await has(got, n);
  got.stream.close();
  assert.deepEqual(got.all, upTo(n));
  assert.deepEqual(got.transports, ["stream", "poll", "stream"]);
  assert.deepEqual(got.errors, []);
}, 40000);


through("stream: it is opened again at its end, without an error",
        async between => {
  const name = category("ends");
  let n = 0;

  const got = listen(at(between.url("/events"), stream).subscribe(name));

  await until("a cursor", () => got.stream.cursor);

  for (const how of ["ends", "cuts", "ends"]) {
    await publish(name, ++n);
    await has(got, n);
    between.how = { [how]: 100 };
    between.break();
    await until("another one", () => got.stream.state === "listening"
                                     && between.living === 1);
    between.how = {};
    await until("its end", () => between.living === 0);
    await publish(name, ++n);
    await has(got, n);
  }

  got.stream.close();
  assert.deepEqual(got.all, upTo(n));
  assert.deepEqual(got.errors, []);
  assert.equal(got.states.includes("broken"), false);

  // Each time after a pause of 0.5 to 1.5 s, but not one that is longer than
  // retry.max.
  const pauses = between.asked.slice(1).map(({ at: begin }, i) =>
    begin - between.asked[i].end);

  for (const ms of pauses) assert.ok(ms > 350, `${pauses}`);
});


through("stream: one that falls silent is opened again", async between => {
  const name = category("silent");
  const got = listen(at(between.url("/events"), stream)
                     .subscribe(name, { timeout: 0.5, margin: 2 }));

  await until("a cursor", () => got.stream.cursor);
  await publish(name, 1);
  await has(got, 1);
  between.stall();
  await publish(name, 2);
  await has(got, 2);
  got.stream.close();
  assert.deepEqual(got.all, [1, 2]);
  assert.deepEqual(got.errors, []);
  assert.deepEqual(got.states.slice(0, 4), ["connecting", "listening",
                                            "connecting", "listening"]);
  assert.ok(between.asked[0].end - between.asked[0].at > 2450);
});


through("stream: a slow iterator stops the reading", async between => {
  const name = category("bounded");
  const data = "x".repeat(1000), total = 4000;
  let read = 0;

  const client = at(between.url("/events"), { ...stream,
    async fetch(target, init) {
      const response = await fetch(target, init);
      const count = new TransformStream({ transform(piece, to) {
        read += piece.length;
        to.enqueue(piece);
      } }, undefined, { highWaterMark: 0 });

      return new Response(response.body.pipeThrough(count), response);
    } });

  for (let n = 0; n < total; n += 200) {
    await fetch(url("/publish"), { method: "POST", body: JSON.stringify(
      upTo(200).map(i => ({ category: name, data: n + i + data }))) });
  }

  const one = client.subscribe(name, { start: "beginning", queue: 50,
                                       margin: 2 });
  const iterator = one[Symbol.asyncIterator]();
  const states = [], all = [];
  const next = async n => {
    for (; n; n--) all.push(parseInt((await iterator.next()).value.data));
  };

  one.addEventListener("state", ({ detail }) => states.push(detail));
  await until("a pause", () => one.state === "paused");
  await until("no more", async () => {
    const before = read;
    await sleep(200);
    return read === before;
  });
  assert.ok(read < 300e3, `${read} bytes are read`);

  // After a short pause the same stream goes on; a long one ends it.
  await next(1000);
  assert.equal(between.asked.length, 1);
  await until("another pause", () => one.state === "paused");
  await parked(1);
  await parked(0);
  assert.equal(one.state, "paused");

  await next(total - 1000);
  assert.deepEqual(all, upTo(total));
  await until("it to listen", () => one.state === "listening");
  await publish(name, "4001");
  await next(1);
  await iterator.return();
  assert.equal(one.state, "closed");
  await parked(0);
}, 40000);


through("stream: errors are those of polls", async between => {
  for (const status of [401, 403, 404, 429, 503]) {
    between.how = { status, headers: { "Retry-After": 1 } };
    between.asked.length = 0;

    const got = listen(at(between.url("/events"), stream).subscribe("farm"));

    await until(`two errors of ${status}`, () => got.errors.length >= 2);
    got.stream.close();

    const [error] = got.errors;

    assert.ok(error instanceof LongpollError);
    assert.deepEqual([error.status, error.message, error.retryAfter,
                      error.temporary],
                     [status, `the server answered ${status}`, 1,
                      status === 429 || status === 503]);
    assert.deepEqual(got.states.slice(0, 3), ["connecting", "broken",
                                              "connecting"]);
    assert.ok(between.asked[1].at - between.asked[0].at >= 995);
  }

  // auto tries a poll after three streams, and stays with it if it is answered
  between.asked.length = 0;
  between.how = { status: 406 };

  const got = listen(at(between.url("/events")).subscribe("farm"));

  await until("five requests", () => between.asked.length >= 5);
  between.how = {};
  await until("it to listen", () => got.stream.state === "listening");
  got.stream.close();
  assert.deepEqual(kinds(between).slice(0, 5),
                   ["stream", "stream", "stream", "poll", "stream"]);
  assert.equal(got.stream.transport, "stream");
});


test("stream: another server's events are an error", async () => {
  for (const body of ["data: {}\n\n", "data: oink\n\n", "data:\n\n"]) {
    const got = listen(at("/events", { ...stream, fetch: async () =>
      new Response(body, { headers: { "Content-Type":
                                      "text/event-stream; charset=utf-8" } }),
    }).subscribe("farm"));

    await until("an error", () => got.errors.length);
    got.stream.close();
    assert.deepEqual([got.errors[0].status, got.errors[0].message],
                     [200, "the event stream is not one of the module's"]);
    assert.deepEqual(got.all, []);
  }
});


test("stream: a fetch that gives no body to read, or not in time", async () => {
  const name = category("whole");
  const own = async (target, init) => {
    const response = await fetch(target, init);

    return { status: response.status, ok: response.ok, headers:
             response.headers, text: () => response.text() };
  };

  // as those do that log bodies; this one does not care for the signal either
  const end = new AbortController();
  const late = async (target, init) => {
    const response = await fetch(target, { ...init, signal: end.signal });

    return new Response(await response.text(), response);
  };

  for (const one of [own, late]) {
    const got = listen(at("/events", { fetch: one })
                       .subscribe(name, { margin: 1 }));

    await until("it to listen", () => got.stream.state === "listening");
    assert.equal(got.stream.transport, "poll");
    assert.deepEqual(got.errors, []);
    got.stream.close();
  }
  end.abort();
});


through("stream: whatever is between, events once and in order",
        async between => {
  const name = category("any"), total = 1500;
  const hows = [{}, { cuts: 300 }, { split: 5 }, { ends: 200 }, { stalls: 250 },
                { keeps: "all" }, { status: 503 }, { keeps: "body" },
                { split: 100, cuts: 150 }, { cuts: 0 }, { stalls: 0 }];
  const all = ["auto", "stream", "poll"].map(transport =>
    listen(at(between.url("/events"), { transport })
           .subscribe(name, { timeout: 1, margin: 1, start: "beginning" })));
  let turn = 0;
  const change = setInterval(() => {
    between.how = hows[turn++ * 7 % hows.length];
    if (turn % 3 === 0) between.break();
  }, 300);

  try {
    for (const n of upTo(total)) {
      await publish(name, n);
      if (n % 5 === 0) await sleep(20);
    }
  } finally {
    clearInterval(change);
  }

  between.how = {};
  for (const got of all) {
    await has(got, total);
    assert.deepEqual(got.all, upTo(total));
    got.stream.close();
  }
}, 60000);
