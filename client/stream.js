// A stream: reads event streams, or polls, in a loop and hands out the events.
//
// All that comes, in this tab or in another one, goes through _take, as
// batches. All events go through _hand to the listeners and iterators, in the
// zone's order.  The cursor moves with each event that is handed out.
//
//     _run -> _lead -> _flow -> _pass -> _take -> _hand      an event stream
//                  \-> _poll -> _pass -> _take -> _hand      a poll
//     _heard -> _follow -> _take -> _hand          those of another tab
//                  \-> _catchUp -> _ask            if these have a gap

import { ofAnswer } from "./batch.js";
import { isBefore, isSame, toCursor } from "./cursor.js";
import { Queue } from "./iterator.js";
import { Exchange, LongpollError, absolute, backOff, onAbort, poll }
  from "./request.js";
import { Shared } from "./shared.js";
import { Source } from "./source.js";
import { Transport } from "./transport.js";

/** The argument of listeners: `detail` is the event, the error, ... */
class StreamEvent extends Event {
  constructor(type, detail) {
    super(type);
    this.detail = detail;
  }
}

export class Stream extends EventTarget {
  constructor(options, url, categories, own) {
    super();

    const all = { timeout: 45, margin: 10, queue: 256, start: "now",
                  transport: "auto", ...options, ...own };

    this._options = all;
    this._url = absolute("subscribe", url);
    this._categories = [categories].flat();
    this._key = all.storageKey ?? "longpoll "   // of the storage and the tabs
      + JSON.stringify([this._url, [...this._categories].sort()]);

    this._state = "idle";
    this._cursor = toCursor(all.start);         // behind what was handed out
    this._handed = 0;                           // number of items
    this._queues = new Set();                   // of iterators
    this._listened = false;                     // "event" has a listener
    this._begun = this._closed = false;

    this._choice = new Transport(all.transport, all);
    this._transport = null;                     // as it is told
    this._attempt = undefined;                  // aborts the current request
    this._retry = undefined;                    // ends the pause after it
    this._room = undefined;                     // { promise, done }: queues
                                                // have room again
    this._answered = false;                     // the poll before this one
    this._failures = 0;                         // in a row
    this._early = 0;                            // immediate time-outs in a row

    this._shared = undefined;
    this._leading = false;                      // this is the tab that polls
    this._ahead = undefined;                    // the other tab's cursor
    this._catching = undefined;                 // a promise, while catching up
    this._silence = undefined;                  // a timer, in case it hangs

    if (this._cursor === undefined) throw new TypeError("start: not a cursor");

    const unlink = onAbort(all.signal, () => this.close(all.signal.reason));

    this._undo = [unlink];
  }

  get state() {
    return this._state;
  }

  /** What the events come by: "stream" or "poll"; null before it is known. */
  get transport() {
    return this._transport;
  }

  /** Whether other tabs can have this one's connection. */
  get isShared() {
    return this._shared !== undefined && !this._closed;
  }

  /** The cursor behind the events that all iterators have handled. */
  get cursor() {
    const items = [...this._queues].map(queue => queue.oldest).filter(Boolean);
    const [oldest] = items.sort((a, b) => a.n - b.n);

    return oldest ? oldest.before : this._cursor;
  }

  addEventListener(type, ...rest) {
    super.addEventListener(type, ...rest);
    if (type !== "event") return;
    this._listened = true;
    this._begin();
  }

  /** Ends the stream and its iterators; they throw the reason if given. */
  close(reason) {
    if (this._closed) return;

    this._closed = true;
    for (const undo of this._undo ?? []) undo();
    clearTimeout(this._silence);
    this._shared?.close();
    this._attempt?.abort();
    this._retry?.();
    this._room?.done();
    for (const queue of this._queues) queue.end(reason);
    this._save();
    this._say("closed");
  }

  /** Iterates over events, and { missed: true } where some were dropped. */
  [Symbol.asyncIterator]() {
    const queue = new Queue();

    if (this._closed) queue.end(); else this._queues.add(queue);
    this._begin();

    return {
      next: () => {
        const item = queue.next();
        this._save();
        if (!this._full) this._room?.done();
        return item;
      },

      // items left in the queue are not handled: the next stream gets them
      return: async value => {
        queue.returned = undefined;
        queue.end();
        if (this._queues.size === 1 && !this._listened) this.close();
        if (!this._closed) this._queues.delete(queue);
        if (!this._full) this._room?.done();
        return { value, done: true };
      },

      [Symbol.asyncIterator]() { return this; },
    };
  }

