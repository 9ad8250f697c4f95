// Messages from one user to another, with Express.
//
// The application knows its users by a signed cookie, tells nginx which
// category each may hear, and publishes with a POST.  It never holds a
// connection open.

import cookieSession from "cookie-session";
import express from "express";

const { PORT = 8000, SECRET } = process.env;
const nginx = process.env.PUBLISH || "http://127.0.0.1:8081/publish";

// a real application has these in a database, and hashes of the passwords
const users = { __proto__: null, ann: "cow", ben: "pig", cleo: "hen" };

if (!SECRET) throw new Error("SECRET, for the cookies, must be set");

const app = express();

app.use(cookieSession({ keys: [SECRET], sameSite: "lax" }));
app.use(express.json());
app.use(express.static("public"));


// nginx asks this for each poll; the answer names the user's category.
app.get("/auth", user, (req, res) => {
  res.set("X-Category", "user:" + req.user).sendStatus(204);
});

app.get("/api/me", user, (req, res) => {
  res.json({ me: req.user, users: Object.keys(users) });
});

app.post("/api/login", (req, res) => {
  const { name, password } = req.body ?? {};
  const known = users[name];

  if (!known || known !== password) return res.sendStatus(403);
  req.session.user = name;
  res.sendStatus(204);
});

app.post("/api/logout", (req, res) => {
  req.session = null;
  res.sendStatus(204);
});

// One publish: both users get the message, or neither does.
app.post("/api/messages", user, async (req, res) => {
  const { to, text } = req.body ?? {};

  if (!users[to] || typeof text !== "string") return res.sendStatus(400);

  const data = { from: req.user, to, text: text.slice(0, 500) };
  const hearers = new Set([req.user, to]);

  await publish([...hearers].map(name => ({ category: "user:" + name, data })));
  res.sendStatus(204);
});


function user(req, res, next) {
  req.user = req.session.user;
  if (!users[req.user]) return res.sendStatus(401);
  next();
}

async function publish(events) {
  const response = await fetch(nginx, {
    method: "POST",
    body: JSON.stringify(events),
    signal: AbortSignal.timeout(5000),
  });

  if (!response.ok) throw new Error("publish: " + await response.text());
}

app.listen(PORT, "127.0.0.1");
