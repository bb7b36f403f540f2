"""The gateway's own folder on this disk: the releases it knows, their models, and the log that is not shipped yet."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

from retrain.errors import GatewayError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def require_writable(folder: Path) -> None:
    """Make a folder of the gateway's, and ask before it listens whether it may write there.

    A full disk is no reason not to start: the champion answers on, as it does on a disk that fills up later.

    :raises GatewayError: it may not, and waiting does not help.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if error.errno in FULL:
            return
        raise GatewayError(
            f"The gateway does not start: it cannot write into its home ({error.strerror or error}), and without a "
            "prediction log no canary could be measured.",
            where=folder,
            do="give the user it runs as the right to write there, or name another folder in RETRAIN_HOME; in a "
            "container mount a volume at it.",
        ) from None
