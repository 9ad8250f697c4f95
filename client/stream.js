// A stream: polls, one behind the other, and hands out what they bring.
//
// There is one way in, #take, for answers to own polls and for what another
// tab heard alike; and one way out, #hand, to listeners and iterators alike, in
// the order of the zone.  The cursor moves with what is handed out.
//
//     #run -> #lead -> #ask -> #take -> #hand      the polls of this stream
//     #heard -> #follow -> #take -> #hand          another tab's
//                  \-> #catchUp -> #ask            where that has a gap

import { behind, isBefore, isSame, next, toCursor } from "./cursor.js";
import { LongpollError, absolute, backOff, onAbort, poll } from "./request.js";
import { Shared } from "./shared.js";

/** What listeners are given: `detail` is the event, the error, the state. */
export class StreamEvent extends Event {
  constructor(type, detail) {
    super(type);
    this.detail = detail;
  }
}

export class Stream extends EventTarget {
  #options;
  #url;
  #categories;
  #cursor = null;               // behind what was handed out last
  #handed = 0;
  #consumers = new Set();       // the iterators
  #listened = false;            // somebody listens to "event"
  #begun = false;
  #closed = false;
  #state = "idle";
  #attempt;                     // ends the poll that is under way
  #retry;                       // ends the pause behind a failure
  #room;                        // { promise, done }: an iterator has some again
  #failures = 0;
  #early = 0;                   // time-outs in a row that came at once
  #key;                         // of the storage, and the tabs' common name
  #stored;
  #shared;
  #leading = false;             // this tab polls, or none knows of another
  #ahead;                       // the place of the tab that polls
  #catching;
  #undo = [];

