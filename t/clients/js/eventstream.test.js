// client/eventstream.js against the HTML standard's rules: each body is cut at
// every byte, and into single bytes, and must give the same frames.

import assert from "node:assert/strict";
import { test } from "node:test";

import { EventStream } from "../../../client/eventstream.js";

const message = (data, lastId = "", type = "message") =>
  ({ type, data, lastId });

function parsed(pieces) {
  const parser = new EventStream();
  const frames = pieces.map(piece => parser.push(piece)).flat();

  return { frames, retry: parser.retry, lastId: parser.lastId };
}

function gives(body, frames, more = {}) {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body)
                                         : Uint8Array.from(body);
  const expected = { retry: undefined, lastId: frames[frames.length - 1]?.lastId
                     ?? "", ...more, frames };
  const cut = (...at) => [0, ...at].map((from, i) =>
    bytes.subarray(from, at[i] ?? bytes.length));

  assert.deepEqual(parsed([bytes]), expected);
  assert.deepEqual(parsed([...bytes].map(byte => Uint8Array.of(byte))),
                   expected);
  for (let i = 0; i <= bytes.length; i++) {
    assert.deepEqual(parsed(cut(i)), expected, `cut at ${i}`);
    assert.deepEqual(parsed(cut(i, Math.min(i + 2, bytes.length))), expected);
  }
}


test("event streams: lines end in LF, CR or CRLF, even mixed", () => {
  const frames = [message("a\nb"), message("c")];

  gives("data: a\ndata: b\n\ndata: c\n\n", frames);
  gives("data: a\rdata: b\r\rdata: c\r\r", frames);
  gives("data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", frames);
  gives("data: a\rdata: b\n\rdata: c\r\n\n", frames);
  gives("data: a\ndata: b\r\n\ndata: c\n\r", frames);
  gives("data: a\n\r\ndata: c\r\r\n", [message("a"), message("c")]);
});


test("event streams: UTF-8, cut inside a character", () => {
  gives("data: Grüße, 🐄 \u2028\u0085\n\n",
        [message("Grüße, 🐄 \u2028\u0085")]);
  gives([...Buffer.from("data: "), 0xf0, 0x9f, 0x90, 0x0a, 0x0a],
        [message("\ufffd")]);
  gives([...Buffer.from("data: "), 0xff, 0xc3, 0x28, 0x0a, 0x0a],
        [message("\ufffd\ufffd(")]);
  gives("data: a\0b\n\n", [message("a\0b")]);
});


test("event streams: one byte order mark is dropped, at the start", () => {
  gives("\ufeffdata: a\n\n", [message("a")]);
  gives("\ufeff\ufeffdata: a\n\n", []);
  gives("data: a\n\n\ufeffdata: b\n\n", [message("a")]);
  gives("\ufeff", []);
});


test("event streams: one blank behind the colon belongs to it", () => {
  gives("data:a\n\ndata: a\n\ndata:  a\n\ndata:\ta\n\ndata: a \n\n",
        [message("a"), message("a"), message(" a"), message("\ta"),
         message("a ")]);
  gives("data:a:b\n\ndata: : b\n\n", [message("a:b"), message(": b")]);
});


test("event streams: data over several lines, and empty data", () => {
  gives("data\n\ndata:\n\ndata\ndata\n\n",
        [message(""), message(""), message("\n")]);
  gives("data: 1\nevent: x\ndata: 2\ndata:\n\n", [message("1\n2\n", "", "x")]);
});


test("event streams: a frame without data is none", () => {
  gives("event: x\n\ndata: a\n\n", [message("a")]);
  gives("\n\n\nevent: x\nevent\ndata: a\n\n", [message("a")]);
  gives("id: 1\n\ndata: a\n\n", [message("a", "1")]);
  gives("id: 1\n\n", [], { lastId: "1" });
  gives("retry: 7\n\n", [], { retry: 7 });
});


test("event streams: an id stays, may be emptied, and has no NUL", () => {
  gives("id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: 2\ndata: d\n\n",
        [message("a", "1"), message("b", "1"), message("c", ""),
         message("d", "2")]);
  gives("id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n",
        [message("a", "1"), message("b", "1")]);
});


test("event streams: retry has only digits", () => {
  gives("retry: 900\nretry: 1e3\nretry: -1\nretry: 5.0\nretry:\nretry: ٣\n",
        [], { retry: 900 });
  gives("retry: 0900\n", [], { retry: 900 });
  gives("retry:  900\nretry: 900 \n", []);
});


test("event streams: comments and unknown fields say nothing", () => {
  gives(":\n: data: a\n:data\ndata: b\n:x\ndata: c\n\n", [message("b\nc")]);
  gives("Data: a\n data: a\ndata : a\nevents: x\ndat\n: \ndata: b\n\n",
        [message("b")]);
});


test("event streams: what the end cuts off is dropped", () => {
  gives("data: a\n\ndata: b\n", [message("a")]);
  gives("data: a\n\ndata: b", [message("a")]);
  gives("data: a\n\nid: 2\nevent: x\ndata: b\n", [message("a")],
        { lastId: "2" });
  gives("", []);
});


test("event streams: long lines take no longer than short ones", () => {
  const piece = new TextEncoder().encode("x".repeat(1000));
  const parser = new EventStream();
  const begin = performance.now();

  parser.push(new TextEncoder().encode("data: "));
  for (let i = 0; i < 20000; i++) assert.deepEqual(parser.push(piece), []);

  const [frame] = parser.push(new TextEncoder().encode("\n\n"));

  assert.equal(frame.data.length, 20e6);
  assert.ok(performance.now() - begin < 5000);
});
