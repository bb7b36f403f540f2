"""A scheduled run ends after drift while the champion is fresh; what it says is what the ledger keeps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from retrain.artifacts import ColumnDrift, Drift, Ref
from retrain.ledger import FreshEnough
from retrain.stages.drift import fresh_enough


def request_for(workshop: Any, candidate: Any, later: timedelta = timedelta(0), **keys: Any) -> Any:
    return workshop.request("run-9", candidate.data_end + later, **keys)


def drift_of(workshop: Any, drifted: bool, champion: int = 1) -> Drift:
    ref = Ref(kind="snapshot", key="s", pipeline=workshop.spec.name)
    column = ColumnDrift(column="price", distance="psi", value=0.3, threshold=0.2 if drifted else 0.4, drifted=drifted)
    return Drift(
        key="d",
        pipeline=workshop.spec.name,
        snapshot=ref,
        reference=ref,
        champion=champion,
        columns=(column,),
        drifted=drifted,
    )


def test_a_scheduled_run_ends_early_while_the_champion_is_fresh(with_champion: Any, incumbent: Any) -> None:
    workshop, calm = with_champion, drift_of(with_champion, False)
    scheduled = request_for(workshop, incumbent, timedelta(days=7), trigger="schedule")
    reason = fresh_enough(workshop.spec, scheduled, calm, workshop.site)
    assert reason
    assert "version 1, is fresh" in reason
    fresh_enough(workshop.spec, scheduled, calm, workshop.fresh_site())
    ((entry, _),) = workshop.site.ledger(workshop.spec.name).of(FreshEnough)
    assert entry.body.model_dump(mode="json") == {"reason": reason, "champion": 1}


def test_it_goes_on_for_a_reason(with_champion: Any, incumbent: Any, workshop: Any) -> None:
    champion, calm = with_champion, drift_of(with_champion, False)

    def goes_on(later: int = 7, drift: Drift = calm, trigger: str = "schedule", **keys: Any) -> bool:
        request = request_for(champion, incumbent, timedelta(days=later), trigger=trigger, **keys)
        return fresh_enough(champion.spec, request, drift, champion.site) is None

    assert not goes_on()
    assert goes_on(later=31)
    assert goes_on(drift=drift_of(champion, True))
    assert goes_on(trigger="manual")
    assert goes_on(trigger="asset")
    assert goes_on(force=True)
    assert goes_on(redeploy=1)
    first = workshop.request(trigger="schedule")
    assert fresh_enough(workshop.spec, first, drift_of(workshop, False), workshop.site) is None


def test_it_goes_on_where_nothing_was_compared_with_this_champions_data(with_champion: Any, incumbent: Any) -> None:
    workshop, calm = with_champion, drift_of(with_champion, False)
    scheduled = request_for(workshop, incumbent, timedelta(days=7), trigger="schedule")
    for unmeasured in (calm.model_copy(update={"columns": ()}), drift_of(workshop, False, champion=2)):
        assert fresh_enough(workshop.spec, scheduled, unmeasured, workshop.site) is None
    assert not list(workshop.site.ledger(workshop.spec.name).of(FreshEnough))
