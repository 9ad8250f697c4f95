// What the tabs of a browser have in common: a lock, whose holder polls, and a
// channel, on which the others are told.  When a tab closes the browser gives
// its lock to the next one.

export class Shared {
  static get possible() {
    return typeof BroadcastChannel === "function"
           && typeof globalThis.navigator?.locks?.request === "function";
  }

  constructor(name, heard) {
    this._name = "longpoll " + name;
    this._closed = new AbortController();
    this._channel = new BroadcastChannel(this._name);
    this._channel.onmessage = ({ data }) => heard(data);
    this._channel.unref?.();            // Node's would keep the process alive
  }

  post(message) {
    if (!this._closed.signal.aborted) this._channel.postMessage(message);
  }

  /** Runs what this tab does while it is the one. */
  inTurn(run) {
    return navigator.locks.request(this._name, { signal: this._closed.signal },
                                   run);
  }

  close() {
    this._closed.abort();
    this._channel.close();
  }
}
