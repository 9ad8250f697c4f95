<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rooms</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/shared/style.css">

<header>
  <h1>Rooms</h1>
<?php if (isset($user)): ?>
  <p id="user"><?= htmlspecialchars($user) ?></p>
  <form method="post" action="/logout">
    <button id="logout" class="quiet">Log out</button>
  </form>
<?php endif ?>
</header>

<main>
<?php if (!isset($user)): ?>
  <form id="login" method="post" action="/login">
    <label>Name <input name="name" autocomplete="username" required></label>
    <label>Password <input name="password" type="password"
                           autocomplete="current-password" required></label>
    <button>Log in</button>
    <p class="hint">Try ann with the password cow, ben with pig, or cleo with
      hen, each in a browser of its own.</p>
  </form>
  <p id="state" role="status">
    <?= isset($wrong) ? 'That is not the password.' : '' ?></p>
<?php else: ?>
  <form id="say" class="row" autocomplete="off">
    <select name="room" aria-label="Room">
<?php foreach ($rooms as $room): ?>
      <option><?= htmlspecialchars($room) ?></option>
<?php endforeach ?>
    </select>
    <input name="text" placeholder="Message" aria-label="Text"
           maxlength="250" required>
    <button>Send</button>
  </form>
  <p id="state" role="status"></p>
  <ul id="list" aria-live="polite" data-empty="No messages yet."></ul>

<script type="module">
import { listen } from "/shared/listen.js";
import { send } from "/shared/send.js";

const $ = id => document.getElementById(id);
const note = text => { $("state").textContent = text; };

function show({ timestamp, data: { from, text } }, room) {
  const line = document.createElement("li");
  const who = document.createElement("b");
  const what = document.createElement("span");
  const when = document.createElement("time");

  who.textContent = from;
  what.textContent = text;
  when.textContent = `${room}, ` + new Date(timestamp).toLocaleTimeString(
    [], { timeStyle: "short" });
  line.append(who, what, when);
  $("list").prepend(line);
}

function gap() {
  const line = document.createElement("li");

  line.className = "hint";
  line.textContent = "Some messages were missed.";
  $("list").prepend(line);
}

$("say").addEventListener("submit", async event => {
  event.preventDefault();
  const { ok, why } = await send("/say", new FormData(event.target));
  note(ok ? "" : `Not sent: ${why}.`);
  if (ok) event.target.elements.text.value = "";
});

// events of each room that this user may be in
for (const { value: room } of $("say").elements.room.options) {
  listen("/events?room=" + encodeURIComponent(room), "beginning", {
    event: e => show(e, room),
    missed: gap,
    state: note,
  });
}
</script>
<?php endif ?>
</main>
</html>
