"""How a text is made to fit: its end is left out, and that is said. No I/O."""


def cut(text: str, most_bytes: int) -> str:
    """Leave out the end of what is longer, between two characters, and say so there."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= most_bytes:
        return text
    kept = encoded[:most_bytes].decode(errors="ignore")
    left_out = len(encoded) - len(kept.encode())
    return f"{kept}\n[cut here: {left_out} of {len(encoded)} bytes left out]"
