// The talks of the demo's chat: rooms and people, and their messages.
//
// A talk is named by its room, `room:lobby`, or by a person's id.  Events
// arrive in the zone's order.  Each is shown once, in its own talk, and counted
// as new if that talk is not open.
//
// Text from the wire is never parsed as HTML.

const kept = 300;                       // messages of a talk
const $ = id => document.getElementById(id);

const talks = new Map();                // by name: Talk
const open = { name: undefined, atEnd: true };

let me = {};                            // id, name
let people = [];                        // everybody here, this window included

export function element(tag, name, ...content) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  e.append(...content);
  return e;
}

class Talk {
  constructor(name, label) {
    this.name = name;
    this.lines = [];                    // elements
    this.above = undefined;             // the last message, for grouping
    this.count = element("span", "new");
    this.label = element("span", "label");
    this.button = element("button", "talk",
                          element("span", "sign", this.isRoom ? "#" : ""),
                          this.label, this.count);
    this.button.type = "button";
    this.button.addEventListener("click", () => choose(name));
    if (!this.isRoom) this.button.classList.add("person");
    this.called(label);
    this.seen();
    $(this.isRoom ? "rooms" : "people").append(
      element("li", "", this.button));
  }

  get isRoom() {
    return this.name.startsWith("room:");
  }

  get isOpen() {
    return open.name === this.name;
  }

  called(label) {
    this.label.textContent = this.button.title = label;
  }

  seen() {
    this.unseen = 0;
    this.count.hidden = true;
  }

  add(line, counts) {
    this.lines.push(line);
    if (this.lines.length > kept) this.lines.shift().remove();

    if (this.isOpen) {
      $("log").querySelector(".empty")?.remove();
      $("log").append(line);
      stay();
    } else if (counts) {
      this.unseen++;
      this.count.textContent = this.unseen > 99 ? "99+" : this.unseen;
      this.count.setAttribute("aria-label", `${this.unseen} new`);
      this.count.hidden = false;
    }
  }
}

const room = name => name.slice("room:".length);

function talk(name, label) {
  if (!talks.has(name)) talks.set(name, new Talk(name, label));
  return talks.get(name);
}

/** The name of the talk that is open. */
export const chosen = () => open.name;

export function choose(name) {
  const { button, lines, label, isRoom } = talks.get(name);

  talks.get(open.name)?.button.removeAttribute("aria-current");
  open.name = name;
  open.atEnd = true;
  talks.get(name).seen();
  button.setAttribute("aria-current", "true");

  const title = isRoom ? "# " + room(name) : label.textContent;

  $("title").replaceChildren(title, " ", element("small", "",
    isRoom ? "" : "in private"));
  $("text").placeholder = "Message to " + title;
  $("log").replaceChildren(...lines.length ? lines : [nothing(isRoom)]);
  stay();
  button.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (matchMedia("(hover: hover)").matches) $("text").focus();
}

const nothing = isRoom => element("li", "note empty", isRoom
  ? "No messages yet. Open this page in a second window and say hello."
  : "Only the two of you can read these messages. nginx gives them to no other "
    + "poll, whatever it asks for.");

/** Takes this window's user and the list of rooms. */
export function become(one) {
  me = one;
  for (const name of one.rooms) talk("room:" + name, name);
  if (!open.name) choose("room:" + one.rooms[0]);
  listPeople();
}

function listPeople() {
  const here = new Map(people.map(({ id, name }) => [id, name]));

  here.delete(me.id);
  for (const [id, name] of here) talk(id, name).called(name);

  for (const { name, button, isRoom, isOpen, lines } of talks.values()) {
    if (isRoom) continue;

    const away = !here.has(name);

    button.classList.toggle("away", away);
    button.querySelector(".sign").setAttribute("aria-label",
                                               away ? "away" : "here");
    button.parentNode.hidden = away && !isOpen && !lines.length;
  }

  $("alone").hidden = here.size > 0;
}


// messages

function stay() {
  if (open.atEnd) $("log").scrollTop = $("log").scrollHeight;
}

$("log").addEventListener("scroll", () => {
  const log = $("log");
  open.atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
});

new ResizeObserver(stay).observe($("log"));     // a phone's keyboard, say

/** Shows a notice in the open talk. */
export function note(text) {
  const here = talks.get(open.name);

  if (!here) return;
  here.above = undefined;
  here.add(element("li", "note", text));
}

function hue(name) {
  let h = 7;
  for (const c of name) h = (h * 31 + c.codePointAt(0)) % 360;
  return h;
}

function initials(name) {
  return name.split(/\s+/).slice(0, 2).map(word => [...word][0]).join("");
}

function message({ name, own, text, timestamp }, above) {
  const time = element("time", "", new Date(timestamp).toLocaleTimeString(
                       [], { hour: "2-digit", minute: "2-digit" }));
  const face = element("span", "face", initials(name));
  const by = element("b", "", own ? "You" : name);
  const line = element("li", own ? "message own" : "message", face,
                       element("span", "by", by, " ", time),
                       element("div", "bubble", text));

  if (above && above.name === name && above.own === own
      && timestamp - above.timestamp < 120000) {
    line.classList.add("more");
  }
  face.setAttribute("aria-hidden", "true");
  line.style.setProperty("--hue", hue(name));
  return line;
}

/** Whether an event is for this window's user; the stream is that of all. */
export const isMine = ({ category }) =>
  !category.startsWith("private:") || category === "private:" + me.id;

/** Shows an event in the talk to which it belongs. */
export function heard(event) {
  const { category, data, timestamp } = event;

  if (!isMine(event)) return;

  if (category === "people") {
    people = data;
    return listPeople();
  }

  // curl sends plain text without a sender
  const ours = typeof data === "object" && data;
  const { from, to, text } = ours ? data
    : { from: { name: "somebody, by curl" }, text: String(data) };
  const own = from.id === me.id;
  const other = own ? to : from;
  const here = category.startsWith("room:") ? talk(category, room(category))
             : talk(other.id, other.name);
  const said = { name: from.name, own, text, timestamp };

  here.add(message(said, here.above), !own);
  here.above = said;
  if (!here.isRoom) listPeople();
}