  // Requests begin with the first listener or iterator, so it misses nothing.
  // Nothing is dispatched before the page has added its other listeners.

  _begin() {
    if (this._begun || this._closed) return;
    this._begun = true;

    const error = this._restore();

    this._watchNetwork();
    queueMicrotask(() => this._run(error));
  }

  async _run(error) {
    const { shared } = this._options;

    if (error && !this._closed) this._tell(error);
    this._connect();

    if (shared && Shared.possible && !this._closed) {
      this._shared = new Shared(JSON.stringify([shared, this._key]),
                                message => this._heard(message));
    }

    while (!this._closed) {
      await this._vacancy();
      await (this._shared ? this._inTurn() : this._lead());
    }
  }

  // When the network comes back, the request is sent again, since its
  // connection may be dead without a sign.  When it goes, the request is left
  // alone: the server may still be reachable.
  _watchNetwork() {
    if (!globalThis.addEventListener) return;

    const watch = { offline: () => this._say("offline"), online: () => {
      this._failures = 0;
      this._answered = false;
      this._choice.reset();
      if (this._state === "offline") {
        this._say(this._full ? "paused" : "connecting");
      }
      this._again();
    } };

    for (const type in watch) {
      globalThis.addEventListener(type, watch[type]);
      this._undo.push(() => globalThis.removeEventListener(type, watch[type]));
    }
  }

  async _lead() {
    while (!this._closed && !this._full) {
      await (this._choice.next === "stream" ? this._flow() : this._poll());
    }
  }

  // To the other tabs, and to this one.
  _pass(batch) {
    this._shared?.post({ kind: "batch", from: this._cursor, batch });
    this._take(batch);
  }

  // event streams

  async _flow() {
    const exchange = this._attempt = new Exchange();

    this._answered = false;             // a poll after this one is a trial
    const opened = await this._open(exchange);
    const pause = opened && await this._read(exchange, opened);

    exchange.abort();
    if (pause) await this._sleep(pause);
  }

  // Opens an event stream, or takes an answer that came instead, or pauses
  // after a failure.
  async _open(exchange) {
    const { margin } = this._options;
    const { isAuto } = this._choice;
    let opened;

    try {
      opened = await Source.open(exchange, this._options, this._url, {
        categories: this._categories, cursor: this._cursor, polls: isAuto,
        wait: isAuto ? 0.3 * margin : margin, margin,
      });
    } catch (error) {
      if (exchange.aborted) return undefined;

      if (isAuto && exchange.late) {
        this._choice.useless();
      } else {
        this._choice.refused();
        await this._failed(error);
      }
      return undefined;
    }

    if (exchange.aborted || opened.source) return opened;

    this._choice.useless();
    if (opened.answer) {
      this._works("poll");
      this._pass(ofAnswer(this._cursor, opened.answer));
    }
    return undefined;
  }

  // Reads an event stream until it ends, or until an iterator has no room.
  // Returns the milliseconds until the next one.
  async _read(exchange, { source, batch }) {
    const { timeout, margin } = this._options;

    this._choice.opened();
    this._failures = 0;

    try {
      for (; batch; batch = await source.read(timeout + margin)) {
        exchange.rest();
        this._choice.alive();
        this._works("stream");
        this._pass(batch);

        if (this._full && !await this._roomSoon()) return 0;
      }
      this._choice.ended();
    } catch (error) {
      if (exchange.aborted) return 0;

      if (error.status || exchange.late) this._choice.refused();
      else this._choice.ended();

      if (error.status) await this._failed(error);
      else this._connect();

      if (error.status || exchange.late) return 0;
    }

    const { min, max = 30 } = this._options.retry ?? {};
    const { failed } = this._choice;
    const retry = Math.min(source.retry ?? 500 + 1000 * Math.random(),
                           1000 * max);

    return failed > 3 ? Math.max(retry, backOff(failed - 4, { min, max }))
                      : retry;
  }

