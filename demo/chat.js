// The demo's chat: joins, listens, and says what is typed.
//
// Each window is somebody: its token is in its sessionStorage, and goes with
// every request.  When the application has forgotten it, it joins again.

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

let joining;                            // a promise, while it is under way

sessionStorage.token ||= [...crypto.getRandomValues(new Uint8Array(16))]
  .map(b => b.toString(16).padStart(2, "0")).join("");

const auth = () => ({ Authorization: "Bearer " + sessionStorage.token });
const longpoll = new Longpoll({ subscribe: "events", publish: "say",
                                headers: auth, timeout: 25, retry: { max: 10 },
                                fetch: shown });


// who one is

async function ask(name) {
  const { token } = sessionStorage;
  const answer = await shown("join", { method: "POST", cache: "no-store",
                                       body: JSON.stringify({ name, token }) });
  const told = await answer.json().catch(() => ({}));

  if (answer.ok) {
    sessionStorage.name = $("name").value = told.name;
    become(told);
  } else if (answer.status >= 500) {
    throw new Error("the application is not there");
  }
  return { status: answer.status, error: told.error };
}

// Whoever has the name may keep it, where it was not chosen.
async function join() {
  let name = sessionStorage.name;

  for (let tries = 0; tries < 20; tries++, name = undefined) {
    if ((await ask(name ?? anyName())).status === 200) return;
  }
  throw new Error("no name is left");
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


// what one hears, and says

function state(name, text) {
  $("state").dataset.state = name;
  $("state").firstChild.textContent = text;
}

// no status: there was no answer
function why({ status, message }) {
  return status === 0 ? "nginx is not there" : message;
}

// "beginning" asks for all there is
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

// nginx may be away, or the application
async function begin() {
  try {
    await again();
    listen();
  } catch {
    state("broken", "the application is not there");
    setTimeout(begin, 1000);
  }
}

begin();
