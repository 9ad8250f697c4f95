// The demo's chat: joins, listens and sends messages.
//
// Each window is a user of its own.  Its token is in sessionStorage and is sent
// with every request.  If the application does not know the token any more, the
// window joins again.
//
// All windows of a browser share one stream: with HTTP/1.1 a browser has only
// six connections to a server.  So the stream is opened with the tokens of all,
// and each window shows what is for its own user.  (In an application whose
// users are known by a cookie, all windows have one user, and `shared: true` is
// enough.) The name of a lock that the window holds says that it is there.

import { Longpoll } from "./client/longpoll.js";
import { become, chosen, heard, note } from "./talks.js";
import { shown } from "./wire.js";

const $ = id => document.getElementById(id);
const pick = list => list[Math.floor(Math.random() * list.length)];
const first = ["Amber", "Brisk", "Clever", "Dapper", "Eager", "Gentle", "Lucky",
               "Mellow", "Quiet", "Swift", "Tidy", "Witty"];
const second = ["Badger", "Crane", "Fox", "Heron", "Hare", "Lynx", "Marten",
                "Otter", "Raven", "Seal", "Stoat", "Wren"];
const anyName = () => pick(first) + " " + pick(second);

let joining;                            // the promise of join(), if it runs

sessionStorage.token ||= [...crypto.getRandomValues(new Uint8Array(16))]
  .map(b => b.toString(16).padStart(2, "0")).join("");

const auth = (...others) => ({
  Authorization: "Bearer " + [sessionStorage.token, ...others].join(","),
});
const longpoll = new Longpoll({ subscribe: "events", publish: "say",
                                headers: auth, timeout: 25, retry: { max: 10 },
                                fetch: shown });


// the windows of this browser

const lock = "chat ";                   // and a token
const windows = globalThis.BroadcastChannel && new BroadcastChannel("chat");
let stream, held, group = 0;

async function others() {
  if (!navigator.locks) return [];

  const locks = await navigator.locks.query();

  return locks.held.filter(({ name }) => name.startsWith(lock))
    .map(({ name }) => name.slice(lock.length))
    .filter(token => token !== sessionStorage.token);
}

// Keeps this window's lock.  A window that is a copy of another one has the
// same token, and gets the lock when the other one closes.
const hold = options => new Promise(done => {
  navigator.locks.request(lock + sessionStorage.token, options, own => {
    done(own);
    return own && new Promise(() => {});
  });
});

// A window that has joined says so, and all move to a new group.  Only windows
// of a group share a stream, and its stream has the tokens of all of them.
async function here() {
  if (navigator.locks) {
    held ??= hold({ ifAvailable: true }).then(own => { own || hold({}); });
    await held;
  }
  move(Math.max(group + 1, Date.now()));
  windows?.postMessage(group);
}

function move(to) {
  if (to <= group) return;
  group = to;
  if (stream) listen(stream.cursor);
}

windows?.addEventListener("message", ({ data }) => move(data));


// the user

async function ask(name) {
  const { token } = sessionStorage;
  const answer = await shown("join", { method: "POST", cache: "no-store",
                                       body: JSON.stringify({ name, token }) });
  const told = await answer.json().catch(() => ({}));

  if (answer.ok) {
    sessionStorage.name = $("name").value = told.name;
    become(told);
  } else if (answer.status >= 500) {
    throw new Error("the application does not answer");
  }
  return { status: answer.status, error: told.error };
}

// A name that is taken is replaced by a random one.
async function join() {
  let name = sessionStorage.name;

  for (let tries = 0; tries < 20; tries++, name = undefined) {
    if ((await ask(name ?? anyName())).status === 200) return here();
  }
  throw new Error("no free name found");
}

const again = () => joining ??= join().finally(() => { joining = undefined; });

$("name").addEventListener("change", rename);
$("rename").addEventListener("click", () => $("name").select());

async function rename() {
  const name = $("name").value.trim();

  if (!name || name === sessionStorage.name) {
    $("name").value = sessionStorage.name;
    return;
  }
  try {
    const { error } = await ask(name);
    if (error) throw new Error(error);
  } catch ({ message }) {
    note(message);
    $("name").value = sessionStorage.name;
  }
}

addEventListener("pagehide", () => {
  fetch("leave", { method: "POST", headers: auth(), keepalive: true });
});


// events and messages

function state(name, text) {
  $("state").dataset.state = name;
  $("state").firstChild.textContent = text;
}

// status 0: there was no answer
function why({ status, message }) {
  return status === 0 ? "nginx does not answer" : message;
}

// "beginning" asks for everything in the zone
function listen(start = "beginning") {
  stream?.close();

  const one = stream = longpoll.subscribe([], {
    start, shared: "group " + group,
    headers: async () => auth(...await others()),
  });

  one.addEventListener("missed", () => note("Some messages were missed."));
  one.addEventListener("event", ({ detail }) => heard(detail));
  one.addEventListener("error", async ({ detail }) => {
    state("broken", why(detail));
    if (detail.status === 401) await again().catch(() => {});
  });
  one.addEventListener("state", ({ detail }) => {
    if (detail !== "listening") return;
    state("listening", "listening");
    $("unshared").hidden = one.isShared;
  });
  one.addEventListener("transport", ({ detail }) => {
    $("transport").textContent = detail === "stream"
      ? "The messages come down a stream."
      : "No stream comes through here: this browser polls.";
  });
}

async function say(to, text, attempts) {
  try {
    await longpoll.publish(null, { to, text }, { attempts });
  } catch (error) {
    if (error.status !== 401) throw error;
    await again();
    await longpoll.publish(null, { to, text }, { attempts: 1 });
  }
}

$("form").addEventListener("submit", async event => {
  event.preventDefault();

  const text = $("text").value;

  try {
    await rename();
    await say(chosen(), text, 2);
    if ($("text").value === text) $("text").value = "";
  } catch (error) {
    note("Not sent: " + why(error));
  }
});

// nginx or the application may be down
async function begin() {
  try {
    await again();
    listen();
  } catch {
    state("broken", "the application does not answer");
    setTimeout(begin, 1000);
  }
}

begin();
