// client/ in Node, against the nginx of client.t, by polls and by event
// streams. No part of the server is imitated: a test that must lose an answer
// drops it behind fetch.

import assert from "node:assert/strict";

import { Longpoll, LongpollError } from "../../../client/longpoll.js";
import { at, counted, has, listen, longpoll, polls, read, retry, storage, test,
         transport, upTo } from "./listen.js";
import { category, nginx, parked, publish, until, url } from "./nginx.js";


test("events of several categories, once and in order", async () => {
  const names = [category("a&b=c +%<é>\""), category("zoo"), category("x")];
  const stream = longpoll.subscribe(names.slice(0, 2));
  const got = listen(stream);
  const seen = [];
  const data = ["oink", "", 0, 2.5, true, false, [], {}, { a: [null] },
                "Grüße, 🐄 \u0000 \u2028", "</script>"];

  stream.addEventListener("event", ({ detail }) => seen.push(detail));
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
  assert.deepEqual(stream.cursor, { since_time: seen.at(-1).timestamp,
                                    last_id: ids.at(-1) });
  assert.deepEqual(got.errors, []);
  stream.close();
  assert.deepEqual(got.states, ["connecting", "listening", "closed"]);
  await parked(0);
});


test("where to begin", async () => {
  const name = category("start");
  const first = await publish(name, 1);

  await publish(name, 2);

  const cursors = { now: "now", beginning: "beginning",
                    id: { last_id: first } };
  const got = {};

  for (const how in cursors) {
    got[how] = listen(longpoll.subscribe(name, { start: cursors[how] }));
  }

  await parked(3);
  await publish(name, 3);
  await has(got.now, 1);
  await has(got.beginning, 3);
  await has(got.id, 2);

  assert.deepEqual(got.now.all, [3]);
  assert.deepEqual(got.beginning.all, [1, 2, 3]);
  assert.deepEqual(got.id.all, [2, 3]);
  for (const how in got) got[how].stream.close();
  assert.throws(() => longpoll.subscribe(name, { start: "then" }), TypeError);
  await parked(0);
});


polls("time-outs move the cursor, and nothing gets lost at one", async () => {
  const name = category("timeouts");
  const { asked, fetch } = counted();
  const got = listen(at("/events", { fetch })
                     .subscribe(name, { timeout: 1 }));

  await until("three polls", () => asked.length >= 3);
  await publish(name, 1);
  await has(got, 1);
  got.stream.close();

  const since = asked.map(({ url }) =>
    Number(new URL(url).searchParams.get("since_time")));

  assert.deepEqual(got.all, [1]);
  assert.ok(since[1] > 1e12 && since[2] > since[1], `${since}`);
});


test("without a pause between answers", async () => {
  const name = category("quick");
  const got = listen(longpoll.subscribe(name, { retry: { min: 8 } }));
  let n = 0;

  await parked(1);
  await until("twenty of them in time", async () => {
    const begin = performance.now();

    for (const end = n + 20; n < end; ) {
      await publish(name, ++n);
      await has(got, n);
    }
    return performance.now() - begin < 4000;
  }, 60);
  got.stream.close();
}, 150000);


test("missed comes between the events around the gap", async () => {
  const name = category("small");
  const client = at("/small");
  const got = listen(client.subscribe(name));
  const order = [];

  await parked(1);
  await publish(name, 1, "/small");
  await has(got, 1);
  got.stream.close();

  const { cursor } = got.stream;

  for (const n of [2, 3, 4, 5]) await publish(name, n, "/small");

  const again = client.subscribe(name, { start: cursor });
  const iterated = again[Symbol.asyncIterator]();
  const heard = listen(again);

  again.addEventListener("missed", ({ detail }) => order.push(detail));
  await has(heard, 3);
  assert.deepEqual(heard.all, ["missed", 4, 5]);
  assert.deepEqual(order, [{ missed: true }]);

  await publish(name, 6, "/small");
  assert.deepEqual(await read(iterated, 4), ["missed", 4, 5, 6]);
  assert.deepEqual(heard.all, ["missed", 4, 5, 6]);
  again.close();
});


