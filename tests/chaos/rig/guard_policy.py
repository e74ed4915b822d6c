"""The guard's policy of every chaos run: turns are judged, those of one application at the end."""

HELD = "held"
"""The `x-application-id` whose answers the guard judges before they are shown."""

_STAGES = """
      - stage: words
        provider: regex
        settings: { patterns: { secret: ['zz-[a-z]+'] } }
"""
POLICY = f"""
policies:
  default:
    input:{_STAGES}
    tool_output:{_STAGES}
  {HELD}:
    input:{_STAGES}
    output:{_STAGES}
"""
