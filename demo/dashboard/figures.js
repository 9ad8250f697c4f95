// The history of the figures of longpoll_status, independent of any page.
//
// A sample is { time, zones }: the time of the answer, in seconds of a clock
// that never goes back, and its zones, undefined if there was no answer.
// Counters are shown as growth per second.  Between two samples that do not
// belong together, because nginx did not answer or began to count anew, the
// value is null, and the plot has a gap.

const limit = 3700;                     // samples; an hour at one a second
const all = "";                         // the name of all zones together

export class History {
  constructor() {
    this.samples = [];
  }

  /** Adds the `zones` of an answer, or undefined if there was none. */
  add(time, zones) {
    this.samples.push({ time, zones });
    if (this.samples.length > limit) this.samples.shift();
  }

  get last() {
    return this.samples[this.samples.length - 1];
  }

  /** The zones of the last answer, by name. */
  get zones() {
    return this.samples.findLast(sample => sample.zones)?.zones ?? {};
  }

  /** A gauge of a zone, or of all: [{ time, value }], oldest first. */
  gauge(key, zone = all, since = -Infinity) {
    return this._from(since).map(({ time, zones }) => ({
      time, value: value(zones, key, zone),
    }));
  }

  /** A gauge, held for a while: the highest of a sample and the two before. */
  held(key, zone = all, since = -Infinity) {
    const points = this.gauge(key, zone, since);
    const before = this._from(since, 2).slice(0, -points.length || undefined)
                       .map(({ zones }) => value(zones, key, zone));
    const values = [...before, ...points.map(point => point.value)];

    return points.map(({ time, value: now }, i) => {
      const end = i + before.length;
      const last = values.slice(Math.max(0, end - 2), end + 1);

      return { time, value: now === null ? null : Math.max(...last) };
    });
  }

  /** The growth of a counter per second. */
  rate(key, zone = all, since = -Infinity) {
    const samples = this._from(since, 1);

    return samples.slice(1).map(({ time, zones }, i) => ({
      time, value: growth(samples[i], { time, zones }, key, zone),
    }));
  }

  /** The used share of a zone; of all zones, that of the fullest. */
  fill(zone = all, since = -Infinity) {
    return this._from(since).map(({ time, zones }) => {
      const name = fullest(zones, zone);
      const found = zones?.[name];
      return { time, name, value: found ? found.used / found.size : null };
    });
  }

  // the samples since a time, and `more` samples before it
  _from(since, more = 0) {
    const { samples } = this;
    let n = samples.length;

    while (n > 0 && samples[n - 1].time >= since) n--;
    return samples.slice(Math.max(0, n - more));
  }
}

/**
 * A figure of a zone, or its sum over all zones; null if it is missing.  The
 * key "disk.ok" is `ok` in the object `disk`.
 */
export function value(zones, key, zone = all) {
  const chosen = zone === all ? Object.values(zones ?? {}) : [zones?.[zone]];
  const figures = chosen.map(one => key.split(".").reduce(
    (inner, name) => inner?.[name], one));

  if (!figures.length || !figures.every(Number.isFinite)) return null;
  return figures.reduce((sum, figure) => sum + figure);
}

/** What is wrong with zones, by their own figures: a sentence for each. */
export function troubles(zones) {
  return Object.entries(zones ?? {}).flatMap(([name, { disk, redis }]) =>
      disk && !disk.ok ? `${name}: not all events are on disk`
    : redis && !redis.connected ? `${name}: no connection to Redis`
    : redis && !redis.synced ? `${name}: still reads from Redis`
    : []);
}

export function fullest(zones, zone = all) {
  if (zone !== all) return zone;

  return Object.keys(zones ?? {}).reduce((most, name) =>
    most === undefined || zones[name].used / zones[name].size
                          > zones[most].used / zones[most].size ? name : most,
    undefined);
}

// Zones are compared one by one: a sum could hide a zone that began anew.
function growth(before, after, key, zone) {
  const names = zone === all ? Object.keys(after.zones ?? {}) : [zone];
  const seconds = after.time - before.time;
  let sum = names.length ? 0 : null;

  for (const name of names) {
    const grown = after.zones?.[name]?.[key] - before.zones?.[name]?.[key];
    if (!(grown >= 0) || !(seconds > 0)) return null;
    sum += grown;
  }
  return sum === null ? null : sum / seconds;
}