test("a storage keeps the cursor of the last handled event", async () => {
  const name = category("stored");
  const kept = storage();
  const options = { storage: kept, start: "beginning" };

  // all of them in one millisecond
  await fetch(url("/publish"), { method: "POST", body: JSON.stringify(
    upTo(5).map(n => ({ category: name, data: n }))) });

  const first = longpoll.subscribe(name, options);
  const iterator = first[Symbol.asyncIterator]();

  for (const n of [1, 2, 3]) {
    assert.equal((await iterator.next()).value.data, n);
  }
  first.close();            // 3 was delivered, but no call waits for a fourth

  assert.deepEqual(await read(longpoll.subscribe(name, options), 2), [3, 4]);

  const last = listen(longpoll.subscribe(name, options));

  await has(last, 1);
  await parked(1);
  assert.deepEqual(last.all, [5]);
  last.stream.close();
  assert.equal(kept.kept.size, 1);

  const [key] = kept.kept.keys();

  kept.setItem(key, "{nonsense");
  const got = listen(longpoll.subscribe(name, options));
  await has(got, 5);
  got.stream.close();
  assert.deepEqual(got.all, upTo(5));
});


test("close and abort", async () => {
  const name = category("abort");
  const abort = new AbortController();
  const aborted = longpoll.subscribe(name, { signal: abort.signal });
  const closed = longpoll.subscribe(name);
  const gone = assert.rejects(read(aborted, 1), /enough/);
  const ended = read(closed, 1);

  await parked(2);
  abort.abort(new Error("enough"));
  await gone;
  await parked(1);
  assert.equal(aborted.state, "closed");

  closed.close();
  assert.deepEqual(await ended, []);
  await parked(0);

  const { asked, fetch } = counted();
  const late = at("/events", { fetch })
    .subscribe(name, { signal: abort.signal });

  assert.deepEqual(await read(late, 1), []);
  await assert.rejects(at("/publish", { fetch })
    .publish(name, 1, { signal: abort.signal }), /enough/);
  assert.deepEqual(asked, []);

  // The signal aborts in the middle of a pause.
  const soon = AbortSignal.timeout(100);
  await assert.rejects(at("/says/503")
    .publish(name, 1, { signal: soon, retry: { min: 60, max: 60 } }),
    { name: "TimeoutError" });
});


test("a foreign answer is an error, and the client asks again", async () => {
  const other = transport === "stream" ? "the answer is not an event stream"
                                       : "the answer is not one to a poll";
  const cases = {
    "/says/401": [401, "the server answered 401", false],
    "/says/403": [403, "the server answered 403", false],
    "/says/404": [404, "the server answered 404", false],
    "/says/429": [429, "the server answered 429", true],
    "/says/503": [503, "the server answered 503", true],
    "/page": [200, other, true],
    "/empty": [200, other, true],
    "/null": [200, other, true],
    ...transport === "poll" && {
      "/strict": [400, "Invalid or missing 'timeout' arg.  Must be 1-10.",
                  false],
      "/short": [200, "Invalid or missing 'timeout' arg.  Must be 1-10.",
                 false],
    },
  };

  await Promise.all(Object.entries(cases).map(async ([path, expected]) => {
    const { asked, fetch } = counted();
    const got = listen(at(path, { fetch })
                       .subscribe("farm", { start: "beginning" }));

    await until(`three errors of ${path}`, () => got.errors.length >= 3);
    got.stream.close();

    const [error] = got.errors;

    assert.ok(error instanceof LongpollError);
    assert.deepEqual([error.status, error.message, error.temporary], expected);
    // nginx answers the short poll before it refuses the long one.
    const states = expected[1].includes("'timeout'")
      ? ["connecting", "listening", "broken"] : ["connecting", "broken"];

    assert.deepEqual(got.states.slice(0, 2 * states.length),
                     [...states, ...states]);
    assert.ok(asked.length <= 4 * (states.length - 1));
  }));

  const { asked, fetch } = counted();
  const got = listen(at("/later", { fetch }).subscribe("farm"));

  await until("a second poll", () => asked.length >= 2);
  got.stream.close();
  assert.equal(got.errors[0].retryAfter, 1);
  assert.ok(asked[1].at - asked[0].at >= 995, "Retry-After counts");
});


