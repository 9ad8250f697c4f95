"""Notes that users write to each other: the application of the tutorial."""

import json
import secrets
import urllib.request
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

NGINX = "http://127.0.0.1:8081/publish"
USERS = {"ann": "cow", "ben": "pig"}    # a real application has hashes

sessions = {}                           # cookie: user
notes = []                              # a real application has a database


def publish(note):
    names = {"all"} if note["to"] == "all" else {note["from"], note["to"]}
    events = [{"category": name, "data": note} for name in names]
    body = json.dumps(events).encode()
    urllib.request.urlopen(NGINX, body, timeout=5).close()


class Application(BaseHTTPRequestHandler):

    def do_GET(self):
        user = self.user()

        if self.path == "/":
            with open("page.html") as page:
                self.answer(200, page.read(), {"Content-Type": "text/html"})
        elif not user:
            self.answer(401)
        elif self.path == "/auth":      # nginx asks: what may this user hear?
            self.answer(200, "", {"X-Categories": f"all,{user}"})
        elif self.path == "/notes":     # what a page begins with
            seen = [n for n in notes if {"all", user} & {n["from"], n["to"]}]
            cursor = self.headers["X-Longpoll-Cursor"]
            self.answer(200, json.dumps({"cursor": cursor, "notes": seen}))
        else:
            self.answer(404)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        form = dict(parse_qsl(self.rfile.read(length).decode()))

        if self.path == "/login":
            self.login(form.get("name"), form.get("password"))
        elif not self.user():
            self.answer(401)
        elif self.path == "/notes" and form.get("to") in ["all", *USERS]:
            self.add({"id": secrets.token_hex(4), "from": self.user(),
                      "to": form["to"], "text": form.get("text", "")})
        else:
            self.answer(400)

    def add(self, note):
        notes.append(note)              # first what is true,
        try:
            publish(note)               # then the news of it
        except OSError as error:
            self.log_error("not published: %s", error)
        self.answer(204)

    def login(self, name, password):
        if not password or USERS.get(name) != password:
            return self.answer(403)
        key = secrets.token_hex(16)
        sessions[key] = name
        cookie = f"session={key}; HttpOnly; SameSite=Strict"
        self.answer(204, "", {"Set-Cookie": cookie})

    def user(self):
        cookie = SimpleCookie(self.headers["Cookie"]).get("session")
        return cookie and sessions.get(cookie.value)

    def answer(self, status, text="", headers={}):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


ThreadingHTTPServer(("127.0.0.1", 8000), Application).serve_forever()
