// An event stream that is open: a request whose answer does not end, read piece
// by piece.
//
//     const opened = await Source.open(exchange, ...);
//     opened.answer                    the server answered it as a poll
//     opened.source, .batch            it is open; what came first
//     await source.read(seconds)       the next batch, or null at its end
//
// Nothing is read from the body between two calls of read().

import { ofFrames } from "./batch.js";
import { EventStream } from "./eventstream.js";
import { LongpollError, onAbort, polled, refused, subscription }
  from "./request.js";

const isEventStream = response => response.status === 200
  && /^text\/event-stream\s*(;|$)/i.test(
       response.headers.get("Content-Type") ?? "");

export class Source {
  /**
   * Opens an event stream, whose first line may take `wait` seconds.  Where
   * `polls` is set, the answer to a poll will do instead.  It is null if only a
   * poll will be answered: the server misses an argument of polls, or this
   * fetch cannot read a body piece by piece.
   */
  static async open(exchange, options, url, { wait, margin, polls, ...from }) {
    const init = { headers: { Accept: "text/event-stream" } };

    exchange.allow(wait);

    const response = await exchange.within(
      exchange.fetch(options, subscription(url, from), init));

    if (!isEventStream(response)) {
      const answer = await exchange.within(exchange.answer(response, margin));

      if (!polls) throw refused(answer, "the answer is not an event stream");
      return { answer: lacksTimeout(answer) ? null : polled(answer) };
    }

    if (!response.body?.getReader) {
      if (polls) return { answer: null };
      throw new LongpollError("this fetch cannot read an event stream",
                              { temporary: false });
    }

    const source = new Source(exchange, response.body.getReader(), from.cursor);
    const batch = await source._piece();

    if (batch) return { source, batch };
    throw new LongpollError("the event stream is empty");
  }

  constructor(exchange, reader, cursor) {
    this._exchange = exchange;
    this._reader = reader;
    this._cursor = cursor;
    this._parser = new EventStream();

    // a body of one's own fetch may not care for the signal
    onAbort(exchange.signal, () => reader.cancel().catch(() => {}));
  }

  /** Milliseconds to wait at its end, as the server said; or undefined. */
  get retry() {
    return this._parser.retry;
  }

  /** The next batch, which may take so many seconds; null at the end. */
  async read(seconds) {
    this._exchange.allow(seconds);
    return this._piece();
  }

  // A line is the sign that something comes through: it is never cut off by a
  // server, only by what is in between.
  async _piece() {
    const parser = this._parser, frames = [], { lastId } = parser;

    do {
      const { done, value } = await this._bytes();

      if (done) return null;
      frames.push(...parser.push(value));
    } while (!parser.lines);

    const batch = ofFrames(this._cursor, lastId, frames);

    if (!batch) {
      throw new LongpollError("the event stream is not one of the module's",
                              { status: 200, temporary: true });
    }
    this._cursor = batch.to;
    return batch;
  }

  async _bytes() {
    const { signal } = this._exchange;
    let piece, cause;

    try {
      piece = await this._reader.read();
    } catch (error) {
      cause = error;
    }

    if (!piece || signal.aborted) throw this._exchange.error(cause);
    return piece;
  }
}

const lacksTimeout = ({ json }) =>
  typeof json.error === "string" && json.error.includes("'timeout'");
