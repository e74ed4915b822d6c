"""The types of tools, of input items and of output items."""

from turnwire_gateway.openapi.coverage.verdict import Covered, ignored, passed, supported

_AS_IT_IS = "kept, and sent to the backend as it is"
_WHOLE = "a tool that the backend runs; told when it is done"
_OURS = "kept, and not sent: the backend never sees MCP"

TOOLS: tuple[Covered, ...] = (
    supported("function", "the client runs it"),
    supported("namespace", "its tools under qualified names; OpenAI gets it as it is"),
    supported("mcp", "Turnwire calls the server; OpenAI's own connectors and tunnels are refused"),
    *(
        passed(name, "the backend knows it or not; one that takes functions only gets none")
        for name in (
            "apply_patch", "code_interpreter", "computer", "computer_use_preview", "custom",
            "file_search", "image_generation", "local_shell",
            "programmatic_tool_calling", "shell", "tool_search", "web_search",
            "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11",
        )
    ),
)  # fmt: skip
"""OpenAI: `ToolParam`."""

INPUT_ITEMS: tuple[Covered, ...] = (
    supported("message", "with or without `type`, or as chat completions write it"),
    supported("function_call", "needs `call_id`, `name`, `arguments`"),
    supported("function_call_output", "needs `call_id`, `output`"),
    supported("custom_tool_call_output", "needs `call_id`, `output`"),
    supported("reasoning", "sent again if it says anything"),
    supported("item_reference", "the stored item stands in its place"),
    supported("compaction", "made by `POST /v1/responses/compact`"),
    *(
        passed(name, _AS_IT_IS)
        for name in (
            "additional_tools", "apply_patch_call", "apply_patch_call_output",
            "code_interpreter_call", "compaction_trigger", "computer_call", "computer_call_output",
            "configuration_update", "custom_tool_call", "file_search_call",
            "image_generation_call", "local_shell_call", "local_shell_call_output", "program",
            "program_output", "shell_call", "shell_call_output", "tool_search_call",
            "tool_search_output", "web_search_call",
        )
    ),
    supported("mcp_call", "the model is shown it as a function's call with its output"),
    supported("mcp_approval_request", "what an answer in the same input is for"),
    supported("mcp_approval_response", "needs `approval_request_id`, `approve`"),
    ignored("mcp_list_tools", _OURS),
)  # fmt: skip
"""OpenAI: `ResponseInputItemParam`."""

OUTPUT_ITEMS: tuple[Covered, ...] = (
    supported("message", "text, refusals, annotations, logprobs; streamed"),
    supported("reasoning", "raw text and summaries, streamed; encrypted content"),
    supported("function_call", "arguments are streamed"),
    supported("custom_tool_call", "input is streamed"),
    ignored("mcp_approval_response", "only clients give answers"),
    supported("compaction", "the answer of `POST /v1/responses/compact`"),
    *(
        passed(name, _WHOLE)
        for name in (
            "additional_tools", "apply_patch_call", "apply_patch_call_output",
            "code_interpreter_call", "computer_call", "computer_call_output",
            "custom_tool_call_output", "file_search_call", "function_call_output",
            "image_generation_call", "local_shell_call", "local_shell_call_output", "program",
            "program_output", "shell_call", "shell_call_output", "tool_search_call",
            "tool_search_output", "web_search_call",
        )
    ),
    supported("mcp_list_tools", "what a server offers; once in a chain"),
    supported("mcp_call", "arguments are streamed; ends with its output or its error"),
    supported("mcp_approval_request", "ends the response; a later one answers it"),
)  # fmt: skip
"""OpenAI: `ResponseOutputItem`."""
