// The demo's broadcast: a client of gpoll's protocol.
//
// One loop sends all requests.  A request with the id 0 registers, and its
// answer has the new id.  A request with that id gets the next message, as it
// was sent.

"use strict";

const $ = id => document.getElementById(id);
const sleep = ms => new Promise(done => setTimeout(done, ms));

let id = 0;

async function poll() {
  const answer = await fetch("broadcast?client-id=" + id);

  if (answer.status === 204) return;            // no message in time

  if (answer.status === 404) {                  // nginx has dropped the id
    id = 0;
    return;
  }

  if (!answer.ok) throw Error(answer.status);

  const text = await answer.text();

  if (id === 0) {
    id = JSON.parse(text)["client-id"];
    state("listening", "registered as " + id);
  } else {
    show(parse(text));
  }
}

function state(name, text) {
  $("state").dataset.state = name;
  $("state").textContent = text;
}

// {user, msg} of this page, or any message of another publisher
function parse(text) {
  try {
    const { user, msg } = JSON.parse(text);
    if (typeof user === "string" && typeof msg === "string") {
      return { user, msg };
    }
  } catch {
    // not JSON: plain text
  }
  return { user: "somebody else", msg: text };
}

function show({ user, msg }) {
  const line = document.createElement("li");
  const by = document.createElement("b");

  by.textContent = user;
  line.append(by, msg);
  $("heard").append(line);
  $("heard").scrollTop = $("heard").scrollHeight;
}

$("form").addEventListener("submit", event => {
  event.preventDefault();

  fetch("broadcast", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user: $("user").value, msg: $("msg").value })
  });

  $("msg").value = "";
});

(async () => {
  for (;;) {
    try {
      await poll();
    } catch (error) {
      state("broken", "nginx does not answer");
      await sleep(1000);
    }
  }
})();