test("the client is listening only if its polls are answered", async () => {
  const name = category("true");
  const cursor = { last_id: await publish(name, 0) };

  // Pauses of more than a second, one after the other.
  const refused = listen(at("/says/401", { retry: { min: 2.2, max: 2.2 } })
                         .subscribe(name, { start: cursor }));

  await until("three errors", () => refused.errors.length >= 3);
  refused.stream.close();
  assert.deepEqual(refused.states, ["connecting", "broken", "connecting",
                                    "broken", "connecting", "broken",
                                    "closed"]);

  // nginx takes connections, and its workers do not answer.
  await nginx("hold");

  const held = listen(longpoll.subscribe(name, {
    start: cursor, timeout: 1, margin: 0.5 }));

  await until("an error", () => held.errors.length >= 1);
  assert.deepEqual(held.states.slice(0, 2), ["connecting", "broken"]);
  await nginx("release");
  await until("an answer", () => held.stream.state === "listening");
  await publish(name, 1);
  await has(held, 1);
  held.stream.close();
  assert.deepEqual(held.all, [1]);
});


polls("the first poll, and the first after a failure, is short", async () => {
  const { asked, fetch } = counted();
  const refuses = { now: true };
  const got = listen(at("/events", { fetch: (target, init) =>
    fetch(refuses.now ? url("/says/503") : target, init) })
    .subscribe(category("short"), { start: "beginning", timeout: 8 }));

  const timeouts = () => asked.map(({ url: one }) =>
    Number(new URL(one).searchParams.get("timeout"))).filter(Boolean);

  await until("three errors", () => got.errors.length >= 3);
  refuses.now = false;
  await until("two polls", () => timeouts().length >= 2);
  got.stream.close();
  assert.deepEqual(timeouts(), [1, 8]);
  assert.deepEqual(got.states.slice(-2), ["listening", "closed"]);
});


polls("time-outs that come at once do not make a loop", async () => {
  const { asked, fetch } = counted();
  const got = listen(at("/early", { fetch, retry: { min: 0.2, max: 0.2 } })
                     .subscribe("farm"));

  await until("eight polls", () => asked.length >= 8);
  got.stream.close();
  assert.ok(asked[7].at - asked[0].at > 300);
  assert.deepEqual(got.errors, []);
});


test("pauses grow, and differ", async () => {
  // It must succeed once, on a machine that may stand still now and then.
  await until("pauses that grow", async () => {
    const { asked, fetch } = counted();
    const client = at("/says/503", { fetch, retry: { min: 0.1, max: 0.8 } });
    const one = listen(client.subscribe("one"));

    await until("six errors", () => one.errors.length >= 6);
    one.stream.close();

    const pauses = asked.slice(1, 6).map(({ at }, i) => at - asked[i].at);
    const full = [100, 200, 400, 800, 800];

    // A pause is from half of it to all of it, and a little for the request.
    full.forEach((ms, i) => {
      assert.ok(pauses[i] > ms / 2 - 5, `pause ${i}: ${pauses[i]}`);
    });
    return full.every((ms, i) => pauses[i] < ms + 80);
  }, 60);

  await until("pauses that differ", async () => {
    const { asked, fetch } = counted();
    const many = upTo(12).map(n => listen(at("/says/503", {
      fetch, retry: { min: 0.4, max: 0.4 },
    }).subscribe(`many${n}`)));

    await until("second tries", () => asked.length >= 24);
    many.forEach(({ stream }) => stream.close());

    const seconds = asked.slice(12, 24).map(({ at }) => at);

    return Math.max(...seconds) - Math.min(...seconds) > 40;
  }, 60);
}, 150000);


