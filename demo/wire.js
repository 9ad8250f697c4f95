// Shows the requests of this window while they wait and when they are answered,
// and the last frames of a stream.

import { element, isMine } from "./talks.js";

// text that may be long: the keyboard reaches it
function scrolled(name, ...content) {
  const e = element("pre", name, ...content);

  e.tabIndex = 0;
  return e;
}

const kept = 30;                        // requests on the page
const requests = document.getElementById("requests");

/** fetch() that shows the request on the page. */
export async function shown(url, init) {
  const done = underWay(init.method ?? "GET", url, init.body);

  try {
    const response = await fetch(url, init);

    if (response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      return streamed(response, done);
    }

    const text = await response.clone().text();

    done(response.ok && !text.startsWith('{"error"') ? "" : "failed",
         response.status, mine(text));
    return response;
  } catch (error) {
    done("no answer");
    throw error;
  }
}

// The text of an answer or of a frame's data, without what is for the users of
// other windows.
function mine(text) {
  try {
    const { events, ...event } = JSON.parse(text);
    const shows = e => isMine(e) ? JSON.stringify(e) : "(for another window)";

    if (events) return `{"events":[${events.map(shows)}]}`;
    return event.category ? shows(event) : text;
  } catch {
    return text;
  }
}

// Shows the frames of a stream on their way to the client.
function streamed(response, done) {
  const decoder = new TextDecoder();
  let rest = "";
  const { readable, writable } = new TransformStream({
    transform(piece, to) {
      to.enqueue(piece);

      const frames = (rest + decoder.decode(piece, { stream: true }))
        .split("\n\n");

      rest = frames.pop();
      done.frames(frames.map(frame => frame.replace(
        /(?<=^data: ).*/m, data => mine(data)) + "\n\n").join(""));
    },
  });

  response.body.pipeTo(writable).then(() => done("", response.status),
                                      () => done("", response.status));
  return new Response(readable, response);
}

// Shows a request, and returns a function that shows its end.
function underWay(method, url, body) {
  const { pathname, search } = new URL(url, location);
  const answer = element("div", "answer");
  const line = element("li", "parked",
                       element("div", "asked", element("b", "", method), " ",
                               decodeURIComponent(pathname + search)));
  const start = performance.now();

  function elapsed() {
    const ms = performance.now() - start;
    return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
  }

  if (body) line.append(scrolled("asked", body));
  line.append(answer);
  requests.prepend(line);
  while (requests.children.length > kept) requests.lastChild.remove();

  let waits = body ? "" : "parked, ";
  const clock = setInterval(() => {
    answer.textContent = waits + elapsed();
  }, 100);

  function end(how, status, text) {
    clearInterval(clock);
    line.className = how && "failed";
    answer.textContent = `${status || how} after ${elapsed()}`;
    if (text) {
      line.append(scrolled("", text.length > 600
                                     ? text.slice(0, 600) + " …" : text));
    }
  }

  const frames = scrolled("");

  end.frames = text => {
    waits = "open, ";
    if (!frames.parentNode) line.append(frames);
    frames.textContent = (frames.textContent + text).slice(-1200);
  };
  return end;
}
