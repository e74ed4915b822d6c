"""The views in MongoDB.

Reads use what every server that speaks the protocol does well: equality on `_id`, and bounded
ranges of one index. The embedded server neither pushes limits down nor ranges over `_id`, and it
scans the whole collection where an index is partial or lacks a field that the question names.
Writes are acknowledged from the journal.
"""