test("nginx goes, and comes back with another zone", async () => {
  const name = category("restart");
  const got = listen(longpoll.subscribe(name));

  await parked(1);
  await publish(name, 1);
  await has(got, 1);
  await parked(1);
  await nginx("stop");
  await until("three errors", () => got.errors.length >= 3);
  assert.deepEqual([got.errors[0].status, got.errors[0].message],
                   [0, "no answer"]);
  assert.ok(got.states.includes("broken"));

  const waits = longpoll.publish(name, 2, { attempts: 100 });

  await nginx("start");
  await waits;
  await has(got, 3);
  got.stream.close();
  assert.deepEqual(got.all, [1, "missed", 2]);
});


test("the client gives up a poll that hangs, and polls again", async () => {
  const name = category("hang");
  const got = listen(longpoll.subscribe(name, { timeout: 1, margin: 0.5 }));

  await until("a cursor", () => got.stream.cursor);
  await parked(1);
  await nginx("hold");
  await until("an error", () => got.errors.length >= 1);
  await nginx("release");
  assert.equal(got.errors[0].message, "no answer in time");
  await publish(name, 1);
  await has(got, 1);
  got.stream.close();
  assert.deepEqual(got.all, [1]);
});


test("a slow answer is not one that hangs", async () => {
  const name = category("slow");
  const data = "x".repeat(1000);

  for (const n of upTo(24)) await publish(name, n + data);

  const got = listen(at("/slow").subscribe(name, {
    start: "beginning", timeout: 1, margin: 4 }));

  await has(got, 24);
  got.stream.close();
  assert.deepEqual(got.errors, []);
  assert.deepEqual(got.all, upTo(24).map(n => n + data));
});


test("a flood over reloads and killed workers", async () => {
  const names = [category("flood"), category("flood")];
  const all = upTo(3).map(() => listen(longpoll.subscribe(names)));
  const total = 400, ids = [];

  await parked(3);

  const flood = (async () => {
    for (const n of upTo(total)) {
      ids.push(await longpoll.publish(names[n % 2], n, { attempts: 50 }));
    }
  })();

  // The commands come while the publisher still publishes, so that each has an
  // effect.
  for (const [seen, command] of [[60, "kill"], [120, "reload"], [200, "kill"],
                                 [280, "reload"], [340, "kill"]]) {
    await has(all[0], seen);
    await nginx(command);
  }

  await flood;
  for (const got of all) {
    await has(got, total);
    await new Promise(done => setImmediate(done));
    got.stream.close();
    assert.deepEqual(got.all, upTo(total));
    assert.deepEqual(got.ids, ids);
  }
  await parked(0);
}, 60000);


test("publishing again, with the same key", async () => {
  const name = category("again");
  const keys = [];
  const client = new Longpoll({ publish: url("/publish"), retry });
  const got = listen(longpoll.subscribe(name));

  await parked(1);

  const id = await at("/publish", { fetch: lossyFetch(keys) })
    .publish(name, "once");

  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.equal(await client.publish(name, "x", { idempotencyKey: keys[0] }),
               id);

  const other = await client.publish(name, "twice");

  await has(got, 2);
  got.stream.close();
  assert.deepEqual(got.all, ["once", "twice"]);
  assert.deepEqual(got.ids, [id, other]);

  keys.length = 0;
  await assert.rejects(at("/publish", { fetch: lossyFetch(keys) })
    .publish(name, "once", { idempotencyKey: null }), { status: 0 });
  assert.deepEqual(keys, [null]);
});

function lossyFetch(keys) {
  return async (target, init) => {
    const response = await fetch(target, init);
    keys.push(init.headers.get("Idempotency-Key"));
    if (keys.length < 3) throw new TypeError("the answer got lost");
    return response;
  };
}


