// The dashboard: requests longpoll_status once a second and draws the figures.
//
// The page needs an element with class `dashboard` and these attributes:
//
//     data-status     URL of a location with `longpoll_status all`
//     data-every      seconds between two requests; 1
//     data-list       URL, without the name of a zone, of locations with
//                     `longpoll_status` of one zone: their categories can be
//                     listed
//
// While the page is open, it keeps the figures of an hour.  Names of zones are
// always inserted as text.

import { Categories } from "./categories.js";
import { History, troubles, value } from "./figures.js";
import { Plot, bytes } from "./plot.js";

const spans = [[120, "2 minutes"], [600, "10 minutes"], [3600, "1 hour"]];

// The plots.  A figure with `bad` should stay at 0.  One with `held` falls for
// moments that mean nothing: clients that were answered come back.
const cards = [
  { key: "waiting", title: "Parked polls", whole: true, held: true },
  { key: "published", title: "Events published", rate: true },
  { key: "missed", title: "Missed", rate: true, bad: true },
  { key: "evicted", title: "Events evicted", rate: true, bad: true },
  { key: "delivered", title: "Deliveries", rate: true },
  { key: "timeouts", title: "Time-outs", rate: true },
  { key: "used", title: "Zone fill", percent: true },
  { key: "events", title: "Events stored", whole: true },
];

// the table: all figures; of a disk or a Redis, if a zone has one
const figures = [
  ["waiting", "polls parked"], ["categories", "categories"],
  ["events", "events stored"], ["used", "bytes used", bytes],
  ["size", "size", bytes], ["published", "events published"],
  ["delivered", "deliveries"], ["timeouts", "time-outs"],
  ["disconnected", "clients that left"], ["refused", "publishes refused"],
  ["missed", "answers with missed"], ["evicted", "events evicted"],
  ["expired", "events expired"], ["trimmed", "events over buffer"],
  ["disk.lag_ms", "disk: behind by", milliseconds],
  ["disk.failures", "disk: failures"], ["disk.bytes", "disk: files", bytes],
  ["redis.lag_ms", "Redis: behind by", milliseconds],
  ["redis.in_flight", "Redis: publishes under way"],
  ["redis.reconnects", "Redis: connections failed"],
  ["redis.lives", "Redis: lives"], ["redis.gaps", "Redis: gaps"],
  ["redis.bad", "Redis: entries skipped"],
];

function element(tag, attributes, ...content) {
  const e = document.createElement(tag);
  for (const name in attributes) e.setAttribute(name, attributes[name]);
  e.append(...content);
  return e;
}

const count = number => Math.round(number).toLocaleString();
const brief = number => number > 0 && number < 10
  ? number.toLocaleString([], { maximumFractionDigits: number < 0.1 ? 2 : 1 })
  : count(number);
const percent = part => (100 * part).toLocaleString([], {
  maximumFractionDigits: part < 0.1 ? 1 : 0 }) + "%";

function milliseconds(number) {
  return number < 1000 ? `${count(number)} ms` : `${brief(number / 1000)} s`;
}

class Card {
  constructor(about, moved) {
    const id = "card-" + about.key;

    Object.assign(this, about);
    this.now = element("strong", { class: "now" }, "–");
    this.unit = element("span", { class: "unit" }, this.rate ? "a second" : "");
    this.foot = element("p", { class: "foot" });
    this.element = element("section", { class: "card", "aria-labelledby": id,
                                        "data-key": this.key },
      element("h3", { id }, this.title),
      element("p", {}, this.now, " ", this.unit));
    this.plot = new Plot(this.element, { whole: this.whole,
                                         percent: this.percent, moved });
    this.element.append(this.foot);
    this.say = this.rate ? brief : this.percent ? percent : count;
  }

  show(history, zone, span) {
    const { key } = this;
    const points = this.rate ? history.rate(key, zone, span.from)
                 : this.percent ? history.fill(zone, span.from)
                 : this.held ? history.held(key, zone, span.from)
                 : history.gauge(key, zone, span.from);
    const zones = history.last?.zones;
    const most = points.reduce((m, { value }) => Math.max(m, value ?? 0), 0);

    this.last = points[points.length - 1];
    this.tail = this._tail(zones, zone, most);
    this.plot.draw(points, span);
    this.plot.title = `${this.title}: ${this._text(this.last)} `
                      + `${this.unit.textContent}, ${this.tail}`;
    this.element.classList.toggle("bad", Boolean(this.bad && most > 0));
  }

  // Shows the number at a time, or the current one.
  point(time, now) {
    const near = this.plot.point(time);
    const seconds = near && Math.round(now - near.time);

    this.now.textContent = this._text(near ?? this.last);
    this.foot.textContent = near
      ? seconds < 100 ? `${seconds} s ago`
                      : `${Math.floor(seconds / 60)} min ${seconds % 60} s ago`
      : this.tail;
  }

  _text(point) {
    return point?.value == null ? "–" : this.say(point.value);
  }

