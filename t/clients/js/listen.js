// What the tests of the client share: clients of the test's nginx, and records
// of what they hear.

import { afterEach, test as nodeTest } from "node:test";

import { Longpoll } from "../../../client/longpoll.js";
import { until, url } from "./nginx.js";

export const test = (name, run, timeout = 20000) =>
  nodeTest(name, { timeout }, run);

const streams = [];

afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});

export class Client extends Longpoll {
  subscribe(...own) {
    streams.push(super.subscribe(...own));
    return streams.at(-1);
  }
}

// The transport of the clients, if a test sets none.
export const transport = process.env.LONGPOLL_TRANSPORT || "auto";

// A test of what only polls do.
export const polls = (name, run, timeout = 20000) =>
  nodeTest(name, { timeout, skip: transport !== "poll" }, run);

export const retry = { min: 0.05, max: 0.4 };

/** A client of one location; or of a URL. */
export const at = (path, options) => {
  const whole = path.startsWith("/") ? url(path) : path;
  return new Client({ subscribe: whole, publish: whole, retry, transport,
                      ...options });
};

export const longpoll = new Client({ subscribe: url("/events"),
                                     publish: url("/publish"), retry,
                                     transport });

// Records a stream in order: data and "missed"; and beside it errors, states
// and transports.
export function listen(stream) {
  const got = { all: [], ids: [], errors: [], states: [], transports: [],
                stream };
  const keeps = { missed: [got.all, () => "missed"], error: [got.errors],
                  state: [got.states], transport: [got.transports] };

  for (const type in keeps) {
    const [list, what = detail => detail] = keeps[type];

    stream.addEventListener(type, ({ detail }) => list.push(what(detail)));
  }
  stream.addEventListener("event", ({ detail }) => {
    got.all.push(detail.data);
    got.ids.push(detail.id);
  });
  return got;
}

export const has = (got, n) => until(`${n} of ${got.all.length}`,
                                     () => got.all.length >= n);

export async function read(iterable, n) {
  const all = [];
  for await (const event of iterable) {
    all.push(event.missed ? "missed" : event.data);
    if (all.length === n) break;
  }
  return all;
}

// fetch, with a record of all requests
export function counted() {
  const asked = [];
  const own = (target, init) => {
    asked.push({ url: String(target), at: performance.now(), init });
    return fetch(target, init);
  };
  return { asked, fetch: own };
}

export function storage() {
  const kept = new Map();
  return { kept, getItem: key => kept.get(key) ?? null,
           setItem: (key, value) => kept.set(key, value) };
}

export const upTo = n => Array.from({ length: n }, (_, i) => i + 1);
