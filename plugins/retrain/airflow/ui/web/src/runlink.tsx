/* The runs behind what the ledger says, in Airflow's own pages. */

import { airflow } from "./api";
import type { PipelineStatus } from "./contract";
import { useLoaded } from "./load";
import { Name, Text } from "./parts";
import { cut, inert } from "./words";

/** Whose run it is: the Dag that holds the pipeline, if that is known, and the run as the ledger names it. */
interface Named {
  pipeline: string;
  dag: string | null;
  run: string | null;
}

/**
 * A run in Airflow, of what the ledger says of it: `run_id` for the Dag of the pipeline's own name, `dag_id.run_id` for
 * a Dag of another name. Null where there is no such page: `cli__…` was run by `retrain run`.
 */
export function runOf({ pipeline, dag, run }: Named): { dag: string; run: string } | null {
  if (dag === null || run === null || run.startsWith("cli__")) return null;
  if (dag === pipeline) return { dag, run };
  const prefix = `${dag}.`;
  return run.startsWith(prefix) ? { dag, run: run.slice(prefix.length) } : null;
}

/** A link to the run; its name alone where it has no page. */
export function RunLink(named: Named) {
  const found = runOf(named);
  if (named.run === null) return <>–</>;
  if (found === null) return <Text most={60}>{named.run}</Text>;
  const path = `dags/${encodeURIComponent(found.dag)}/runs/${encodeURIComponent(found.run)}`;
  return (
    <a class="run" href={airflow(path)} title={inert(cut(found.run, 200))}>
      <Name most={44}>{found.run}</Name>
    </a>
  );
}

/** The Dag that holds a pipeline, for views whose own answer does not say; null until it is known. */
export function useDag(pipeline: string): string | null {
  const status = useLoaded<PipelineStatus>(`pipelines/${encodeURIComponent(pipeline)}`);
  return status.value?.standing.dag_id ?? null;
}