test("a page in front of nginx is no answer to a publish", async () => {
  const name = category("portal");
  const keys = [];

  // nginx stores the first try, and its answer gets lost.  Then another
  // server's page is in the way.
  const own = async (target, init) => {
    keys.push(init.headers.get("Idempotency-Key"));
    if (keys.length === 2) return fetch(url("/portal"), init);

    const response = await fetch(target, init);

    if (keys.length === 1) throw new TypeError("the answer got lost");
    return response;
  };

  const id = await at("/publish", { fetch: own }).publish(name, 1);
  const got = listen(longpoll.subscribe(name, { start: "beginning" }));

  await has(got, 1);
  got.stream.close();
  assert.deepEqual([got.all, got.ids], [[1], [id]]);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);

  const { asked, fetch: counting } = counted();

  await assert.rejects(at("/portal", { fetch: counting })
    .publish(name, 2, { attempts: 3 }), {
      name: "LongpollError", status: 200, temporary: true,
      message: "the answer is not one to a publish" });
  assert.equal(asked.length, 3);
});


test("mistakes of the program are told as such, and at once", async () => {
  const { asked, fetch } = counted();
  const own = at("/publish", { fetch });

  for (const idempotencyKey of ["", "x".repeat(65), "ключ", "a\nb", "a\0"]) {
    await assert.rejects(own.publish("farm", 1, { idempotencyKey }),
                         { name: "TypeError", message: /^idempotencyKey: / });
  }

  await assert.rejects(at("/publish", { fetch, headers: { "X-Farm": "ключ" } })
    .publish("farm", 1), {
      name: "LongpollError", status: 0, temporary: false,
      message: "the headers cannot be sent" });
  assert.deepEqual(asked, []);

  const id = await own.publish(category("key"), 1, { idempotencyKey: "é 1" });

  assert.match(id, /^[0-9a-f-]{36}$/);

  const says = (message, wrong) =>
    assert.throws(wrong, { name: "TypeError", message });
  const rejects = (message, wrong) =>
    assert.rejects(wrong, { name: "TypeError", message });

  says(/needs \{ subscribe: URL \}/, () => new Longpoll());
  says(/needs \{ subscribe: URL \}/, () => new Longpoll({}));
  says(/without a URL for subscribe/, () =>
    new Longpoll({ publish: url("/publish") }).subscribe("farm"));
  await rejects(/without a URL for publish/, () =>
    new Longpoll({ subscribe: url("/events") }).publish("farm", 1));

  const relative = new Longpoll({ subscribe: "/events", publish: "publish" });

  says(/"\/events" is not .* it must be absolute/, () =>
    relative.subscribe("farm"));
  await rejects(/"publish" is not .* it must be absolute/, () =>
    relative.publish("farm", 1));
  says(/"localhost:80\/events" is not a URL of http/, () =>
    new Longpoll({ subscribe: "localhost:80/events" }).subscribe("farm"));
});


test("the page hears that its storage fails", async () => {
  const name = category("broken");
  const broken = {
    getItem() { throw new Error("no reading"); },
    setItem() { throw new Error("no writing"); },
  };
  const stream = longpoll.subscribe(name, { storage: broken });
  const got = { event: [], state: [], error: [] };

  // Polling begins with the first of these listeners.
  for (const type in got) {
    stream.addEventListener(type, ({ detail }) => got[type].push(detail));
  }

  await until("an answer", () => stream.state === "listening");
  await publish(name, 1);
  await until("the event", () => got.event.length >= 1);
  stream.close();
  assert.equal(got.state[0], "connecting");
  assert.deepEqual(got.error.slice(0, 2).map(e => [e.message, e.cause.message]),
                   [["the stored cursor cannot be read", "no reading"],
                    ["the cursor cannot be stored", "no writing"]]);

  for (const error of got.error) {
    assert.ok(error instanceof LongpollError);
    assert.deepEqual([error.status, error.temporary], [0, false]);
  }
});


