// The types of client/, as an application uses them; client.t runs tsc on this
// file.  Lines that tsc must reject are marked.

import { Longpoll, LongpollError } from "nginx-longpoll";
import type {
  Cursor, CursorStorage, LongpollEvent, LongpollOptions, Missed, PublishOptions,
  RequestOptions, Retry, Start, State, Stream, StreamEvent, StreamEvents,
  SubscribeOptions, Transport,
} from "nginx-longpoll";

interface Cow {
  cow: string;
}

const abort = new AbortController();
const longpoll = new Longpoll({
  subscribe: "/events",
  publish: new URL("https://www.example.com/publish"),
  headers: async () => ({ Authorization: "Bearer x" }),
  credentials: "include",
  fetch: (url, init) => fetch(url + "&x=1", init),
  retry: { min: 1 },
  timeout: 30,
  transport: "auto",
});

const stream: Stream<Cow> = longpoll.subscribe<Cow>(["farm", "zoo"], {
  start: { last_id: "0198c0de-0000-7000-8000-000000000000" },
  storage: sessionStorage,
  shared: "ann",
  signal: abort.signal,
});

stream.addEventListener("event", ({ detail }) => {
  const event: LongpollEvent<Cow> = detail;
  const cow: string = event.data.cow;
  // @ts-expect-error
  const pig: string = detail.data.pig;
  // @ts-expect-error
  detail.id = "another";
}, { signal: abort.signal });

stream.addEventListener("missed", ({ detail }) => {
  const missed: true = detail.missed;
});

stream.addEventListener("error", { handleEvent({ detail }) {
  const error: LongpollError = detail;
  if (detail.status === 401 && !detail.temporary) stream.close(error);
} });

stream.addEventListener("state", ({ detail }) => {
  const state: State = detail;
  // @ts-expect-error
  if (state === "sleeping") stream.close();
});

stream.addEventListener("transport", ({ detail }) => {
  const transport: "stream" | "poll" = detail;
  // @ts-expect-error
  if (transport === "auto") stream.close();
});

for await (const event of stream) {
  // @ts-expect-error
  event.data.cow;

  if (event.missed) continue;
  const cow: string = event.data.cow;
}

const cursor: Cursor | null = stream.cursor;
const later = longpoll.subscribe("farm", { start: cursor ?? "beginning" });

const id: string | null = await longpoll.publish("farm", { cow: "moo" }, {
  idempotencyKey: "order-17", attempts: 3, signal: AbortSignal.timeout(1000),
});

await longpoll.publish(null, "text", { text: true });

const transport: Transport | null = stream.transport;

// The same with options and handlers that have names of their own.

const retry: Retry = { min: 0.5, max: 30 };
const request: RequestOptions = { headers: [["X-Farm", "1"]], retry };
const options: LongpollOptions = { ...request, subscribe: "/events", queue: 8 };
const kept = new Map<string, string>();
const storage: CursorStorage = {
  getItem: key => kept.get(key),
  setItem: (key, value) => { kept.set(key, value); },
};
const start: Start = { since_time: 1616040198889 };
const from: SubscribeOptions = { ...request, start, storage, margin: 5 };
const once: PublishOptions = { idempotencyKey: null, timeout: 5, retry };

function onEvent({ detail }: StreamEvent<LongpollEvent<Cow>>): string {
  return detail.data.cow;
}

const onMissed = (event: StreamEvents<Cow>["missed"]): Missed => event.detail;

const named = new Longpoll(options).subscribe<Cow>([], from);

named.addEventListener("event", onEvent);
named.addEventListener("missed", onMissed);
named.removeEventListener("event", onEvent);
await longpoll.publish("farm", { cow: "moo" }, once);

// @ts-expect-error
named.addEventListener("state", onEvent);
// @ts-expect-error
const never: Start = {};
// @ts-expect-error
const text: Retry = { min: "1" };
// @ts-expect-error
const half: CursorStorage = { getItem: () => null };

// @ts-expect-error
longpoll.subscribe("farm", { transport: "websocket" });
// @ts-expect-error
new Longpoll();
// @ts-expect-error
longpoll.subscribe(17);
// @ts-expect-error
longpoll.subscribe("farm", { start: "then" });
// @ts-expect-error
longpoll.subscribe("farm", { start: {} });
// @ts-expect-error
await longpoll.publish("farm");
// @ts-expect-error
await longpoll.publish("farm", 1, { idempotencyKey: 17 });
