"""Text that is not Unicode loses its bad characters and nothing else."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.json_repair import repaired_json

REPAIRED: dict[bytes, object] = {
    rb'"A\ud83d"': "A\ufffd",
    rb'"\ude00B"': "\ufffdB",
    rb'"\ud83d\ude00"': "\U0001f600",
    rb'"\uD83D\uDE00"': "\U0001f600",
    rb'"\ude00\ud83d"': "\ufffd\ufffd",
    rb'"\ud83d\ud83d\ude00"': "\ufffd\U0001f600",
    rb'"\ud83dx\ude00"': "\ufffdx\ufffd",
    rb'"\\ud83d"': "\\ud83d",
    rb'"\\\ud83d"': "\\\ufffd",
    rb'"\ud83d\\ude00"': "\ufffd\\ude00",
    rb'"\ud83d\n\"\u00e9"': '\ufffd\n"é',
    rb'{"\udc00":{"k\ud800":["\udfff"]}}': {"\ufffd": {"k\ufffd": ["\ufffd"]}},
    b'"\xff"': "\ufffd",
    b'"\xc3"': "\ufffd",
    b'"A\xe2\x82 B"': "A\ufffd B",
    b'"\xed\xa0\xbd"': "\ufffd",
    b'"\xed\xa0\xbd\xed\xb8\x80"': "\U0001f600",
    b'"\xed\xb8\x80\xed\xa0\xbd"': "\ufffd\ufffd",
    b'\xef\xbb\xbf{"a": 1}': {"a": 1},
    b'\xef\xbb\xbf"\xff\\ud800"': "\ufffd\ufffd",
    b'{"big": 18446744073709551616, "f": 1.10, "bad": "\\ud800"}': {
        "big": 18446744073709551616,
        "f": 1.1,
        "bad": "\ufffd",
    },
}

NO_JSON = [
    b"",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b'{"a": }',
    b'{"a": "\\ud83d"',
    rb'"\ud8"',
    rb'"\u"',
    b'{\xff: "a"}',
    b'{"a": NaN}',
    b"\\ud83d",
]


@pytest.mark.parametrize("data", REPAIRED)
def test_what_is_not_unicode_is_replaced_and_the_rest_kept(data: bytes) -> None:
    assert orjson.loads(repaired_json(data)) == REPAIRED[data]


@pytest.mark.parametrize("data", NO_JSON)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        repaired_json(data)


@given(st.text(st.characters(categories=("L", "Cs", "P", "Cc"))))
def test_every_text_of_python_can_be_read(text: str) -> None:
    read = orjson.loads(repaired_json(json.dumps({text: text}).encode()))
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert read == {whole: whole}


@given(st.binary())
def test_any_bytes_in_a_text_can_be_read(data: bytes) -> None:
    inside = bytes(each for each in data if each >= 0x20 and each not in b'"\\')
    assert isinstance(orjson.loads(repaired_json(b'"%b"' % inside)), str)


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(), st.lists))
def test_json_without_fault_stays_as_it_is_written(value: object) -> None:
    data = json.dumps(value, ensure_ascii=False).encode()
    assert repaired_json(data) == data
