import json
import sys
import urllib.request

url, category, text = sys.argv[1:]
event = json.dumps({"category": category, "data": {"text": text}})

urllib.request.urlopen(url, event.encode(), timeout=5).close()
