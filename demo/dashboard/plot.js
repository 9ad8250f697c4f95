// A plot of one figure over time, in SVG.
//
//     const plot = new Plot(element, { whole, percent, moved });
//     plot.draw(points, { from, to });      { time, value }, oldest first
//     plot.point(time);                     marks a time; undefined: none
//
// The scale begins at 0 and ends at a round number.  The line has a gap where
// the value is null.  A column of pixels with several points shows the highest.

const svg = "http://www.w3.org/2000/svg";
const height = 120;
const edge = { top: 8, right: 8, bottom: 18, left: 46 };

function element(tag, attributes = {}, ...content) {
  const e = document.createElementNS(svg, tag);
  for (const name in attributes) e.setAttribute(name, attributes[name]);
  e.append(...content);
  return e;
}

/** The next round number from `most` on, at least 1 (0.1 if not whole). */
export function ceiling(most, whole) {
  if (!(most > 0)) return 1;

  const ten = 10 ** Math.floor(Math.log10(most));
  const step = [1, 2, 4, 6, 8, 10].find(n => n * ten >= most * (1 - 1e-9));
  const round = step * ten;

  return whole ? Math.max(1, round) : Math.max(0.1, round);
}

/** Formats a number in few characters: 0, 0.25, 12, 3.4k, 100k, 1.2M. */
export function short(number) {
  if (number >= 999.5) {
    const units = ["k", "M", "G", "T"];
    let n = 0;
    number /= 1000;
    while (number >= 999.5 && n < units.length - 1) { number /= 1000; n++; }
    return digits(number) + units[n];
  }
  return digits(number);
}

// three significant digits
function digits(number) {
  return String(Number(number.toPrecision(number < 0.095 ? 1 : 3)));
}

/** Formats a number of bytes. */
export function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let n = 0;
  while (number >= 1023.5 && n < units.length - 1) { number /= 1024; n++; }
  return `${digits(number)} ${units[n]}`;
}

/** Formats an age in seconds. */
function ago(seconds) {
  if (seconds < 0.5) return "now";
  return seconds < 99.5 ? `−${Math.round(seconds)} s`
                       : `−${Math.round(seconds / 60)} min`;
}

