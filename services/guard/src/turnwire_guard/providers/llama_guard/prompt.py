"""What is sent: messages for a server that knows the model's template, or the prompt as one. Pure.

A prompt that is rendered here and once more by the server's template would be judged as a whole,
instructions included; so a policy says which of the two the server is (`prompt_mode`).
"""

from collections.abc import Sequence

from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import GuardMessage
from turnwire_guard.providers.llama_guard.categories import CODES, PROMPT_NAMES
from turnwire_guard.providers.llama_guard.options import Options

_WORDS = {"user": "User", "assistant": "Agent"}
_MOST_TOKENS = 32
_TOP_LOGPROBS = 5

# "according our" is Meta's own wording, which the models were trained on.
_PROMPT = """\
Task: Check if there is unsafe content in '{role}' messages in conversations according our safety \
policy with the below categories.

<BEGIN UNSAFE CONTENT CATEGORIES>
{categories}
<END UNSAFE CONTENT CATEGORIES>

<BEGIN CONVERSATION>

{conversation}

<END CONVERSATION>

Provide your safety assessment for ONLY THE LAST {role} message in the above conversation:
 - First line must read 'safe' or 'unsafe'.
 - If unsafe, a second line must include a comma-separated list of violated categories."""


def request_body(conversation: Sequence[GuardMessage], options: Options) -> JSON:
    """Write a chat completion request."""
    body: JSON = {
        "model": options.model,
        "messages": _messages(conversation, options),
        "max_tokens": _MOST_TOKENS,
        "temperature": 0,
        "stream": False,
    }
    if options.threshold is not None:
        body |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
    if options.prompt_mode == "messages" and options.variant == "3-1b" and options.exclude:
        # Only the templates of 1B and 11B know it; the answer is filtered for all of them.
        body["chat_template_kwargs"] = {"excluded_category_keys": sorted(options.exclude)}
    return body


def rendered(conversation: Sequence[GuardMessage], options: Options) -> str:
    """Write the prompt of the models' cards, without the tokens around it."""
    role = _WORDS[conversation[-1].role]
    return _PROMPT.format(
        role=role,
        categories="\n".join(
            f"{code}: {PROMPT_NAMES[code]}."
            for code in CODES[options.variant]
            if code not in options.exclude
        ),
        conversation="\n\n".join(f"{_WORDS[said.role]}: {said.text}" for said in conversation),
    )


def _messages(conversation: Sequence[GuardMessage], options: Options) -> list[JSON]:
    match options.prompt_mode:
        case "rendered":
            return [{"role": "user", "content": rendered(conversation, options)}]
        case "messages":
            return [
                {"role": said.role, "content": _content(said.text, options)}
                for said in conversation
            ]


def _content(text: str, options: Options) -> str | list[JSON]:
    # The templates of 1B and 11B go through parts; that of 8B takes a text only.
    return [{"type": "text", "text": text}] if options.variant == "3-1b" else text