  // Whether there is room before the server would give up the connection.
  // Until then nothing is read.  A tab that shares does not make the others
  // wait.
  async _roomSoon() {
    if (this._shared || this._closed) return false;

    const timer = setTimeout(() => this._room?.done(),
                             1000 * this._options.margin);

    this._say("paused");
    await this._emptied();
    clearTimeout(timer);
    if (this._full || this._closed) return false;
    this._sayUnlessOffline("listening");
    return true;
  }

  // polls

  async _poll() {
    const answer = await this._ask();

    if (answer) this._pass(ofAnswer(this._cursor, answer));
  }

  // Polls once and returns the answer, or pauses after a failure.  At first and
  // after a failure the poll waits only a second: its answer brings the first
  // cursor and, before the long wait, shows that the server is there.
  async _ask(most = this._options.timeout) {
    const isTrial = !this._cursor || !this._answered;
    const timeout = isTrial ? Math.min(most, 1) : most;
    const attempt = this._attempt = new AbortController();
    const begin = performance.now();
    let answer;

    try {
      answer = await poll(this._options, this._url, {
        categories: this._categories, cursor: this._cursor, timeout,
        margin: this._options.margin, signal: attempt.signal,
      });
    } catch (error) {
      if (!attempt.signal.aborted) {
        this._choice.pollFailed();
        await this._failed(error);
      }
      return undefined;
    }

    if (attempt.signal.aborted) return undefined;
    this._answered = true;
    if (timeout === most) this._failures = 0;   // nginx may refuse the long one
    this._works("poll");

    // a leaving worker does this once or twice; a broken proxy always does
    const early = !answer.events && performance.now() - begin < 200;

    this._early = early ? this._early + 1 : 0;
    if (this._early > 4) await this._pause(this._early - 5);

    return attempt.signal.aborted ? undefined : answer;
  }

  // both

  _connect() {
    this._answered = false;
    this._sayUnlessOffline("connecting");
  }

  // This transport brought something.  What a tab asks to catch up with the one
  // that leads is not the transport of either.
  _works(transport) {
    if (!this._shared || this._leading) {
      if (transport === "poll") this._choice.polled();
      this._by(transport);
    }
    this._say("listening");
  }

  async _failed(error) {
    this._fail(error);
    await this._pause(this._failures++, error.retryAfter);
    this._connect();
  }

  _again() {
    this._attempt?.abort();
    this._retry?.();
  }

  _fail(error) {
    const { message, status, retryAfter, temporary } = error;

    this._sayUnlessOffline("broken");
    if (this._leading) {
      this._shared?.post({ kind: "error", error: { message, status, retryAfter,
                                                   temporary } });
    }
    this._tell(error);
  }

  _pause(failures, retryAfter) {
    return this._sleep(backOff(failures, this._options.retry, retryAfter));
  }

  async _sleep(ms) {
    if (this._closed) return;
    await new Promise(done => {
      const timer = setTimeout(done, ms);
      this._retry = () => { clearTimeout(timer); done(); };
    });
    this._retry = undefined;
  }

  // bounded memory: nothing is read while an iterator's queue is full

  get _full() {
    const { queue } = this._options;
    return [...this._queues].some(({ items }) => items.length >= queue);
  }

  async _vacancy() {
    while (this._full && !this._closed) {
      this._say("paused");
      await this._emptied();
    }
    if (this._state === "paused") this._connect();
  }

  _emptied() {
    if (!this._room) {
      const room = this._room = {};

      room.promise = new Promise(resolve => {
        room.done = () => { this._room = undefined; resolve(); };
      });
    }
    return this._room.promise;
  }

  // batches and events

  _take({ steps, to }) {
    for (const { event, to: behind } of steps) {
      if (this._closed) return;
      if (event) this._hand("event", event, behind);
      else this._hand("missed", { missed: true }, this._cursor);
    }

    if (this._closed) return;
    this._cursor = to;
    this._save();
  }

  _hand(type, value, to) {
    const item = { value, before: this._cursor, n: this._handed++ };

    this._cursor = to;
    for (const queue of this._queues) queue.push(item);
    this.dispatchEvent(new StreamEvent(type, value));
  }

  _say(state) {
    if (state === this._state || this._state === "closed") return;
    this._state = state;
    if (this._leading) this._shared?.post({ kind: "state", state });
    this.dispatchEvent(new StreamEvent("state", state));
  }