test("nginx accepts or refuses a publish", async () => {
  const { asked, fetch } = counted();
  const got = listen(at("/own").subscribe([], { start: "beginning" }));
  const own = at("/own", { fetch });

  assert.match(await own.publish(null, "text", { text: true }),
               /^[0-9a-f-]{36}$/);
  await own.publish(null, "\"text\"", { text: true });
  await own.publish(null, { a: [1] });
  await own.publish(null, "JSON");
  await has(got, 4);
  got.stream.close();
  assert.deepEqual(got.all, ["text", "\"text\"", { a: [1] }, "JSON"]);

  asked.length = 0;
  await assert.rejects(at("/publish", { fetch }).publish("farm", null), {
    name: "LongpollError", status: 400,
    message: "Invalid or missing 'data' arg, must be non-nil." });
  await assert.rejects(at("/says/403", { fetch }).publish("farm", 1),
                       { status: 403 });
  await assert.rejects(at("/page", { fetch }).publish("farm", 1),
                       { status: 405 });
  assert.equal(asked.length, 3, "none is tried again");

  asked.length = 0;
  await assert.rejects(at("/says/503", { fetch })
    .publish("farm", 1, { attempts: 3 }), { status: 503 });
  assert.equal(asked.length, 3);
});


polls("a slow iterator stops the polls", async () => {
  const name = category("bounded");
  const total = 600;
  const held = { now: 0 };
  const client = at("/pieces", { async fetch(target, init) {
    const response = await fetch(target, init);
    held.now += ((await response.clone().json()).events ?? []).length;
    return response;
  } });

  for (const n of upTo(total)) await publish(name, n);

  const stream = client.subscribe(name, { start: "beginning", queue: 50 });
  const states = [];

  stream.addEventListener("state", ({ detail }) => states.push(detail));

  const iterator = stream[Symbol.asyncIterator]();

  await until("a pause", () => stream.state === "paused");
  assert.ok(held.now >= 50 && held.now < 100, `${held.now} at first`);
  await parked(0);

  const all = [];

  for (const n of upTo(total)) {
    all.push((await iterator.next()).value.data);
    assert.ok(held.now - n < 100, `${held.now - n} held`);
  }
  assert.deepEqual(all, upTo(total));
  await until("an answer", () => stream.state === "listening");
  await parked(1);
  await iterator.return();
  assert.equal(stream.state, "closed");
  await parked(0);
}, 60000);


test("headers, and URLs with arguments of their own", async () => {
  const name = category("keyed");
  let asked = 0;
  const client = at("/keyed?farm=a%20b&zoo", {
    headers: async () => ({ "X-Farm-Key": ++asked && "barn door" }) });
  const got = listen(client.subscribe(name));

  await parked(1);
  await client.publish(name, 1);
  await has(got, 1);
  got.stream.close();
  assert.deepEqual(got.all, [1]);
  assert.ok(asked >= 2);

  const plain = at("/keyed?farm=a%20b&zoo",
                   { headers: { "X-Farm-Key": "other" } });
  await assert.rejects(plain.publish(name, 1), { status: 403 });
});


test("listeners and iterators get the same", async () => {
  const name = category("both");
  const stream = longpoll.subscribe(name);
  const got = listen(stream);
  const two = [read(stream, 3), read(stream, 2)];

  await parked(1);
  for (const n of [1, 2, 3, 4]) await publish(name, n);

  assert.deepEqual(await Promise.all(two), [[1, 2, 3], [1, 2]]);
  await has(got, 4);
  assert.equal(stream.state, "listening", "others listen");

  // This listener closes the stream.
  stream.addEventListener("event", () => stream.close());
  await publish(name, 5);
  await until("the end", () => stream.state === "closed");
  await parked(0);
  assert.deepEqual(got.all, [1, 2, 3, 4, 5]);

  const iterator = stream[Symbol.asyncIterator]();
  assert.deepEqual(await iterator.next(), { value: undefined, done: true });
});
