"""How pipelines stand, what happened to them, what a version is, what the data was: read by pages and command line.

Everything here is a fold over the ledger and the artifacts it names. It decides nothing and writes nothing. Whatever
comes from data, people or files is text; whoever shows it sees to it that it stays text.
"""

from __future__ import annotations

from retrain.status.data import DataStory, data_story, quarantine_csv
from retrain.status.fleet import Fleet, fleet
from retrain.status.health import Health
from retrain.status.history import History, history
from retrain.status.pipeline import PipelineStatus, Serving, UnderWay, status
from retrain.status.standing import Standing, standing, worst_first
from retrain.status.version import VersionStory, version_story
from retrain.status.waiting import Waiting

__all__ = [
    "DataStory",
    "Fleet",
    "Health",
    "History",
    "PipelineStatus",
    "Serving",
    "Standing",
    "UnderWay",
    "VersionStory",
    "Waiting",
    "data_story",
    "fleet",
    "history",
    "quarantine_csv",
    "standing",
    "status",
    "version_story",
    "worst_first",
]
