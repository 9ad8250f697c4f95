// The queue of an iterator: items that it has not returned yet, and calls of
// next() that wait for an item.
//
// An item is { value, before, n }: its value, the cursor before it, and its
// number among all items of the stream.

export class Queue {
  constructor() {
    this.items = [];
    this.returned = undefined;  // the item that was returned last
    this._waiting = [];         // calls of next() without an answer
    this._end = undefined;
  }

  /** The oldest item that the user may not have handled yet. */
  get oldest() {
    return this.returned ?? this.items[0];
  }

  push(item) {
    this.items.push(item);
    this._answer();
  }

  /** The next item, or the end; the item before it counts as handled. */
  next() {
    if (!this._end) this.returned = undefined;

    return new Promise((resolve, reject) => {
      this._waiting.push({ resolve, reject });
      this._answer();
    });
  }

  /** Ends the iterator; items that are left are not returned. */
  end(reason) {
    if (!this._end) this._end = { reason };
    this._answer();
  }

  _answer() {
    while (this._waiting.length && (this._end || this.items.length)) {
      const { resolve, reject } = this._waiting.shift();

      if (!this._end) {
        this.returned = this.items.shift();
        resolve({ value: this.returned.value, done: false });
      } else if (this._end.reason === undefined) {
        resolve({ value: undefined, done: true });
      } else {
        reject(this._end.reason);
      }
    }
  }
}
