"""A process that serves a small model through llama.cpp's HTTP server, `/v1/responses` included.

The real thing on a laptop's terms: SmolLM2 with 135M parameters knows little, but it is no stub.
"""

import argparse
import importlib
import os
import signal
from importlib.resources import files
from typing import Any

from turnwire_dev.instance.ports import LOOPBACK

# Requests served at once; the context is divided among them, so each has 2,048 tokens.
SLOTS = 4
CONTEXT_TOKENS = 8192
# More would wait for each other in spinning loops as soon as anything else runs: 2 to 7 tokens a
# second, not 40.
THREADS = 1


def main() -> None:
    """Serve until SIGTERM."""
    arguments = _arguments()
    # Blocked before the engine starts its threads, so that none of them takes a signal that is
    # waited for here.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    server = _serve(arguments.port, arguments.weights, arguments.alias)
    signal.sigwait(signals)
    del server
    # Nothing to save, and the engine's own end waits for what it still generates.
    os._exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="turnwire_dev.model_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--weights", required=True, help="a gguf file")
    parser.add_argument("--alias", required=True, help="the model's name for clients")
    return parser.parse_args()


def _serve(port: int, weights: str, alias: str) -> object:
    engine: Any = importlib.import_module(
        "xllamacpp"
    )  # It has no types, and only this process needs it.
    parameters = engine.CommonParams()
    parameters.model.path = weights
    parameters.model_alias = {alias}
    parameters.hostname = LOOPBACK
    parameters.port = port
    parameters.webui = False
    parameters.n_parallel = SLOTS
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.cpuparams.n_threads = THREADS
    parameters.cpuparams_batch.n_threads = THREADS
    parameters.use_jinja = True
    parameters.chat_template = (files("turnwire_dev") / "chatml.jinja").read_text("utf-8")
    parameters.endpoint_metrics = True
    return engine.Server(parameters)


if __name__ == "__main__":
    main()
