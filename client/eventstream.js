// The event stream format of the HTML standard, as an EventSource reads it:
// bytes in, frames out.
//
//     event: place                       lines end in LF, CR or CRLF
//     id: 0198c0de-...                   the last event ID, from here on
//     data: {}                           several are joined by LF
//                                        a blank line ends the frame
//     : a comment
//     retry: 900                         milliseconds
//
// A frame without data is none, but its id counts for the frames behind it.  A
// frame that the end of the body cuts off is dropped.

export class EventStream {
  constructor() {
    this.lines = 0;                     // whole ones so far
    this.retry = undefined;             // as the server said last
    this.lastId = "";

    this._decoder = new TextDecoder();  // drops a byte order mark
    this._pieces = [];                  // of the line that has not ended
    this._returned = false;             // a LF would belong to the CR before it
    this._begin();
  }

  /** Takes bytes, cut anywhere, and returns the frames that they complete. */
  push(bytes) {
    const text = this._decoder.decode(bytes, { stream: true });
    const end = /\r\n?|\n/g;
    const frames = [];
    let from = 0, found;

    if (!text) return frames;           // only a part of a character
    if (this._returned && text[0] === "\n") end.lastIndex = from = 1;
    this._returned = false;

    while ((found = end.exec(text))) {
      this._pieces.push(text.slice(from, found.index));
      this._line(this._pieces.join(""), frames);
      this._pieces = [];
      from = end.lastIndex;
      this._returned = found[0] === "\r" && from === text.length;
    }

    if (from < text.length) this._pieces.push(text.slice(from));
    return frames;
  }

  _begin() {
    this._type = "";
    this._data = [];
  }

  _line(line, frames) {
    this.lines++;
    if (!line) return this._dispatch(frames);

    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");

    if (name === "event") this._type = value;
    if (name === "data") this._data.push(value);
    if (name === "id" && !value.includes("\0")) this.lastId = value;
    if (name === "retry" && /^[0-9]+$/.test(value)) this.retry = Number(value);
    return undefined;
  }

  _dispatch(frames) {
    if (this._data.length) {
      frames.push({ type: this._type || "message", data: this._data.join("\n"),
                    lastId: this.lastId });
    }
    this._begin();
  }
}