  _by(transport) {
    if (transport === this._transport || this._closed) return;
    this._transport = transport;
    if (this._leading) this._shared?.post({ kind: "transport", transport });
    this.dispatchEvent(new StreamEvent("transport", transport));
  }

  // while the browser is offline, another try or failure is no news
  _sayUnlessOffline(state) {
    this._say(globalThis.navigator?.onLine === false ? "offline" : state);
  }

  _tell(error) {
    this.dispatchEvent(new StreamEvent("error", error));
  }

  // the storage

  _restore() {
    try {
      const text = this._options.storage?.getItem(this._key);
      if (text) this._cursor = toCursor(JSON.parse(text)) ?? this._cursor;
    } catch (cause) {
      return new LongpollError("the stored cursor cannot be read",
                               { cause, temporary: false });
    }
    return undefined;
  }

  _save() {
    const { cursor, _options: { storage } } = this;
    if (!storage || !cursor || !this._begun) return;

    try {
      const text = JSON.stringify(cursor);
      if (text !== this._stored) storage.setItem(this._key, text);
      this._stored = text;
    } catch (cause) {
      this._tell(new LongpollError("the cursor cannot be stored",
                                   { cause, temporary: false }));
    }
  }

  // Several tabs.  Each has its own cursor and goes on from there when it gets
  // the lock.

  async _inTurn() {
    const shared = this._shared;

    this._listenForSilence();
    shared.post({ kind: "hello" });
    try {
      await shared.inTurn(async () => {
        this._leading = true;
        clearTimeout(this._silence);
        if (this._catching) this._again();
        await this._catching;
        this._answered = false;
        if (this._state === "broken") this._connect();
        this._here();
        await this._lead();
        this._leading = false;
      });
    } catch (error) {
      this._shared = undefined;         // locks are not allowed here
      shared.close();
    }
  }

  _here() {
    this._shared.post({ kind: "place", cursor: this._cursor,
                        state: this._state, transport: this._transport });
  }

  // The tab that leads posts each batch, at least one in each time-out.  If it
  // hangs, it keeps the lock; then the other tabs poll for themselves until
  // they hear from it again.
  _listenForSilence() {
    const { timeout, margin } = this._options;

    clearTimeout(this._silence);
    this._silence = setTimeout(() => this._catchUp({ since_time: Infinity }),
                               1000 * (timeout + 2 * margin));
  }

  _heard({ kind, cursor, state, transport, error, ...rest }) {
    if (this._closed) return;
    if (this._leading) {
      if (kind === "hello") this._here();
      return;
    }
    if (kind === "hello") return;

    this._listenForSilence();
    if (transport) {
      this._choice.heard(transport);
      this._by(transport);
    }
    if (state && this._state !== "paused") this._say(state);
    if (error) this._tell(new LongpollError(error.message, error));
    if (kind === "batch") this._follow(rest);

    if (kind === "place" && cursor) {
      if (!this._cursor) this._cursor = cursor;
      else if (this._catching || isBefore(this._cursor, cursor)) {
        this._catchUp(cursor);
      }
    }
  }

  // Takes another tab's batch, which leads from one cursor to another.  If
  // there is a gap before it, or no room, this tab polls the zone itself.
  _follow({ from, batch }) {
    const own = this._cursor, { steps, to } = batch;

    if (this._catching || this._full) {
      this._catchUp(to);
    } else if (!own || isSame(own, from)) {
      this._take(batch);
    } else if (isBefore(own, from ?? to)) {
      this._catchUp(to);
    } else {
      this._take({ steps: steps.filter(step => !step.event
                                               || isBefore(own, step.to)),
                   to: isBefore(own, to) ? to : own });
    }
  }

  _catchUp(cursor) {
    this._ahead = cursor;
    if (this._catching) return;

    const isBehind = () => !this._closed && !this._leading
      && (!this._cursor || isBefore(this._cursor, this._ahead));

    this._catching = (async () => {
      await undefined;
      while (isBehind()) {
        await this._vacancy();
        if (!isBehind()) break;

        const from = this._cursor;
        const answer = await this._ask(
          this._ahead.since_time === Infinity ? undefined : 1);

        if (answer) this._take(ofAnswer(from, answer));
      }
      this._catching = undefined;
    })();
  }
}
