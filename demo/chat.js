// The demo's chat: polls and publishes one category, and shows both.
//
// Nothing that came over the wire is ever read as HTML.

import { Longpoll } from "./client/longpoll.js";

const category = "chat";
const kept = { messages: 500, requests: 30 };   // on the page
const $ = id => document.getElementById(id);

function element(tag, name, ...content) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  e.append(...content);
  return e;
}


// chat

const me = sessionStorage.me ||= Math.random().toString(36).slice(2);
let before;                             // the message above, to group by
let atEnd = true;                       // the newest message is in sight

function hue(name) {
  let h = 7;
  for (const c of name) h = (h * 31 + c.codePointAt(0)) % 360;
  return h;
}

function initials(name) {
  return name.split(/\s+/).slice(0, 2).map(word => [...word][0]).join("");
}

function add(line) {
  const log = $("log");
  log.append(line);
  while (log.children.length > kept.messages + 1) log.children[1].remove();
  stay();
}

function stay() {
  if (atEnd) $("log").scrollTop = $("log").scrollHeight;
}

$("log").addEventListener("scroll", () => {
  const log = $("log");
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
});

new ResizeObserver(stay).observe($("log"));     // a phone's keyboard, say

function note(text) {
  before = undefined;
  add(element("li", "note", text));
}

// An event's data is this page's {name, text, from}, or whatever somebody else
// published.
function show({ data, timestamp }) {
  const ours = data && typeof data.name === "string"
               && typeof data.text === "string";
  const name = ours && data.name.trim() || "somebody";
  const own = ours && data.from === me;
  const text = ours ? data.text
             : typeof data === "string" ? data
             : element("code", "", JSON.stringify(data));
  const time = element("time", "", new Date(timestamp).toLocaleTimeString(
                       [], { hour: "2-digit", minute: "2-digit" }));
  const line = element("li", own ? "message own" : "message",
                       element("span", "face", initials(name)),
                       element("span", "by", element("b", "", own ? "You" : name),
                               " ", time),
                       element("div", "bubble", text));

  if (before && before.name === name && before.own === own
      && timestamp - before.timestamp < 120000) {
    line.classList.add("more");
  }
  before = { name, own, timestamp };
  line.style.setProperty("--hue", hue(name));
  line.querySelector(".face").setAttribute("aria-hidden", "true");
  add(line);
}

function state(name, text) {
  $("state").dataset.state = name;
  $("state").firstChild.textContent = text;
}

// "beginning" asks for all there is
function listen() {
  const stream = longpoll.subscribe(category, { start: "beginning" });

  stream.addEventListener("missed", () => note("Some messages were missed."));
  stream.addEventListener("event", ({ detail }) => show(detail));
  stream.addEventListener("error",
                          ({ detail }) => state("broken", why(detail)));
  stream.addEventListener("state", ({ detail }) => {
    if (detail === "listening") state("listening", "listening");
  });
}

// no status: there was no answer
function why({ status, message }) {
  return status === 0 ? "nginx is not there" : message;
}

$("form").addEventListener("submit", async event => {
  event.preventDefault();

  const text = $("text").value;
  const data = { name: $("name").value.trim(), text, from: me };

  sessionStorage.name = data.name;

  try {
    await longpoll.publish(category, data, { attempts: 2 });
    if ($("text").value === text) $("text").value = "";
  } catch (error) {
    note("Not sent: " + why(error));
  }
});


// underneath

const longpoll = new Longpoll({ subscribe: "events", publish: "publish",
                                timeout: 30, retry: { max: 10 },
                                fetch: shown });

// fetch, for everybody to see
async function shown(url, init) {
  const done = underWay(init.method ?? "GET", url, init.body);

  try {
    const response = await fetch(url, init);
    const text = await response.clone().text();

    done(response.ok && !text.startsWith('{"error"') ? "" : "failed",
         response.status, text);
    return response;
  } catch (error) {
    done("no answer");
    throw error;
  }
}

// Shows a request while it is under way; what it returns shows how it ended.
function underWay(method, url, body) {
  const { pathname, search } = new URL(url);
  const requests = $("requests");
  const answer = element("div", "answer");
  const line = element("li", "parked",
                       element("div", "asked", element("b", "", method), " ",
                               decodeURIComponent(pathname + search)));
  const start = performance.now();

  function elapsed() {
    const ms = performance.now() - start;
    return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
  }

  if (body) line.append(element("pre", "asked", body));
  line.append(answer);
  requests.prepend(line);
  while (requests.children.length > kept.requests) requests.lastChild.remove();

  const clock = setInterval(() => {
    answer.textContent = (body ? "" : "parked, ") + elapsed();
  }, 100);

  return (how, status, text) => {
    clearInterval(clock);
    line.className = how && "failed";
    answer.textContent = `${status || how} after ${elapsed()}`;
    if (text) {
      line.append(element("pre", "", text.length > 600
                                     ? text.slice(0, 600) + " …" : text));
    }
    numbers();
  };
}

// what nginx says of itself, while somebody looks
async function numbers() {
  if (document.hidden || !$("wire").offsetWidth) return;

  try {
    const zones = Object.values((await (await fetch("status")).json()).zones);
    for (const e of document.querySelectorAll("#numbers dd")) {
      e.textContent = zones.reduce((sum, zone) => sum + zone[e.dataset.key], 0)
                           .toLocaleString();
    }
  } catch {
    // the next poll tells
  }
}

$("toggle").addEventListener("click", () => {
  const open = $("wire").classList.toggle("open");
  $("toggle").setAttribute("aria-expanded", open);
  $("toggle").textContent = open ? "Chat" : "Underneath";
  numbers();
});


const pick = list => list[Math.floor(Math.random() * list.length)];

$("name").value = sessionStorage.name
  || pick(["Amber", "Brisk", "Clever", "Dapper", "Eager", "Gentle", "Lucky",
           "Mellow", "Quiet", "Swift", "Tidy", "Witty"]) + " "
     + pick(["Badger", "Crane", "Fox", "Heron", "Hare", "Lynx", "Marten",
             "Otter", "Raven", "Seal", "Stoat", "Wren"]);

numbers();
setInterval(numbers, 2000);
listen();
