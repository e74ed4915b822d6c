"""`/v1/responses` as a WebSocket: creates come as messages, events go back as messages.

Sources: Open Responses (release 2026-04-24, "WebSocket transport"); OpenAI's lanes (`stream_id`)
and warm-ups (`generate: false`).
"""
