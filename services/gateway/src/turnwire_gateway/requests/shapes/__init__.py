"""Shapes of values inside a request: those of chat completions are written flat, wrong ones named.

People migrate: what the older API nests is understood and becomes what the Responses API says.
"""