export class Plot {
  constructor(parent, { whole = false, percent = false, moved = () => {} }) {
    this.whole = whole;
    this.percent = percent;
    this.points = [];
    this.span = { from: 0, to: 1 };
    this.top = 1;                       // the end of the scale
    this.width = 0;
    this.grid = element("g", { class: "grid" });
    this.labels = element("g", { class: "labels" });
    this.area = element("path", { class: "area" });
    this.line = element("path", { class: "line" });
    this.cross = element("line", { class: "cross", y1: edge.top,
                                   y2: height - edge.bottom });
    this.dot = element("circle", { class: "dot", r: 3.5 });
    this.svg = element("svg", { height, role: "img", tabindex: 0 }, this.grid,
                       this.area, this.line, this.labels, this.cross, this.dot);
    parent.append(this.svg);
    this.point(undefined);

    new ResizeObserver(() => this._draw()).observe(this.svg);
    this.svg.addEventListener("pointermove", event => {
      moved(this._time(event.offsetX));
    });
    for (const type of ["pointerleave", "blur"]) {
      this.svg.addEventListener(type, () => moved(undefined));
    }
    this.svg.addEventListener("keydown", event => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      moved(this._step(by));
    });
  }

  // the time of the point next to the marked one
  _step(by) {
    const { points } = this;
    const at = this.time === undefined ? points.length
             : points.indexOf(this._near(this.time));

    return points[Math.min(Math.max(at + by, 0), points.length - 1)]?.time;
  }

  /** The text for screen readers. */
  set title(text) {
    this.svg.setAttribute("aria-label", text);
  }

  draw(points, span) {
    this.points = points;
    this.span = span;
    this._draw();
  }

  /** Marks the point nearest to a time, and returns it. */
  point(time) {
    const near = time === undefined ? undefined : this._near(time);
    const there = near && near.value !== null;

    this.time = time;
    this.cross.style.display = near ? "" : "none";
    this.dot.style.display = there ? "" : "none";
    if (!near) return undefined;

    for (const end of ["x1", "x2"]) {
      this.cross.setAttribute(end, this._x(near.time));
    }
    if (there) {
      this.dot.setAttribute("cx", this._x(near.time));
      this.dot.setAttribute("cy", this._y(near.value));
    }
    return near;
  }

  _near(time) {
    return this.points.reduce((best, point) =>
      best && Math.abs(best.time - time) <= Math.abs(point.time - time)
        ? best : point, undefined);
  }

  _x(time) {
    const { from, to } = this.span;
    return edge.left + (time - from) / (to - from)
                       * (this.width - edge.left - edge.right);
  }

  _time(x) {
    const { from, to } = this.span;
    return from + (x - edge.left) / (this.width - edge.left - edge.right)
                  * (to - from);
  }

  _y(value) {
    const bottom = height - edge.bottom;
    return bottom - value / this.top * (bottom - edge.top);
  }

  _draw() {
    this.width = this.svg.clientWidth;
    if (this.width < edge.left + edge.right + 10) return;

    const most = this.points.reduce((m, { value }) => Math.max(m, value ?? 0),
                                    0);

    this.top = this.percent ? 1 : ceiling(most, this.whole);
    this._scales();
    this._lines();
    this.point(this.time);
  }

  _scales() {
    const { from, to } = this.span;
    const halves = this.whole && this.top % 2 ? [0, 1] : [0, 0.5, 1];
    const right = this.width - edge.right;
    const times = this.width < 260 ? [0, 1] : [0, 0.5, 1];

    this.grid.replaceChildren(...halves.map(part => element("line", {
      x1: edge.left, x2: right, y1: this._y(part * this.top),
      y2: this._y(part * this.top), class: part ? "" : "zero",
    })));

    this.labels.replaceChildren(
      ...halves.map(part => element("text", {
        x: edge.left - 6, y: this._y(part * this.top) + 4, class: "value",
      }, this.percent ? `${100 * part}%` : short(part * this.top))),
      ...times.map(part => element("text", {
        x: edge.left + part * (right - edge.left), y: height - 3,
        class: part === 0 ? "begin" : part === 1 ? "end" : "",
      }, ago((1 - part) * (to - from)))));
  }

  _lines() {
    const { from } = this.span;
    const bottom = height - edge.bottom;
    const runs = [];
    let run;

    for (const { time, value } of this._columns()) {
      if (value === null) {
        run = undefined;
      } else {
        if (!run) runs.push(run = []);
        run.push([Math.max(time < from ? edge.left : 0, this._x(time)),
                  this._y(value)]);
      }
    }

    const path = ([[x, y], ...rest]) =>
      `M${x.toFixed(1)} ${y.toFixed(1)}`
      + (rest.length ? "" : "h.01")     // a single point is a dot
      + rest.map(([x, y]) => `L${x.toFixed(1)} ${y.toFixed(1)}`).join("");

    this.line.setAttribute("d", runs.map(path).join(""));
    this.area.setAttribute("d", runs.map(run =>
      `${path(run)}V${bottom}H${run[0][0].toFixed(1)}Z`).join(""));
  }

  // the highest point of each column; gaps are kept
  _columns() {
    const columns = [];
    let last;

    for (const point of this.points) {
      const x = Math.floor(this._x(point.time));

      if (columns.length && x === last && point.value !== null
          && columns[columns.length - 1].value !== null) {
        if (columns[columns.length - 1].value < point.value) {
          columns[columns.length - 1] = point;
        }
      } else {
        columns.push(point);
      }
      last = x;
    }
    return columns;
  }
}
