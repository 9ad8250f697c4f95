// One request and its answer: sends it, limits its time, and checks that the
// answer is one of the module's.  Anything else is a LongpollError.

import { isEvent, parse } from "./batch.js";

/** An error: no answer (`status` is 0), or an answer that is none or refuses. */
export class LongpollError extends Error {
  constructor(message, { status = 0, retryAfter = 0, cause,
                         temporary = !status || status === 429 || status >= 500,
                       } = {}) {
    super(message);
    this.name = "LongpollError";
    this.status = status;
    this.retryAfter = retryAfter;       // seconds, as the server asked for
    this.temporary = temporary;         // a retry may succeed
    if (cause !== undefined) this.cause = cause;
  }
}

/** Milliseconds to wait after failure n in a row; the first one is 0. */
export function backOff(n, { min = 0.5, max = 30 } = {}, retryAfter = 0) {
  const half = Math.min(max, min * 2 ** n) / 2;

  return 1000 * (Math.max(half, Math.min(retryAfter, 3600))
                 + Math.random() * half);
}

/** Calls `abort` when the signal aborts; returns a function that unlinks it. */
export function onAbort(signal, abort) {
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  return () => signal?.removeEventListener("abort", abort);
}

/** Adds arguments in front of those that the url has. */
export function withArguments(url, args) {
  const whole = new URL(url);

  whole.search = args + (whole.search ? "&" + whole.search.slice(1) : "");
  whole.hash = "";
  return whole.href;
}

/** Resolves a client's URL of that name against the page, if there is one. */
export function absolute(name, url) {
  const page = globalThis.document?.baseURI ?? globalThis.location?.href;
  let whole;

  if (url === undefined) {
    throw new TypeError(`the client was made without a URL for ${name}`);
  }

  try {
    whole = new URL(url, page);
  } catch {
    throw new TypeError(`${name}: "${url}" is not a URL`
                        + (page ? "" : "; without a page it must be absolute"));
  }

  if (!/^https?:$/.test(whole.protocol)) {
    throw new TypeError(`${name}: "${url}" is not a URL of http or https`);
  }

  return whole.href;
}

/** A request under way: its limit of time, and its end. */
export class Exchange {
  constructor() {
    this.aborted = false;               // by abort()
    this.late = false;                  // by its own limit

    this._controller = new AbortController();
    this._timer = undefined;
    this._aborted = new Promise((_, reject) =>
      onAbort(this._controller.signal, reject));
    this._aborted.catch(() => {});
  }

  get signal() {
    return this._controller.signal;
  }

  abort() {
    if (this.signal.aborted) return;
    this.aborted = true;
    this._controller.abort();
  }

  /** What follows may take so many seconds. */
  allow(seconds) {
    this.rest();
    if (this.signal.aborted) return;
    this._timer = setTimeout(() => { this.late = true;
                                     this._controller.abort(); },
                             1000 * seconds);
  }

  /** What follows may take any time. */
  rest() {
    clearTimeout(this._timer);
  }

  /** Sends the request and returns the Response. */
  async fetch(options, url, init) {
    const own = typeof options.headers === "function"
      ? await options.headers() : options.headers;
    const headers = merge(own, init.headers);

    // "no-store": without it, a browser sends only one of several equal polls
    return (options.fetch ?? globalThis.fetch)(url, {
      cache: "no-store", credentials: options.credentials ?? "same-origin",
      ...init, headers, signal: this.signal,
    });
  }

  /** The answer of a Response, whose body may pause for `margin` seconds. */
  async answer(response, margin) {
    const text = await read(response, () => this.allow(margin));
    const seconds = Number(response.headers.get("Retry-After"));

    return { status: response.status, ok: response.ok,
             headers: response.headers, json: parse(text) ?? {},
             retryAfter: seconds > 0 ? seconds : 0 };
  }

  /** The value of a promise, even one that does not care for the signal. */
  async within(promise) {
    try {
      return await Promise.race([promise, this._aborted]);
    } catch (cause) {
      throw this.error(cause);
    }
  }

  error(cause) {
    if (cause instanceof LongpollError) return cause;
    return new LongpollError(this.late ? "no answer in time" : "no answer",
                             { cause });
  }
}

/**
 * Sends a request and returns the answer's status, headers and JSON ({} if it
 * is not JSON).
 *
 * The head of the answer may take `wait` seconds; the body may pause for
 * `margin` seconds.
 */
export async function send(options, url, init, { signal, wait, margin }) {
  const exchange = new Exchange();
  const unlink = onAbort(signal, () => exchange.abort());

  async function answer() {
    return exchange.answer(await exchange.fetch(options, url, init), margin);
  }

  try {
    exchange.allow(wait);
    return await exchange.within(answer());
  } finally {
    exchange.rest();
    unlink();
  }
}

// a header that cannot be sent is the program's mistake, not the network's
function merge(own, more = {}) {
  try {
    const headers = new Headers(own);

    for (const name in more) headers.set(name, more[name]);
    return headers;
  } catch (cause) {
    throw new LongpollError("the headers cannot be sent",
                            { cause, temporary: false });
  }
}

async function read(response, alive) {
  if (!response.body?.getReader) return response.text();

  const reader = response.body.getReader();
  const decoder = new TextDecoder();

  for (let text = ""; ; alive()) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
  }
}

// An answer without a reason that says 200 is not the module's: it is a captive
// portal's page, say, and a retry may reach the module.
export function refused({ ok, status, json, retryAfter }, otherwise) {
  if (typeof json.error === "string") {
    return new LongpollError(json.error, { status, retryAfter });
  }

  return ok
    ? new LongpollError(otherwise, { status, retryAfter, temporary: true })
    : new LongpollError(`the server answered ${status}`,
                        { status, retryAfter });
}

/** The URL of a poll or an event stream. */
export function subscription(url, { categories, cursor, timeout }) {
  const args = new URLSearchParams(categories.map(name => ["category", name]));

  if (timeout) args.set("timeout", timeout);
  for (const name in cursor) args.set(name, cursor[name]);
  return withArguments(url, args);
}

/** Polls once: { events } or { timestamp }, and `missed` with either. */
export async function poll(options, url, { categories, cursor, ...limits }) {
  const { timeout } = limits;

  return polled(await send(
    options, subscription(url, { categories, cursor, timeout }), {},
    { ...limits, wait: timeout + limits.margin }));
}

/** The same of an answer that is there. */
export function polled(answer) {
  const { events, timeout, timestamp, missed } = answer.json;

  if (answer.ok && Array.isArray(events) && events.length
      && events.every(isEvent))
  {
    return { events, missed: missed === true };
  }

  if (answer.ok && typeof timeout === "string" && Number.isInteger(timestamp)) {
    return { timestamp, missed: missed === true };
  }

  throw refused(answer, "the answer is not one to a poll");
}

/** Publishes once: the event's id, or null where CORS hides it. */
export async function post(options, url, init, limits) {
  const answer = await send(options, url, { method: "POST", ...init }, limits);

  if (answer.ok && answer.json.success === true) {
    return answer.headers.get("Longpoll-Event-Id");
  }

  throw refused(answer, "the answer is not one to a publish");
}

/** A random key. */
export function newKey() {
  const bytes = new Uint8Array(16);

  // pages without TLS have no randomUUID; Node 18 has no crypto at all
  if (globalThis.crypto) crypto.getRandomValues(bytes);
  else bytes.forEach((_, i) => { bytes[i] = Math.random() * 256; });

  return Array.from(bytes, b => b.toString(16).padStart(2, "0")).join("");
}
