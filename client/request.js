// One request and its answer: sends it, limits its time, and checks that the
// answer is one of the module's.  Anything else is a LongpollError.

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

/**
 * Sends a request and returns the answer's status, headers and JSON ({} if it
 * is not JSON).
 *
 * The head of the answer may take `wait` seconds; the body may pause for
 * `margin` seconds.
 */
export async function send(options, url, init, { signal, wait, margin }) {
  const abort = new AbortController();
  const unlink = onAbort(signal, () => abort.abort());
  const aborted = new Promise((_, reject) => onAbort(abort.signal, reject));
  let timer, late = false;

  const allow = seconds => {
    clearTimeout(timer);
    timer = setTimeout(() => { late = true; abort.abort(); }, 1000 * seconds);
  };

  async function exchange() {
    const own = typeof options.headers === "function"
      ? await options.headers() : options.headers;
    const headers = merge(own, init.headers);

    // "no-store": without it, a browser sends only one of several equal polls
    const response = await (options.fetch ?? globalThis.fetch)(url, {
      cache: "no-store", credentials: options.credentials ?? "same-origin",
      ...init, headers, signal: abort.signal,
    });

    return { response, text: await read(response, () => allow(margin)) };
  }

  try {
    allow(wait);

    const { response, text } = await Promise.race([exchange(), aborted]);
    const seconds = Number(response.headers.get("Retry-After"));

    return { status: response.status, ok: response.ok,
             headers: response.headers, json: parse(text),
             retryAfter: seconds > 0 ? seconds : 0 };
  } catch (cause) {
    if (cause instanceof LongpollError) throw cause;
    throw new LongpollError(late ? "no answer in time" : "no answer",
                            { cause });
  } finally {
    clearTimeout(timer);
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

function parse(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

// An answer without a reason that says 200 is not the module's: it is a captive
// portal's page, say, and a retry may reach the module.
function refused({ ok, status, json, retryAfter }, otherwise) {
  if (typeof json.error === "string") {
    return new LongpollError(json.error, { status, retryAfter });
  }

  return ok
    ? new LongpollError(otherwise, { status, retryAfter, temporary: true })
    : new LongpollError(`the server answered ${status}`,
                        { status, retryAfter });
}

/** Polls once: { events } or { timestamp }, and `missed` with either. */
export async function poll(options, url, { categories, cursor, ...limits }) {
  const args = new URLSearchParams(categories.map(name => ["category", name]));

  args.set("timeout", limits.timeout);
  for (const name in cursor) args.set(name, cursor[name]);

  const answer = await send(options, withArguments(url, args), {}, {
    ...limits, wait: limits.timeout + limits.margin,
  });
  const { events, timeout, timestamp, missed } = answer.json;

  if (answer.ok && Array.isArray(events) && events.length
      && events.every(e => e && typeof e.id === "string" && "data" in e
                           && typeof e.category === "string"
                           && Number.isInteger(e.timestamp))) {
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