  _tail(zones, zone, most) {
    if (this.percent) {
      const { name } = this.last ?? {};
      const one = zones?.[name];
      if (!one) return "no figures";

      return `of ${bytes(one.size)}`
             + (zone === "" && Object.keys(zones).length > 1
                ? ` · ${name}, the fullest` : "");
    }

    const total = this.rate ? value(zones, this.key, zone) : null;

    return `at most ${this.say(most)}`
           + (total === null ? "" : ` · ${count(total)} in all`);
  }
}

class Dashboard {
  constructor(parent) {
    this.parent = parent;
    this.url = parent.dataset.status ?? "status";
    this.every = Number(parent.dataset.every) || 1;
    this.history = new History();
    this.zone = "";
    this.names = undefined;
    this.answered = undefined;          // time of the last answer

    this.cards = cards.map(card => new Card(card, time => this._point(time)));
    this.choice = element("select", { "aria-label": "Zone" });
    this.span = element("select", { "aria-label": "Time" },
      ...spans.map(([seconds, text]) =>
        element("option", { value: seconds }, text)));
    this.state = element("p", { class: "state", role: "status" }, "asking");
    this.table = element("table");

    this.choice.addEventListener("change", () => {
      this.zone = this.choice.value;
      this._draw();
    });
    this.span.addEventListener("change", () => this._draw());
    document.addEventListener("visibilitychange", () => this._draw());

    parent.append(
      element("header", {}, element("h2", {}, "Dashboard"), this.state,
              this.choice, this.span),
      element("div", { class: "cards" }, ...this.cards.map(c => c.element)),
      element("div", { class: "figures", tabindex: 0, role: "region",
                       "aria-label": "All figures" }, this.table));
    if (parent.dataset.list !== undefined) {
      this.categories = new Categories(parent.dataset.list);
      parent.append(this.categories.element);
    }
    this._run();
  }

  async _run() {
    for (;;) {
      this._say(await this._ask());
      this._draw();
      if (!document.hidden) this.categories?.refresh();
      await new Promise(done => setTimeout(done, 1000 * this.every));
    }
  }

  // Requests the figures once; returns an error text, or undefined.
  async _ask() {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 10000);
    let zones, wrong;

    try {
      const answer = await fetch(this.url, { cache: "no-store",
                                             signal: abort.signal });
      if (!answer.ok) throw new Error(`the answer is ${answer.status}`);

      ({ zones } = await answer.json().catch(() => ({})));
      if (!zones || typeof zones !== "object") {
        zones = undefined;
        throw new Error("the answer is not one of longpoll_status");
      }
    } catch (error) {
      wrong = error instanceof TypeError || abort.signal.aborted
        ? "nginx does not answer" : error.message;
    }
    clearTimeout(timer);
    this.history.add(performance.now() / 1000, zones);
    return wrong;
  }

  _say(wrong) {
    const { time, zones } = this.history.last;
    const inside = troubles(zones).join("; ");

    if (!wrong) this.answered = time;

    const since = this.answered === undefined ? ""
                : `, for ${Math.round(time - this.answered)} s`;
    const text = wrong ? wrong + since : inside || "live";

    this.parent.classList.toggle("gone", Boolean(wrong));
    this.state.classList.toggle("broken", Boolean(wrong || inside));
    if (this.state.textContent !== text) this.state.textContent = text;
  }

  _draw() {
    if (document.hidden || !this.history.last) return;

    // at first there is less history than the chosen span
    const to = this.history.last.time;
    const first = Math.min(this.history.samples[0].time, to - 20);
    const span = { from: Math.max(to - Number(this.span.value), first), to };

    this._zones();
    for (const card of this.cards) card.show(this.history, this.zone, span);
    this._point(this.time);
    this._table();
    this.categories?.show(this.zone || (this.names.length === 1
                                        ? this.names[0] : undefined));
  }

  _point(time) {
    this.time = time;
    for (const card of this.cards) card.point(time, this.history.last?.time);
  }

  _zones() {
    const names = Object.keys(this.history.zones);

    if (JSON.stringify(names) === JSON.stringify(this.names)) return;

    this.names = names;
    if (!names.includes(this.zone)) this.zone = "";
    this.choice.replaceChildren(
      element("option", { value: "" }, "all zones"),
      ...names.map(name => element("option", { value: name }, name)));
    this.choice.value = this.zone;
    this.choice.hidden = names.length < 2;
  }

  _table() {
    const zones = this.history.last.zones ?? {};
    const names = this.names.filter(name => !this.zone || name === this.zone);
    const rows = figures.filter(([key]) => !key.includes(".") || names.some(
      name => value(this.history.zones, key, name) !== null));

    this.table.replaceChildren(
      element("caption", {}, "All figures"),
      element("thead", {}, element("tr", {},
        element("th", { scope: "col" }, "figure"), ...names.map(
        name => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rows.map(([key, text, say = count]) =>
        element("tr", {}, element("th", { scope: "row" }, text),
                ...names.map(name => {
                  const number = value(zones, key, name);
                  return element("td", {}, number === null ? "–" : say(number));
                })))));
  }
}

for (const parent of document.querySelectorAll(".dashboard")) {
  new Dashboard(parent);
}
