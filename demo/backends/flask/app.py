"""A team's list of tasks, with Flask.

The state is in a database.  The application publishes each change with a POST
to nginx.  A page contains a cursor from before its state was read, and polls
from there.
"""

import json
import os
import sqlite3
import urllib.request

from flask import (Flask, abort, redirect, render_template, request, session,
                   url_for)
from werkzeug.security import check_password_hash, generate_password_hash

NGINX = os.environ.get("PUBLISH", "http://127.0.0.1:8081/publish")
DATABASE = os.environ.get("DATABASE", "tasks.db")

# name: password, teams; a real application has these in its database
USERS = {
    "ann": (generate_password_hash("cow"), ["stable", "garden"]),
    "ben": (generate_password_hash("pig"), ["stable"]),
    "cleo": (generate_password_hash("hen"), ["garden"]),
}

app = Flask(__name__)
app.config.update(SECRET_KEY=os.environ["SECRET"],
                  SESSION_COOKIE_SAMESITE="Lax")


def database():
    db = sqlite3.connect(DATABASE)
    db.row_factory = sqlite3.Row
    db.execute("CREATE TABLE IF NOT EXISTS task (id INTEGER PRIMARY KEY,"
               " team TEXT, title TEXT, done INTEGER DEFAULT 0,"
               " version INTEGER DEFAULT 1)")
    return db


def teams():
    """The teams of the logged-in user, for every access check."""
    if session.get("user") not in USERS:
        abort(401)
    return USERS[session["user"]][1]


def publish(task):
    """Publishes a task to its team, after the commit."""
    event = json.dumps({"category": task["team"], "data": dict(task)}).encode()
    urllib.request.urlopen(NGINX, event, timeout=5).close()


@app.get("/auth")
def auth():
    """nginx asks this for each poll."""
    return "", 204, {"X-Teams": ",".join(teams())}


@app.get("/")
def page():
    if session.get("user") not in USERS:
        return render_template("login.html")
    # nginx read the cursor before this request, so before the tasks
    cursor = request.headers.get("X-Longpoll-Cursor", "")
    marks = ",".join("?" * len(teams()))
    with database() as db:
        tasks = db.execute("SELECT * FROM task"
                           f" WHERE team IN ({marks}) ORDER BY id DESC",
                           teams())
        return render_template("tasks.html", tasks=tasks.fetchall(),
                               teams=teams(), cursor=cursor)


@app.post("/tasks")
def add():
    team, title = request.form["team"], request.form["title"][:200]
    if team not in teams():
        abort(403)
    with database() as db:
        task = db.execute("INSERT INTO task (team, title) VALUES (?, ?)"
                          " RETURNING *", (team, title)).fetchone()
    publish(task)
    return "", 204


@app.post("/tasks/<int:id>")
def tick(id):
    done = int(request.form["done"])
    with database() as db:
        task = db.execute("UPDATE task SET done = ?, version = version + 1"
                          " WHERE id = ? RETURNING *", (done, id)).fetchone()
        if not task or task["team"] not in teams():
            abort(404)      # and roll the change back
    publish(task)
    return "", 204


@app.post("/login")
def login():
    name = request.form["name"]
    if name not in USERS or not check_password_hash(USERS[name][0],
                                                    request.form["password"]):
        return render_template("login.html", wrong=True), 403
    session["user"] = name
    return redirect(url_for("page"))


@app.post("/logout")
def logout():
    session.clear()
    return redirect(url_for("page"))
