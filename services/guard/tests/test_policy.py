"""What a policy file may say, and what the guard says to one that says something else."""

from pathlib import Path

import pytest

from turnwire_chassis.yaml_place import PlaceError
from turnwire_guard.policy import NO_POLICY, parse_policy
from turnwire_guard.providers import PROVIDERS

POLICY = """\
policies:
  default:
    input:
      - stage: secrets
        provider: regex
        on_error: allow
        settings:
          patterns:
            key: ['sk-[a-z]+', 'AKIA[0-9A-Z]{16}']
            ssn: ['\\d{3}-\\d{2}-\\d{4}']
      - stage: words
        provider: regex
        enabled: false
        settings: {patterns: {rude: [darn]}}
    output: []
  shop:
    tool_output:
      - {stage: s, provider: regex, settings: {patterns: {c: [x]}}}
"""


def complaint(text: str) -> str:
    """Give what the guard says to a bad policy."""
    with pytest.raises(PlaceError) as caught:
        parse_policy(text, "p.yaml")
    return str(caught.value)


def changed(before: str, after: str) -> str:
    assert POLICY.count(before) == 1
    return POLICY.replace(before, after)


def test_stages_keep_their_order_and_their_settings() -> None:
    secrets, words = parse_policy(POLICY, "p.yaml").pipeline(None, "input")

    assert (secrets.name, secrets.provider_name, secrets.on_error) == ("secrets", "regex", "allow")
    assert (words.name, words.enabled, words.on_error) == ("words", False, "block")
    assert secrets.enabled


def test_an_application_that_is_not_named_has_the_default_pipelines() -> None:
    policy = parse_policy(POLICY, "p.yaml")

    assert policy.pipeline("elsewhere", "input") == policy.pipeline("default", "input")
    assert policy.pipeline("", "input") == policy.pipeline(None, "input")


def test_an_application_that_is_named_stands_alone() -> None:
    policy = parse_policy(POLICY, "p.yaml")

    assert [stage.name for stage in policy.pipeline("shop", "tool_output")] == ["s"]
    assert policy.pipeline("shop", "input") == ()


def test_without_a_policy_every_pipeline_is_empty() -> None:
    assert NO_POLICY.pipeline("shop", "input") == ()
    assert parse_policy("policies: {}", "p.yaml").pipeline(None, "output") == ()


