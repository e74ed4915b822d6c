#!/usr/bin/env bash
# A conversation of two turns with curl. The second names the first, so it need not repeat it.
set -euo pipefail

url="${TURNWIRE_URL:-http://127.0.0.1:8080/v1}"
model="${TURNWIRE_MODEL:-smollm2}"
token="${TURNWIRE_TOKEN:-local}"

ask() {
  curl --silent --show-error --fail-with-body --no-buffer "$url/responses" \
    --header "Content-Type: application/json" \
    --header "Authorization: Bearer $token" \
    --data "$1"
}

first=$(ask '{
  "model": "'"$model"'",
  "instructions": "Be brief and kind.",
  "input": "What is the capital of France?",
  "temperature": 0
}')

python3 -c 'import json, sys
for item in json.load(sys.stdin)["output"]:
    print(*(part["text"] for part in item.get("content", [])))' <<<"$first"

id=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])' <<<"$first")

# The second answer is printed as it comes: one server-sent event for each piece of text.
ask '{
  "model": "'"$model"'",
  "previous_response_id": "'"$id"'",
  "input": "And what is it known for?",
  "temperature": 0,
  "stream": true
}' | python3 -c 'import json, sys
for line in sys.stdin:
    if line.startswith("data: {"):
        event = json.loads(line.removeprefix("data: "))
        if event["type"] == "response.output_text.delta":
            print(event["delta"], end="", flush=True)
print()
sys.exit(event["type"] != "response.completed")'
