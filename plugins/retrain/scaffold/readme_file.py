"""``README.md`` of a pipeline's folder."""

from __future__ import annotations

from retrain.scaffold.profile import Profile


def readme_md(name: str, profile: Profile, notes: tuple[str, ...]) -> str:
    """The text of ``README.md``."""
    remarks = "".join(f"- {note}\n" for note in notes)
    if remarks:
        remarks = f"\n## What was noticed in the data\n\n{remarks}"
    return f"""\
# {name}

Predicts `{profile.label.name}` ({profile.task}). Written by `retrain init`; it runs as it is, and is yours to edit.

| File | What it is |
|---|---|
| `pipeline.yaml` | data, training, gates, canary: every choice with its reason |
| `features.py` | raw columns → features, the same code in training and in service |
| `test_features.py` | its test |
| `expectations.json` | what the data must look like; each bound says how much slack it has |

## Next

    retrain check {name}      # is everything right?
    retrain run {name}        # train, judge and release a first model, in this terminal
    retrain serve {name}      # answer predictions on http://127.0.0.1:8600

Its Dag `{name}` is in Airflow at the next parse of the Dags folder.
{remarks}"""
