// The choice between event streams and polls.
//
// "stream" and "poll" leave none.  "auto" uses event streams where they come
// through, and otherwise polls:
//
//     STREAM ── nothing comes through,
//       ^ ^     or three in a row fail ──> TRIAL ── a poll is answered ──> POLL
//       │ │                                  │                               │
//       │ └── the poll fails as well ────────┘                               │
//       └──── the browser is online again, or some time is over ─────────────┘
//
// An event stream fails if it is refused, or if it falls silent or ends within
// `margin` seconds.  The time in POLL is ten times `retry.max` (5 minutes),
// then twice as long each time, up to an hour.

const most = 3600;                      // seconds
const inARow = 3;

export class Transport {
  constructor(option, { margin, retry: { max = 30 } = {} },
              now = () => performance.now())
  {
    if (!["auto", "stream", "poll"].includes(option)) {
      throw new TypeError("transport: not \"auto\", \"stream\" or \"poll\"");
    }

    this.isAuto = option === "auto";
    this.failed = 0;                    // event streams, in a row
    this._margin = 1000 * margin;
    this._first = Math.min(10 * max, most);
    this._now = now;
    this._polls = option === "poll";
    this._opened = 0;                   // when the event stream came through
    this._until = Infinity;             // the end of POLL; in TRIAL 0
    this.reset();
  }

  /** What to use next. */
  get next() {
    if (this.isAuto && this._polls && this._until
        && this._now() >= this._until)
    {
      this._stream();
    }
    return this._polls ? "poll" : "stream";
  }

  /** The network has changed. */
  reset() {
    this._pause = this._first;
    if (this.isAuto) this._stream();
  }

  /** An event stream came through: its first line is there. */
  opened() {
    this._opened = this._now();
  }

  /** The event stream brought something. */
  alive() {
    if (this._now() - this._opened < this._margin) return;
    this.failed = 0;
    this._pause = this._first;
  }

  /** The event stream ended. */
  ended() {
    if (this._now() - this._opened < this._margin) this.refused();
    else this.failed = 0;
  }

  /** The event stream was refused, or fell silent. */
  refused() {
    this.failed++;
    if (this.failed >= inARow) this.useless();
  }

  /** No event stream comes through. */
  useless() {
    if (!this.isAuto || this._polls) return;
    this._polls = true;
    this._until = 0;
  }

  /** A poll was answered. */
  polled() {
    if (!this.isAuto || this._until) return;
    this._until = this._now() + 1000 * this._pause;
    this._pause = Math.min(2 * this._pause, most);
  }

  /** A poll failed. */
  pollFailed() {
    if (this.isAuto && !this._until) this._stream();
  }

  /** Another tab uses this one. */
  heard(transport) {
    if (transport === "stream") this.reset();
    if (transport === "poll") {
      this.useless();
      this.polled();
    }
  }

  _stream() {
    this._polls = false;
    this._until = Infinity;
    this.failed = 0;
  }
}
