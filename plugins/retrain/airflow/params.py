"""The trigger form: what a human may ask of a retraining."""

from __future__ import annotations

from airflow.sdk import Param

MOMENT = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"


def trigger_form() -> dict[str, Param]:
    """The Params of a retraining, typed and described. A Dag of your own passes them as ``params``."""
    return {
        "data_end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            # Airflow checks the format only where an optional package is installed; a pattern it always checks.
            pattern=MOMENT,
            title="Data end",
            description="Rows at or after this moment are not used. Empty: the end of the data, which is the first "
            "full hour after the newest row.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Force",
            description="Retrain although the champion is fresh and nothing has drifted.",
        ),
        "skip_canary": Param(
            False,
            type="boolean",
            title="Skip the canary",
            description="Release to everybody at once. Needs a reason, which the ledger keeps.",
        ),
        "reason": Param(
            None, type=["null", "string"], maxLength=500, title="Reason", description="Why; kept in the ledger."
        ),
        "redeploy": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Release a version again",
            description="Train nothing; rehearse and release this blessed version.",
        ),
    }
