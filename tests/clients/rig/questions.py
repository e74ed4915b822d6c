"""What users ask in these tests, and what the model says."""

from scripted_backend import Usage, calls, says

FIRST, SECOND, THIRD = "What is the capital of France?", "What is it known for?", "Since when?"

PARIS = says("Par", "is.").using(Usage(12, 3, cached_tokens=2, reasoning_tokens=1))
TOWER = says("Its ", "tower.").using(Usage(20, 4))
AGES = says("1889.")

HOW_MUCH = "How much is 19 and 23?"
ADDS = calls("add", {"a": 19, "b": 23})
SUM = says("It is ", "42.")

CITY = {"name": "Paris", "people": 2103000}
ANSWERS_CITY = says('{"name":"Par', 'is","people":2103000}')
