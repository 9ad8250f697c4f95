import { useEffect, useRef, useState } from "react";
import { Longpoll } from "nginx-longpoll";

const longpoll = new Longpoll({ subscribe: "/events" });

// const state = useEvents("farm", { last_id: cursor }, {
//   onEvent: ({ data }) => setAnimals(animals => [...animals, data]),
//   onMissed: reload,
// });
//
// The state is "listening", or what keeps the hook from that.
export function useEvents(category, start, { onEvent, onMissed }) {
  const [state, setState] = useState("connecting");
  const handlers = useRef();

  useEffect(() => { handlers.current = { onEvent, onMissed }; });

  useEffect(() => {
    const stream = longpoll.subscribe(category, { start });

    stream.addEventListener("state", ({ detail }) => setState(detail));
    stream.addEventListener("missed", () => handlers.current.onMissed());
    stream.addEventListener("event",
                            ({ detail }) => handlers.current.onEvent(detail));
    return () => stream.close();
  }, [category]);

  return state;
}