  constructor(options, url, categories, own) {
    super();
    this.#options = {
      timeout: 45, margin: 10, queue: 256, start: "now", ...options, ...own,
    };
    this.#url = absolute(url);
    this.#categories = [categories].flat();
    this.#key = this.#options.storageKey ?? "longpoll "
      + JSON.stringify([this.#url, [...this.#categories].sort()]);

    const start = toCursor(this.#options.start);

    if (start === undefined) throw new TypeError("start: not a cursor");
    this.#cursor = start;

    const { signal } = this.#options;

    this.#undo.push(onAbort(signal, () => this.close(signal.reason)));
  }

  /** "idle", "connecting", "listening", "broken", "offline", "paused" or
   *  "closed". */
  get state() {
    return this.#state;
  }

  /** Where to go on: behind what every consumer is done with. */
  get cursor() {
    let oldest;

    for (const { hand, queue } of this.#consumers) {
      const item = hand ?? queue[0];
      if (item && !(oldest?.n <= item.n)) oldest = item;
    }

    return oldest ? oldest.before : this.#cursor;
  }

  addEventListener(type, ...rest) {
    super.addEventListener(type, ...rest);
    if (type !== "event") return;
    this.#listened = true;
    this.#begin();
  }

  /** Ends it; iterators too, by an exception if there is a reason. */
  close(reason) {
    if (this.#closed) return;

    this.#closed = true;
    for (const undo of this.#undo) undo();
    this.#attempt?.abort();
    this.#retry?.();
    this.#room?.done();
    for (const consumer of this.#consumers) consumer.end(reason);
    this.#say("closed");
    this.#shared?.close();
    this.#save();
  }

  /** Events, and { missed: true } where some were dropped. */
  [Symbol.asyncIterator]() {
    const consumer = { queue: [], hand: undefined, waiting: [], end() {} };
    const done = { value: undefined, done: true };
    let ended = this.#closed, why;

    const give = (item, resolve) => {
      consumer.hand = item;
      resolve({ value: item.value, done: false });
    };

    consumer.push = item => {
      if (consumer.waiting.length) give(item, consumer.waiting.shift().resolve);
      else consumer.queue.push(item);
    };

    consumer.end = reason => {
      ended = true;
      why = reason;
      for (const { resolve, reject } of consumer.waiting.splice(0)) {
        if (reason === undefined) resolve(done); else reject(reason);
      }
    };

    if (!ended) this.#consumers.add(consumer);
    this.#begin();

    return {
      next: () => new Promise((resolve, reject) => {
        if (ended && why !== undefined) reject(why);
        else if (ended) resolve(done);
        else {
          consumer.hand = undefined;
          if (consumer.queue.length) give(consumer.queue.shift(), resolve);
          else consumer.waiting.push({ resolve, reject });
          this.#save();
          if (!this.#full) this.#room?.done();
        }
      }),

      // what is left in the queue is still to come for the next stream
      return: async value => {
        consumer.hand = undefined;
        consumer.end();
        if (this.#consumers.size === 1 && !this.#listened) this.close();
        if (!this.#closed) this.#consumers.delete(consumer);
        if (!this.#full) this.#room?.done();
        return { value, done: true };
      },

      [Symbol.asyncIterator]() { return this; },
    };
  }

  // the beginning: the first listener or iterator, so that nothing is missed

  #begin() {
    if (this.#begun || this.#closed) return;
    this.#begun = true;
    this.#restore();
    this.#watchNetwork();
    this.#say("connecting");
    queueMicrotask(() => this.#run());
  }

  async #run() {
    const { shared } = this.#options;

    if (shared && Shared.possible && !this.#closed) {
      this.#shared = new Shared(JSON.stringify([shared, this.#key]),
                                message => this.#heard(message));
    }

    while (!this.#closed) {
      await this.#vacancy();
      await (this.#shared ? this.#inTurn() : this.#lead());
    }
  }

  // A dead connection may look like a silent one, so a network that comes back
  // begins anew; one that goes may not be the one that is needed.
  #watchNetwork() {
    if (!globalThis.addEventListener) return;

    const watch = { offline: () => this.#say("offline"), online: () => {
      this.#failures = 0;
      if (this.#state === "offline") this.#say("connecting");
      this.#attempt?.abort();
      this.#retry?.();
    } };

    for (const type in watch) {
      globalThis.addEventListener(type, watch[type]);
      this.#undo.push(() => globalThis.removeEventListener(type, watch[type]));
    }
  }

  // polls

  async #lead() {
    while (!this.#closed && !this.#full) {
      const from = this.#cursor;
      const answer = await this.#ask();

      if (!answer) continue;
      const to = next(from, answer);

      this.#shared?.post({ kind: "answer", from, to, answer });
      this.#take(answer, to);
    }
  }

  // One poll: its answer, or nothing and a pause.  Without a cursor a second is
  // enough: "now" is safe only once the server has said when that is.
  async #ask(timeout = this.#cursor ? this.#options.timeout : 1) {
    const attempt = this.#attempt = new AbortController();
    const parked = setTimeout(() => this.#say("listening"), 1000);
    const begin = performance.now();
    let answer;

    try {
      answer = await poll(this.#options, this.#url, {
        categories: this.#categories, cursor: this.#cursor, timeout,
        margin: this.#options.margin, signal: attempt.signal,
      });
    } catch (error) {
      clearTimeout(parked);
      if (attempt.signal.aborted) return;

      this.#say(globalThis.navigator?.onLine === false ? "offline" : "broken");
      if (this.#leading) this.#shared?.post({ kind: "error", error: {
        message: error.message, status: error.status } });
      this.#tell(error);
      await this.#pause(this.#failures++, error.retryAfter);
      return;
    }

    clearTimeout(parked);
    if (attempt.signal.aborted) return;
    this.#failures = 0;
    this.#say("listening");

    // a worker that leaves does this once or twice; a broken proxy, always
    const early = !answer.events && performance.now() - begin < 200;

    this.#early = early ? this.#early + 1 : 0;
    if (this.#early > 4) await this.#pause(this.#early - 5);

    return this.#closed ? undefined : answer;
  }

  async #pause(failures, retryAfter) {
    const ms = backOff(failures, this.#options.retry, retryAfter);

    if (this.#closed) return;
    await new Promise(done => {
      const timer = setTimeout(done, ms);
      this.#retry = () => { clearTimeout(timer); done(); };
    });
    this.#retry = undefined;
    if (!this.#closed) this.#say("connecting");
  }

  // bounded memory: no poll while an iterator is behind

  get #full() {
    for (const { queue } of this.#consumers) {
      if (queue.length >= this.#options.queue) return true;
    }
    return false;
  }

  async #vacancy() {
    while (this.#full && !this.#closed) {
      this.#say("paused");
      if (!this.#room) {
        let done;
        this.#room = { promise: new Promise(resolve => { done = resolve; }) };
        this.#room.done = done;
      }
      await this.#room.promise;
      this.#room = undefined;
    }
  }

  // what has come

  #take({ events = [], missed }, to) {
    if (missed) this.#hand("missed", { missed: true }, this.#cursor);

    for (const event of events) {
      if (this.#closed) return;
      this.#hand("event", event, behind(event));
    }

    if (this.#closed) return;
    this.#cursor = to;
    this.#save();
  }

  #hand(type, value, to) {
    const item = { value, before: this.#cursor, n: this.#handed++ };

    this.#cursor = to;
    for (const consumer of this.#consumers) consumer.push(item);
    this.dispatchEvent(new StreamEvent(type, value));
  }

  #say(state) {
    if (state === this.#state || this.#state === "closed") return;
    this.#state = state;
    if (this.#leading) this.#shared?.post({ kind: "state", state });
    this.dispatchEvent(new StreamEvent("state", state));
  }

  #tell(error) {
    this.dispatchEvent(new StreamEvent("error", error));
  }

  // the storage

  #restore() {
    try {
      const text = this.#options.storage?.getItem(this.#key);
      if (text) this.#cursor = toCursor(JSON.parse(text)) ?? this.#cursor;
    } catch (error) {
      this.#tell(error);
    }
  }

  #save() {
    const { cursor } = this;
    if (!this.#options.storage || !cursor) return;

    try {
      const text = JSON.stringify(cursor);
      if (text !== this.#stored) this.#options.storage.setItem(this.#key, text);
      this.#stored = text;
    } catch (error) {
      this.#tell(error);
    }
  }

  // Several tabs.  Each has its own cursor and can go on from there whenever it
  // is its turn to poll.

  async #inTurn() {
    const shared = this.#shared;

    try {
      await shared.inTurn(async () => {
        this.#leading = true;
        await this.#catching;
        shared.post({ kind: "place", cursor: this.#cursor, state: this.#state });
        await this.#lead();
        this.#leading = false;
      });
    } catch (error) {
      if (this.#closed) return;
      this.#shared = undefined;         // it is not allowed here
      shared.close();
    }
  }

  #heard({ kind, cursor, state, error, ...rest }) {
    if (this.#closed) return;

    if (this.#leading) {
      if (kind !== "hello") return;
      this.#shared.post({ kind: "place", cursor: this.#cursor,
                          state: this.#state });
      return;
    }

    if (state) this.#say(state);
    if (error) this.#tell(new LongpollError(error.message, error));
    if (kind === "answer") this.#follow(rest);

    if (cursor) {
      if (!this.#cursor) this.#cursor = cursor;
      else if (isBefore(this.#cursor, cursor)) this.#catchUp(cursor);
    }
  }

  // What the other tab heard between two places.  If there is a gap before the
  // first of them, or no room, the zone is asked for it all instead.
  #follow({ from, to, answer: { events, missed } }) {
    const own = this.#cursor;

    if (!own || isSame(own, from)) {
      if (this.#catching || this.#full) this.#catchUp(to);
      else this.#take({ events, missed }, to);

    } else if (this.#catching || this.#full || isBefore(own, from ?? to)) {
      this.#catchUp(to);

    } else {
      this.#take({ events: events?.filter(e => isBefore(own, behind(e))),
                   missed }, isBefore(own, to) ? to : own);
    }
  }

  #catchUp(place) {
    this.#ahead = place;
    this.#catching ??= (async () => {
      while (!this.#closed && !this.#leading
             && isBefore(this.#cursor, this.#ahead))
      {
        await this.#vacancy();
        const from = this.#cursor;
        const answer = await this.#ask(1);
        if (answer) this.#take(answer, next(from, answer));
      }
      this.#catching = undefined;
    })();
  }
}
