// What an iterator has still to give out, and who waits for it.
//
// An item is { value, before, n }: what is given out, the cursor before it, and
// its number among all that the stream handed out.

export class Queue {
  constructor() {
    this.items = [];
    this.given = undefined;     // the item that was given out last
    this._waiting = [];         // calls of next() that are still to be answered
    this._end = undefined;
  }

  /** The oldest item that may not have been dealt with yet. */
  get oldest() {
    return this.given ?? this.items[0];
  }

  push(item) {
    this.items.push(item);
    this._answer();
  }

  /** The next item, or the end; what was given out before is dealt with. */
  next() {
    if (!this._end) this.given = undefined;

    return new Promise((resolve, reject) => {
      this._waiting.push({ resolve, reject });
      this._answer();
    });
  }

  /** Items that are left are not given out any more. */
  end(reason) {
    if (!this._end) this._end = { reason };
    this._answer();
  }

  _answer() {
    while (this._waiting.length && (this._end || this.items.length)) {
      const { resolve, reject } = this._waiting.shift();

      if (!this._end) {
        this.given = this.items.shift();
        resolve({ value: this.given.value, done: false });
      } else if (this._end.reason === undefined) {
        resolve({ value: undefined, done: true });
      } else {
        reject(this._end.reason);
      }
    }
  }
}