@pytest.mark.parametrize(
    ("before", "after", "line", "key", "said"),
    [
        (
            "enabled: false",
            "enable: false",
            13,
            "policies.default.input[1].enable",
            "there is no such key. Did you mean 'enabled'?",
        ),
        (
            "    output: []",
            "    outputs: []",
            15,
            "policies.default.outputs",
            "there is no such key. Did you mean 'output'?",
        ),
        ("policies:", "policy:", 1, "policy", "there is no such key. Did you mean 'policies'?"),
        (
            "provider: regex\n        on_error",
            "provider: regexp\n        on_error",
            5,
            "policies.default.input[0].provider",
            "'regexp' is not possible. Did you mean 'regex'?",
        ),
        (
            "    output: []",
            "    output_check: hold",
            15,
            "policies.default.output_check",
            "'hold' is not possible. Did you mean 'held'?",
        ),
        (
            "{patterns: {rude: [darn]}}",
            "{sets: [pi]}",
            14,
            "policies.default.input[1].settings.sets[0]",
            "'pi' is not possible. Did you mean 'pii'?",
        ),
        (
            "{patterns: {rude: [darn]}}",
            "{}",
            14,
            "policies.default.input[1].settings",
            "must have one of the keys patterns, sets, words, hosts",
        ),
        (
            "on_error: allow",
            "on_error: ignore",
            6,
            "policies.default.input[0].on_error",
            "'ignore' is not possible. Possible: 'allow', 'block'.",
        ),
        (
            "enabled: false",
            "enabled: 'false'",
            13,
            "policies.default.input[1].enabled",
            "must be true or false",
        ),
        (
            "[darn]",
            "darn",
            14,
            "policies.default.input[1].settings.patterns.rude",
            "must be a list (- …)",
        ),
        (
            "[darn]",
            "[42]",
            14,
            "policies.default.input[1].settings.patterns.rude[0]",
            "must be a text; write it in quotes: '42'",
        ),
        (
            "[darn]",
            "['']",
            14,
            "policies.default.input[1].settings.patterns.rude[0]",
            "must not be empty",
        ),
        (
            "'sk-[a-z]+'",
            "'sk-[a-z+'",
            9,
            "policies.default.input[0].settings.patterns.key[0]",
            "is not an expression of RE2: missing ]: [a-z+",
        ),
        (
            "patterns: {rude",
            "pattern: {rude",
            14,
            "policies.default.input[1].settings.pattern",
            "there is no such key. Did you mean 'patterns'?",
        ),
        (
            "      - stage: words\n",
            "      - on_error: block\n",
            11,
            "policies.default.input[1]",
            "the key 'stage' is missing",
        ),
        (
            "            ssn:",
            "            key:",
            10,
            "policies.default.input[0].settings.patterns.key",
            "is there twice",
        ),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_key(
    before: str, after: str, line: int, key: str, said: str
) -> None:
    assert complaint(changed(before, after)) == f"p.yaml:{line}: {key}: {said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "p.yaml:1: the file is empty"),
        ("- a", "p.yaml:1: must be a mapping (key: value)"),
        ("policies:\n  a: 1\n b: 2", "p.yaml:3: this is not YAML: "),
        ("policies:", "p.yaml:1: policies: must be a mapping (key: value)"),
        ("{}", "p.yaml:1: the key 'policies' is missing"),
        ("policies: {a: {input: [x]}}", "p.yaml:1: policies.a.input[0]: must be a mapping"),
        ("policies: {[a]: {}}", "p.yaml:1: policies: must have plain words as keys"),
        ('policies: {a: "\\d"}', "p.yaml:1: this is not YAML: found unknown escape character 'd'"),
        ("a: 1\n---\nb: 2", "p.yaml:2: this is not YAML: but found another document"),
        ("[" * 1000, "p.yaml:1: is nested too deeply"),
        ("a: \x07", "p.yaml:1: this is not YAML: unacceptable character"),
    ],
)
def test_a_file_that_is_no_policy_is_refused(text: str, said: str) -> None:
    assert complaint(text).startswith(said)


def test_a_pipeline_may_be_written_once_and_used_twice() -> None:
    policy = parse_policy(
        changed("    output: []", "    output: []\n  b: &b {}\n  c: *b"), "p.yaml"
    )

    assert policy.pipeline("c", "input") == ()


def test_outputs_are_held_where_a_stage_checks_them_unless_the_policy_says_otherwise() -> None:
    stage = "[{stage: s, provider: regex, settings: {sets: [pii]}}]"
    off = "[{stage: s, provider: regex, enabled: false, settings: {sets: [pii]}}]"
    policy = parse_policy(
        f"policies:\n  default: {{output: {stage}}}\n"
        f"  late: {{output: {stage}, output_check: at_end}}\n"
        f"  off: {{output: {off}, output_check: at_end}}\n  none: {{output_check: at_end}}",
        "p.yaml",
    )

    assert policy.output_check(None) == policy.output_check("elsewhere") == "held"
    assert policy.output_check("late") == "at_end"
    assert policy.output_check("off") == policy.output_check("none") == "unchecked"
    assert NO_POLICY.output_check(None) == "unchecked"


def test_a_version_is_that_of_the_content() -> None:
    one, same = parse_policy(POLICY, "p.yaml"), parse_policy(POLICY, "q.yaml")

    assert one.version == same.version
    assert one.version != parse_policy(POLICY + "# later", "p.yaml").version != NO_POLICY.version


def test_all_stages_are_listed_with_their_place() -> None:
    listed = parse_policy(POLICY, "p.yaml").stages()

    assert [(application, check, stage.name) for application, check, stage in listed] == [
        ("default", "input", "secrets"),
        ("default", "input", "words"),
        ("shop", "tool_output", "s"),
    ]


def test_the_policy_of_the_guards_page_is_one() -> None:
    page = (Path(__file__).parents[3] / "docs" / "guard.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]

    policy = parse_policy(example, "guard.md")

    assert {stage.provider_name for *_, stage in policy.stages()} == set(PROVIDERS)
    assert policy.pipeline("shop", "input") == ()
