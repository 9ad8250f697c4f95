"""Keeps a file of who is online: online.py EVENTS STATUS FILE

EVENTS is the URL of the zone's presence events, STATUS that of its status.  FILE
has the categories that are present, and the cursor of the last event that is in
it.  Both are written together, so the program may end at any moment, and goes on
where it was.  Without FILE it begins with a list of who is present.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request

# of the network, and HTTP's: a later try may succeed
FAILURES = (OSError, http.client.HTTPException)


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


def get(url):
    with urllib.request.urlopen(url, timeout=90) as answer:
        try:
            return json.load(answer)
        except ValueError as error:
            raise urllib.error.URLError(f"not JSON: {error}") from error


def poll(events, cursor):
    return get(f"{events}?timeout=60&last_id={cursor}")


def present(status):
    """Returns a cursor, and who is present; events behind it tell the rest."""

    page = get(f"{status}?list&limit=1000")
    cursor, rows = page["cursor"], page["categories"]

    while "next" in page:
        page = get(f"{status}?list&limit=1000&after={page['next']}")
        rows += page["categories"]

    return cursor, {row["category"] for row in rows if row["present"]}


def follow(events, status, cursor=None, online=()):
    """Yields the cursor, who is present, and who of them may be new."""

    online = set(online)
    came = set(online)

    while True:
        if cursor:
            yield cursor, online, came

        try:
            answer = poll(events, cursor) if cursor else {}

            if not cursor or answer.get("missed"):
                cursor, online = present(status)
                came = set(online)
                continue

        except FAILURES as error:
            print(f"{events}: {error}", file=sys.stderr)
            came = set()
            time.sleep(1)
            continue

        came = set()

        for event in answer.get("events", []):
            change = event["data"]
            cursor = event["id"]

            if change["present"] == "reset":
                online.clear()
                came.clear()
            elif change["present"]:
                online.add(change["category"])
                came.add(change["category"])
            else:
                online.discard(change["category"])
                came.discard(change["category"])


def main(events, status, path):
    state = load(path)

    for cursor, online, _ in follow(events, status, state["cursor"],
                                    state["online"]):
        save(path, cursor, online)


if __name__ == "__main__":
    main(*sys.argv[1:])
