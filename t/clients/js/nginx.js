// The nginx of the test.  client.t runs it; these functions send requests to it
// and commands about it.

import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const { LONGPOLL_URL: base, LONGPOLL_CONTROL: control } = process.env;

let serial = 0;

export const url = path => base + path;
export const category = word => `${word}-${process.pid}-${++serial}`;

// start, stop, reload, kill (-9, all workers), hold and release (-STOP, -CONT)
export function nginx(command) {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(control), "127.0.0.1");
    let said = "";

    socket.setEncoding("utf8");
    socket.on("data", text => { said += text; });
    socket.on("error", reject);
    socket.on("close", () => said === "done\n" ? resolve()
      : reject(new Error(`${command}: ${said}`)));
    socket.write(command + "\n");
  });
}

export async function until(what, true_, seconds = 15) {
  for (const end = Date.now() + 1000 * seconds; ; await sleep(5)) {
    const value = await true_();
    if (value) return value;
    if (Date.now() > end) throw new Error("never came: " + what);
  }
}

async function waiting() {
  const { zones } = await (await fetch(url("/status"))).json();
  return Object.values(zones).reduce((sum, zone) => sum + zone.waiting, 0);
}

export const parked = n => until(`${n} parked`, async () =>
  await waiting() === n);

// publishes without the client; returns the id
export async function publish(name, data, path = "/publish") {
  const response = await fetch(url(path), {
    method: "POST", body: JSON.stringify({ category: name, data }),
  });

  if (await response.text() !== '{"success": true}') throw new Error("refused");
  return response.headers.get("Longpoll-Event-Id");
}
