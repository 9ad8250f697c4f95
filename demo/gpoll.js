// The demo's broadcast: what a page of gpoll's does.
//
// One loop asks for everything.  With the id 0 the answer is an id, and with an
// id it is the next message, as it was sent.

"use strict";

const $ = id => document.getElementById(id);
const sleep = ms => new Promise(done => setTimeout(done, ms));

let id = 0;

async function poll() {
  const answer = await fetch("broadcast?client-id=" + id);

  if (answer.status === 204) return;            // nothing for a while

  if (answer.status === 404) {                  // away for too long
    id = 0;
    return;
  }

  if (!answer.ok) throw Error(answer.status);

  const told = JSON.parse(await answer.text());

  if (told["client-id"]) {
    id = told["client-id"];
    $("state").textContent = "registered as " + id;
  } else {
    show(told);
  }
}

function show({ user, msg }) {
  const line = document.createElement("li");
  const by = document.createElement("b");

  by.textContent = user;
  line.append(by, msg);
  $("heard").append(line);
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
      $("state").textContent = "nginx is not there";
      await sleep(1000);
    }
  }
})();
