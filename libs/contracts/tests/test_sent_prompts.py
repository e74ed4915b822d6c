"""The answer about a prompt, as it travels."""

import pytest
from msgspec import Raw

from turnwire_contracts.inspecting.sent_prompts import BACKEND_PROMPT, RebuiltPrompt


@pytest.mark.parametrize("body", [b'{"input":[]}', b"null"])
def test_a_prompt_arrives_as_it_was_written(body: bytes) -> None:
    told = RebuiltPrompt(1, 1, "0.1.0", "responses", len(body), Raw(body), exact=True)
    come = BACKEND_PROMPT.decode_answer(BACKEND_PROMPT.encode_answer(told))
    assert isinstance(come, RebuiltPrompt)
    assert bytes(come.body) == body
