"""Keeps a file of who is online: online.py URL FILE

URL is that of the zone's presence events, FILE has the categories that are
present, and the cursor of the last event that is in it.  Both are written
together, so the program may end at any moment, and goes on where it was.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request


def load(path):
    try:
        with open(path) as file:
            return json.load(file)
    except FileNotFoundError:
        return {"cursor": None, "online": []}


def save(path, cursor, online):
    with open(path + ".new", "w") as file:
        json.dump({"cursor": cursor, "online": sorted(online)}, file)
    os.replace(path + ".new", path)


def poll(url, cursor):
    where = f"last_id={cursor}" if cursor else "since_time=1"
    with urllib.request.urlopen(f"{url}?timeout=60&{where}", timeout=90) as r:
        return json.load(r)


def main(url, path):
    state = load(path)
    cursor, online = state["cursor"], set(state["online"])

    while True:
        try:
            answer = poll(url, cursor)
        except (urllib.error.URLError, OSError):
            time.sleep(1)
            continue

        if answer.get("missed"):
            online.clear()          # some changes are gone

        for event in answer.get("events", []):
            change = event["data"]
            cursor = event["id"]

            if change["present"] == "reset":
                online.clear()
            elif change["present"]:
                online.add(change["category"])
            else:
                online.discard(change["category"])

        save(path, cursor, online)


if __name__ == "__main__":
    main(*sys.argv[1:])
