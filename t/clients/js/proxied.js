// proxied.js: proxy.js as a program.  It prints its URL and that of a server
// whose paths /break and /stall do so, and all answer what has not ended.
import { createServer } from "node:http";

import { Between } from "./proxy.js";

const between = await Between.start();
const control = createServer((from, to) => {
  if (from.url === "/break") between.break();
  if (from.url === "/stall") between.stall();
  to.end(between.describe());
});

control.listen(0, "127.0.0.1", () => {
  console.log(`${between.url("")} http://127.0.0.1:${control.address().port}`);
});
