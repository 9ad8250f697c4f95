// The demo's chat: joins, listens and sends messages.
//
// Each window is a user of its own.  Its token is in sessionStorage and is sent
// with every request.  If the application does not know the token any more, the
// window joins again.

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

const auth = () => ({ Authorization: "Bearer " + sessionStorage.token });
const longpoll = new Longpoll({ subscribe: "events", publish: "say",
                                headers: auth, timeout: 25, retry: { max: 10 },
                                fetch: shown });


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
    if ((await ask(name ?? anyName())).status === 200) return;
  }
  throw new Error("no free name found");
}

const again = () => joining ??= join().finally(() => { joining = undefined; });

$("name").addEventListener("change", rename);

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
function listen() {
  const stream = longpoll.subscribe([], { start: "beginning" });

  stream.addEventListener("missed", () => note("Some messages were missed."));
  stream.addEventListener("event", ({ detail }) => heard(detail));
  stream.addEventListener("error", async ({ detail }) => {
    state("broken", why(detail));
    if (detail.status === 401) await again().catch(() => {});
  });
  stream.addEventListener("state", ({ detail }) => {
    if (detail === "listening") state("listening", "listening");
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
