/** An event as it was published. `timestamp` is in milliseconds since 1970. */
export interface LongpollEvent<T = any> {
  readonly timestamp: number;
  readonly category: string;
  readonly data: T;
  readonly id: string;
  readonly missed?: undefined;
}

/** Events were dropped before they could be seen: load the state again. */
export interface Missed {
  readonly missed: true;
}

/** A place among all events. At least one of the two is there. */
export type Cursor =
  | { since_time: number; last_id?: string }
  | { since_time?: number; last_id: string };

export type Start = "now" | "beginning" | Cursor;

/**
 * What is said of the connection: "idle" before somebody listens, "broken"
 * between two tries, "offline" while the browser says so and nothing is heard,
 * "paused" while an iterator is behind.
 */
export type State = "idle" | "connecting" | "listening" | "broken" | "offline"
  | "paused" | "closed";

/** How long to wait behind a failure, in seconds: from min, doubled, to max. */
export interface Retry {
  min?: number;
  max?: number;
}

/** What sessionStorage and localStorage have. */
export interface CursorStorage {
  getItem(key: string): string | null | undefined;
  setItem(key: string, value: string): void;
}

type HeadersLike = Record<string, string> | [string, string][] | Headers;

export interface RequestOptions {
  /** Sent with every request; a function is asked before each. */
  headers?: HeadersLike | (() => HeadersLike | Promise<HeadersLike>);
  /** "same-origin" unless said otherwise. */
  credentials?: "omit" | "same-origin" | "include";
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  retry?: Retry;
}

export interface SubscribeOptions extends RequestOptions {
  /** Where to begin if the storage knows nothing; "now". */
  start?: Start;
  /** Keeps the cursor, over reloads of a page for example. */
  storage?: CursorStorage;
  storageKey?: string;
  /**
   * Whether all tabs of the browser share one connection, where it can do
   * that. A string keeps apart what must be: the user's name, if his rights
   * come from `headers`.
   */
  shared?: boolean | string;
  /** How long a poll may wait, in seconds; 45. */
  timeout?: number;
  /** How much longer, before it is given up; 10. */
  margin?: number;
  /** How many events an iterator may be behind before polling pauses; 256. */
  queue?: number;
  signal?: AbortSignal;
}

export interface LongpollOptions extends RequestOptions,
  Pick<SubscribeOptions, "timeout" | "margin" | "queue">
{
  /** The URL of a location with longpoll_subscribe. */
  subscribe?: string | URL;
  /** The URL of a location with longpoll_publish. */
  publish?: string | URL;
}

export interface PublishOptions {
  /** Made up if there is none; null: none is sent, and it is tried once. */
  idempotencyKey?: string | null;
  /** How often it is tried; 6. */
  attempts?: number;
  retry?: Retry;
  /** Seconds for one try; 30. */
  timeout?: number;
  /** Without a category: send text, not JSON. */
  text?: boolean;
  signal?: AbortSignal;
}

/** No answer (status 0), or one that says no. */
export class LongpollError extends Error {
  readonly name: "LongpollError";
  readonly status: number;
  /** Seconds, if the server said when to try again, or 0. */
  readonly retryAfter: number;
  readonly cause?: unknown;
  /** Whether asking again may help without anybody doing anything. */
  readonly temporary: boolean;
}

export interface StreamEvent<D> extends Event {
  readonly detail: D;
}

export interface StreamEvents<T> {
  event: StreamEvent<LongpollEvent<T>>;
  missed: StreamEvent<Missed>;
  error: StreamEvent<Error>;
  state: StreamEvent<State>;
}

type Listener<E> = ((event: E) => void) | { handleEvent(event: E): void };

/** Polling begins with the first iterator, or listener for "event". */
export interface Stream<T = any> extends EventTarget,
  AsyncIterable<LongpollEvent<T> | Missed>
{
  readonly state: State;
  /** Behind what all listeners and iterators are done with; null is now. */
  readonly cursor: Cursor | null;
  /** Ends it. Iterators end, too, with an exception if there is a reason. */
  close(reason?: unknown): void;
  [Symbol.asyncIterator](): AsyncIterableIterator<LongpollEvent<T> | Missed>;
  addEventListener<K extends keyof StreamEvents<T>>(
    type: K, listener: Listener<StreamEvents<T>[K]> | null,
    options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof StreamEvents<T>>(
    type: K, listener: Listener<StreamEvents<T>[K]> | null,
    options?: boolean | EventListenerOptions): void;
}

export class Longpoll {
  constructor(options: LongpollOptions);
  subscribe<T = any>(categories?: string | readonly string[],
                     options?: SubscribeOptions): Stream<T>;
  /**
   * The event's id, or null where CORS hides it. The category is null where
   * nginx's configuration names it.
   */
  publish(category: string | null, data: unknown, options?: PublishOptions):
    Promise<string | null>;
}
