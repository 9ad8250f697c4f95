// Shows the requests of this window while they wait and when they are answered.

import { element } from "./talks.js";

const kept = 30;                        // requests on the page
const requests = document.getElementById("requests");

/** fetch() that shows the request on the page. */
export async function shown(url, init) {
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

  if (body) line.append(element("pre", "asked", body));
  line.append(answer);
  requests.prepend(line);
  while (requests.children.length > kept) requests.lastChild.remove();

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
  };
}
