"""The events of streams, and what clients may say on a WebSocket."""

from turnwire_gateway.openapi.coverage.verdict import Covered, ignored, refused, supported

_NOT_TOLD = "a backend's own are not told on; the item comes whole when it is done"
_NO_AUDIO = "answers are text"

STREAM_EVENTS: tuple[Covered, ...] = (
    supported("response.created", "first in every stream"),
    supported("response.queued", "background"),
    supported("response.in_progress", "the model is at work"),
    supported("response.completed", "an end"),
    supported("response.incomplete", "an end"),
    supported("response.failed", "an end; cancelled responses end with it too"),
    supported("error", "flat; only when the stream itself cannot go on"),
    supported("response.output_item.added", "every item begins with it"),
    supported("response.output_item.done", "every item ends with it"),
    supported("response.content_part.added", "messages and raw reasoning"),
    supported("response.content_part.done", "messages and raw reasoning"),
    supported("response.output_text.delta", "with logprobs, if asked for"),
    supported("response.output_text.done", "with logprobs, if asked for"),
    supported("response.output_text.annotation.added", "before the text is done"),
    supported("response.refusal.delta", "what the model says instead"),
    supported("response.refusal.done", "what the model says instead"),
    supported("response.reasoning_text.delta", "`response.reasoning.delta` in Open Responses"),
    supported("response.reasoning_text.done", "`response.reasoning.done` in Open Responses"),
    supported("response.reasoning_summary_part.added", "summaries of reasoning"),
    supported("response.reasoning_summary_part.done", "summaries of reasoning"),
    supported("response.reasoning_summary_text.delta", "summaries of reasoning"),
    supported("response.reasoning_summary_text.done", "summaries of reasoning"),
    supported("response.function_call_arguments.delta", "calls of functions"),
    supported("response.function_call_arguments.done", "with the function's name"),
    supported("response.custom_tool_call_input.delta", "calls of custom tools"),
    supported("response.custom_tool_call_input.done", "calls of custom tools"),
    *(
        ignored(f"response.{name}", _NOT_TOLD)
        for name in (
            "code_interpreter_call.completed", "code_interpreter_call.in_progress",
            "code_interpreter_call.interpreting", "code_interpreter_call_code.delta",
            "code_interpreter_call_code.done", "compaction.compacting",
            "file_search_call.completed", "file_search_call.in_progress",
            "file_search_call.searching", "image_generation_call.completed",
            "image_generation_call.generating", "image_generation_call.in_progress",
            "image_generation_call.partial_image", "shell_call_command.added",
            "shell_call_command.delta", "shell_call_command.done",
            "shell_call_output_content.delta", "shell_call_output_content.done",
            "web_search_call.completed", "web_search_call.in_progress",
            "web_search_call.searching",
        )
    ),
    ignored("response.mcp_list_tools.failed", "a server that cannot be listed ends the response"),
    *(
        ignored(f"response.{name}", _NO_AUDIO)
        for name in (
            "audio.delta", "audio.done", "audio.transcript.delta", "audio.transcript.done",
        )
    ),
    *(
        supported(f"response.{name}", "tools of MCP servers")
        for name in (
            "mcp_call.completed", "mcp_call.failed", "mcp_call.in_progress",
            "mcp_call_arguments.delta", "mcp_call_arguments.done", "mcp_list_tools.completed",
            "mcp_list_tools.in_progress",
        )
    ),
)  # fmt: skip
"""OpenAI: `ResponseStreamEvent`."""

SOCKET_EVENTS: tuple[Covered, ...] = (
    supported("response.create", "the fields of `POST /v1/responses`; one at a time in each lane"),
    refused("response.steer", "a response that runs takes no more input; cancel it and go on"),
)
"""What a client may send on the WebSocket (OpenAI: `ResponsesClientEvent`)."""
