require "json"
require "net/http"

url, category, text = ARGV
event = { category: category, data: { text: text } }

Net::HTTP.post(URI(url), event.to_json).value
