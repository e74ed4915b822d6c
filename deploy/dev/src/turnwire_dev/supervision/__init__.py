"""Keeps processes running: starts them, restarts the dead, tells what happened, ends them in time.

Our own, because none on PyPI fits: honcho never restarts and ends all when one ends; circus and
supervisor are daemons with a control socket and a polling loop, and know no readiness; supervice is
such a daemon too. What is needed here is a few hundred lines over asyncio.
"""
