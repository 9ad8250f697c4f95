// A client of nginx's long polling module, for browsers and Node: polls and
// publishes.  See README.md for its use and longpoll.d.ts for all types.

import { LongpollError, absolute, backOff, newKey, onAbort, post }
  from "./request.js";
import { Stream } from "./stream.js";

export { LongpollError };

export class Longpoll {
  constructor(options) {
    if (!options?.subscribe && !options?.publish) {
      throw new TypeError("a client needs { subscribe: URL } or "
                          + "{ publish: URL }, or both");
    }
    this._options = options;
  }

  /** A stream of the events of one or several categories. */
  subscribe(categories = [], options = {}) {
    return new Stream(this._options, this._options.subscribe, categories,
                      options);
  }

  /**
   * Publishes an event and returns its id.  Retries use the same idempotency
   * key, so the event is stored once.  The category is null where nginx's
   * configuration names it; then the body is the data alone.
   */
  async publish(category, data, options = {}) {
    const { signal, idempotencyKey = newKey(), timeout = 30,
            attempts = idempotencyKey === null ? 1 : 6,
            retry = this._options.retry } = options;
    const text = options.text && category === null;
    const url = absolute("publish", this._options.publish);
    const headers = {
      "Content-Type": text ? "text/plain; charset=utf-8" : "application/json",
    };
    const body = text ? String(data)
      : JSON.stringify(category === null ? data : { category, data });

    if (idempotencyKey !== null) {
      if (!/^[ -~\x80-\xff]{1,64}$/.test(idempotencyKey)) {
        throw new TypeError("idempotencyKey: must be 1-64 bytes that a header "
                            + "can carry");
      }
      headers["Idempotency-Key"] = idempotencyKey;
    }

    for (let n = 1; !signal?.aborted; n++) {
      try {
        return await post(this._options, url, { headers, body },
                          { signal, wait: timeout, margin: timeout });
      } catch (error) {
        if (signal?.aborted) break;
        if (!error.temporary || n >= attempts) throw error;
        await pause(backOff(n - 1, retry, error.retryAfter), signal);
      }
    }

    throw signal.reason;
  }
}

function pause(ms, signal) {
  return new Promise(done => {
    const timer = setTimeout(() => { unlink(); done(); }, ms);
    const unlink = onAbort(signal, () => { clearTimeout(timer); done(); });
  });
}
