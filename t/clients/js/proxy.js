// A proxy in front of nginx that does to bodies what proxies do.
//
//     const between = await Between.start();
//     between.how = { split: 1 };       from the next request on
//     at(between.url("/events"))        the same location, through it
//     between.asked                     what was requested: url, accept, at, end
//     await between.close();
//
// `how` may have
//
//     keeps: "body", "all"    the body, or even the head, until its end
//     split: n                pieces of n bytes, each sent by itself
//     cuts: ms, ends: ms      breaks the connection, or ends the body, then
//     stalls: ms              passes nothing on from then on
//     status: n, headers      answers itself
//     asks: (url, headers) => ...       changes the request
//
// break() and stall() do so at once, to all that is under way.

import { once } from "node:events";
import { createServer, request } from "node:http";

export class Between {
  static async start() {
    const between = new Between();

    await new Promise(done => between._server.listen(0, "127.0.0.1", done));
    return between;
  }

  constructor() {
    this.how = {};
    this.asked = [];
    this._living = new Set();
    this._server = createServer((from, to) => this._take(from, to));
  }

  url(path) {
    return `http://127.0.0.1:${this._server.address().port}${path}`;
  }

  /** Requests that have not ended. */
  get living() {
    return this._living.size;
  }

  /** A line for each of them, for a test that failed. */
  describe() {
    return [...this._living].map(one => `${one.describe()}\n`).join("");
  }

  break() {
    for (const one of this._living) one.cut();
  }

  stall() {
    for (const one of this._living) one.stall();
  }

  async close() {
    this.break();
    this._server.closeAllConnections();
    await new Promise(done => this._server.close(done));
  }

  _take(from, to) {
    const { how } = this;
    const url = new URL(from.url, process.env.LONGPOLL_URL);
    const headers = { ...from.headers, host: url.host };
    const asked = { url, accept: headers.accept, at: performance.now() };

    this.asked.push(asked);
    if (how.status) return to.writeHead(how.status, how.headers).end("no");
    how.asks?.(url, headers);

    const behind = request(url, { method: from.method, headers,
                                  agent: false });
    const one = new Passage(how, behind, to);

    this._living.add(one);
    to.on("close", () => {
      asked.end = performance.now();
      one.end();
      this._living.delete(one);
    });
    return from.pipe(behind);
  }
}

// One request: what is there of the answer, and how much of it was passed on.
class Passage {
  constructor(how, behind, to) {
    this._how = how;
    this._behind = behind;
    this._to = to;
    this._stalls = false;
    this._timers = [];
    this._ended = new AbortController();

    behind.on("response", response => this._pass(response));
    behind.on("error", () => this.cut());
  }

  describe() {
    const { _behind: behind, _to: to } = this;

    return `${behind.path}: from port ${to.socket?.remotePort},`
      + ` ${to.destroyed ? "gone" : "there"}; to nginx from port`
      + ` ${behind.socket?.localPort}, ${behind.destroyed ? "gone" : "there"};`
      + ` stalls ${this._stalls}, full ${to.writableNeedDrain}`;
  }

  cut() {
    this._to.destroy();
  }

  stall() {
    this._stalls = true;
  }

  end() {
    this._timers.forEach(clearTimeout);
    this._ended.abort();
    this._behind.destroy();
  }

  async _pass(response) {
    const { keeps, split, cuts, ends, stalls } = this._how;
    const to = this._to, kept = [];
    const after = (ms, run) => ms !== undefined
      && this._timers.push(setTimeout(run, ms));

    after(cuts, () => this.cut());
    after(ends, () => { this.stall(); to.end(); });
    after(stalls, () => this.stall());

    if (keeps !== "all") this._head(response);

    try {
      for await (const piece of response) {
        if (keeps) {
          kept.push(piece);
        } else {
          await this._write(piece, split ?? piece.length);
        }
        if (this._stalls) return;
      }
    } catch {
      return this.cut();
    }

    if (this._stalls) return undefined;
    if (keeps === "all") this._head(response);
    return to.end(Buffer.concat(kept));
  }

  _head({ statusCode, headers }) {
    this._to.writeHead(statusCode, headers);
    this._to.flushHeaders();
  }

  // waits while the client does not read, so that nginx notices
  async _write(bytes, size) {
    for (let at = 0; at < bytes.length && !this._stalls; at += size) {
      if (!this._to.write(bytes.subarray(at, at + size))) {
        await once(this._to, "drain", { signal: this._ended.signal });
      }
      if (size < bytes.length) await new Promise(setImmediate);
    }
  }
}
