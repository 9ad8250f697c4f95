// What the tabs of a browser share: a lock, whose holder polls, and a channel,
// on which the holder sends each answer to the others.  When a tab closes, the
// browser passes its lock to the next tab.

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

  /** Calls `run` once this tab holds the lock. */
  inTurn(run) {
    return navigator.locks.request(this._name, { signal: this._closed.signal },
                                   run);
  }

  close() {
    this._closed.abort();
    this._channel.close();
  }
}
