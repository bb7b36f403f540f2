/* Which view, and the way back. */

import { useEffect, useState } from "preact/hooks";
import { airflow } from "./api";
import { DataView } from "./data";
import { FleetView } from "./fleet";
import { LedgerView } from "./ledger";
import type { Place } from "./mount";
import { Link, Name } from "./parts";
import { PipelineView } from "./pipeline";
import { hashOf, parse, type Route } from "./route";
import { RunView } from "./run";
import { TrialView } from "./trial";
import { VersionView } from "./version";
import { inert, version } from "./words";

export function App({ place }: { place: Place }) {
  const route = useRoute();
  const shown = route.view === "home" ? home(place) : route;
  const [moved, setMoved] = useState(false);
  useEffect(() => {
    if (!place.embedded) document.title = `${inert(titleOf(shown))} · Retraining`;
  }, [titleOf(shown)]);
  useEffect(() => {
    const once = (): void => setMoved(true);
    addEventListener("hashchange", once);
    return () => removeEventListener("hashchange", once);
  }, []);
  return (
    <div class="page">
      {!place.embedded && (
        <header class="top">
          <Link to={{ view: "fleet" }}>
            <strong>Retraining</strong>
          </Link>
          <a href={airflow("")}>Airflow</a>
        </header>
      )}
      <Way route={shown} />
      {place.embedded && (
        <p class="alone">
          <a href={airflow(`retrain/${hashOf(shown)}`)}>On a page of its own</a>
        </p>
      )}
      <Frame embedded={place.embedded}>
        <View route={shown} place={place} moved={moved} key={JSON.stringify(shown)} />
      </Frame>
    </div>
  );
}

/** Airflow has a <main> of its own around us. */
function Frame({ embedded, children }: { embedded: boolean; children: preact.ComponentChildren }) {
  return embedded ? <div>{children}</div> : <main>{children}</main>;
}

function View({ route, place, moved }: { route: Route; place: Place; moved: boolean }) {
  switch (route.view) {
    case "run":
      return <RunView dag={route.dag} run={route.run} take={moved} />;
    case "pipeline":
      return <PipelineView pipeline={route.pipeline} foreign={place.dagId === route.pipeline} take={moved} />;
    case "version":
      return <VersionView pipeline={route.pipeline} of={route.version} take={moved} />;
    case "data":
      return <DataView pipeline={route.pipeline} take={moved} />;
    case "trial":
      return <TrialView pipeline={route.pipeline} take={moved} />;
    case "ledger":
      return <LedgerView pipeline={route.pipeline} take={moved} />;
    default:
      return <FleetView take={moved} />;
  }
}

/** Where one is, and the pipeline's other views. */
function Way({ route }: { route: Route }) {
  if (!("pipeline" in route)) {
    if (route.view !== "run") return null;
    return (
      <nav class="way" aria-label="Where you are">
        <Link to={{ view: "fleet" }}>All pipelines</Link>
      </nav>
    );
  }
  const { pipeline } = route;
  const views = { pipeline: "Overview", data: "Data", trial: "Trial", ledger: "Ledger" } as const;
  return (
    <nav class="way" aria-label="Where you are">
      <Link to={{ view: "fleet" }}>All pipelines</Link>
      <span aria-hidden="true">/</span>
      <strong>
        <Name most={40}>{pipeline}</Name>
      </strong>
      <span class="tabs">
        {(Object.keys(views) as (keyof typeof views)[]).map((view) => (
          <Link key={view} to={{ view, pipeline }} current={route.view === view}>
            {views[view]}
          </Link>
        ))}
        {route.view === "version" && (
          <Link to={route} current>
            {version(route.version)}
          </Link>
        )}
      </span>
    </nav>
  );
}

function home(place: Place): Route {
  if (place.dagId && place.runId) return { view: "run", dag: place.dagId, run: place.runId };
  if (place.dagId) return { view: "pipeline", pipeline: place.dagId };
  return { view: "fleet" };
}

function titleOf(route: Route): string {
  if (route.view === "version") return `${route.pipeline} ${version(route.version)}`;
  if ("pipeline" in route) return route.view === "pipeline" ? route.pipeline : `${route.pipeline}: ${route.view}`;
  return route.view === "run" ? `Run ${route.run}` : "All pipelines";
}

function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const look = (): void => setHash(location.hash);
    addEventListener("hashchange", look);
    addEventListener("popstate", look);
    return () => {
      removeEventListener("hashchange", look);
      removeEventListener("popstate", look);
    };
  }, []);
  return parse(hash);
}
