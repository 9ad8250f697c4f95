// The categories of a zone: page by page, or those whose names begin so, and one
// of them to look into.
//
// It asks a location with `longpoll_status` of that zone, and only when somebody
// wants to see a page.  Names are always inserted as text.

const limit = 50;                       // rows of a page
const most = 100;                       // requests for a page: some have no row

const headings = ["category", "events", "waiting", "newest event", "present"];

function element(tag, attributes, ...content) {
  const e = document.createElement(tag);
  for (const name in attributes) e.setAttribute(name, attributes[name]);
  e.append(...content);
  return e;
}

/** The time in an id of the module's, for people; "–" for null. */
export function when(id) {
  if (!id) return "–";

  const ms = parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  return new Date(ms).toLocaleString();
}

export class Categories {
  /** url: of the locations, without the zone's name. */
  constructor(url) {
    this.url = url;
    this.zone = undefined;
    this.asked = 0;                     // the last question; earlier ones are void

    this.prefix = element("input", { type: "search", "aria-label": "Prefix",
                                     placeholder: "names begin with" });
    this.first = element("button", { type: "submit" }, "List");
    this.next = element("button", { type: "button", hidden: "" }, "Next page");
    this.note = element("p", { class: "foot", role: "status" });
    this.one = element("p", { class: "one", hidden: "" });
    this.rows = element("tbody");

    this.table = element("table", { hidden: "" },
      element("thead", {}, element("tr", {}, ...headings.map(
        text => element("th", { scope: "col" }, text)))),
      this.rows);

    const form = element("form", {}, this.prefix, this.first, this.next);

    form.addEventListener("submit", event => {
      event.preventDefault();
      this._page();
    });
    this.next.addEventListener("click", () => this._page(this.token));

    this.element = element("section", { class: "figures categories",
                                        "aria-label": "Categories" },
      element("h3", {}, "Categories"), form, this.note, this.one,
      this.table);
    this.show(undefined);
  }

  /** The zone whose categories can be listed; undefined: none is chosen. */
  show(zone) {
    if (zone === this.zone && zone !== undefined) return;

    this.zone = zone;
    this.asked++;
    this.name = undefined;
    this.rows.replaceChildren();
    this.table.hidden = true;
    this.one.hidden = true;
    this.next.hidden = true;
    this.prefix.disabled = this.first.disabled = zone === undefined;
    this.note.textContent = zone === undefined ? "choose a zone" : "";
  }

  /** Asks again for the category that is looked into. */
  async refresh() {
    const { name, asked } = this;
    if (name === undefined) return;

    const answer = await this._ask({ category: name }).catch(() => undefined);
    const one = answer?.zones?.[this.zone]?.category;

    if (!one || asked !== this.asked || name !== this.name) return;

    this.one.hidden = false;
    this.one.textContent = `${name}: ${one.events} events, ${one.waiting} waiting`
      + `, oldest ${when(one.first_id)}, newest ${when(one.last_id)}`
      + (one.present === undefined ? ""
         : one.present ? ", present" : ", not present");
  }

  async _page(after) {
    const asked = ++this.asked;
    const found = [];
    let wrong = "";

    this.note.textContent = "asking";
    try {
      for (let n = 0; n < most && !found.length; n++) {
        const page = await this._ask({ list: "", limit, after,
                                       prefix: this.prefix.value });

        if (asked !== this.asked) return;
        found.push(...page.categories);
        after = page.next;
        if (after === undefined) break;
      }
    } catch (error) {
      wrong = error instanceof TypeError ? "nginx does not answer"
                                         : error.message;
    }
    if (asked !== this.asked) return;

    this.token = after;
    this.next.hidden = after === undefined || wrong !== "";
    this.note.textContent = wrong || (found.length ? "" : "none");
    this.table.hidden = !found.length;
    this.rows.replaceChildren(...found.map(row => this._row(row)));
  }

  _row({ category, events, waiting, last_id, present }) {
    const button = element("button", { type: "button" }, category);

    button.addEventListener("click", () => {
      this.name = category;
      this.refresh();
    });
    return element("tr", {}, element("th", { scope: "row" }, button),
      ...[events.toLocaleString(), waiting.toLocaleString(), when(last_id),
          present === undefined ? "–" : present ? "yes" : "no"]
        .map(text => element("td", {}, text)));
  }

  async _ask(args) {
    const query = new URLSearchParams(Object.entries(args).filter(
      ([, value]) => value !== undefined));
    const answer = await fetch(`${this.url}${encodeURIComponent(this.zone)}`
                               + `?${query}`, { cache: "no-store" });

    if (!answer.ok) throw new Error(`the answer is ${answer.status}`);
    return answer.json();
  }
}
