// What the tabs of a browser have in common: a lock, whose holder polls, and a
// channel, on which the others are told.  When a tab closes the browser gives
// its lock to the next one.

export class Shared {
  static get possible() {
    return typeof BroadcastChannel === "function"
           && typeof globalThis.navigator?.locks?.request === "function";
  }

  #name;
  #channel;
  #closed = new AbortController();

  constructor(name, heard) {
    this.#name = "longpoll " + name;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => heard(data);
    this.#channel.unref?.();            // Node's would keep the process alive
    this.post({ kind: "hello" });
  }

  post(message) {
    if (!this.#closed.signal.aborted) this.#channel.postMessage(message);
  }

  /** Runs what this tab does while it is the one. */
  inTurn(run) {
    return navigator.locks.request(this.#name, { signal: this.#closed.signal },
                                   run);
  }

  close() {
    this.#closed.abort();
    this.#channel.close();
  }
}
