"""``python -m retrain.serving [NAME …]``: the gateway without the rest of the command line."""

from __future__ import annotations

import argparse
import logging
import sys

from retrain.child import die_with
from retrain.errors import RetrainError
from retrain.serving.server import serve
from retrain.settings import Settings


def main() -> int:
    """Run the gateway; the exit status is that of the error, if any."""
    parser = argparse.ArgumentParser(prog="python -m retrain.serving", description="Serve pipelines over HTTP.")
    parser.add_argument("names", nargs="*", help="pipelines to serve; all, if none is named")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8600, help="0 for a free one")
    parser.add_argument("--die-with", type=int, metavar="PID", help="end when the parent process, PID, ends (Linux)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if arguments.die_with:
        die_with(arguments.die_with)
    try:
        serve(Settings.load(), arguments.names, host=arguments.host, port=arguments.port)
    except RetrainError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
