"""Faults other than kills: partitions, stalls, forged answers, doubled messages, wrong clocks."""
