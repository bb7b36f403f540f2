import { expect, test } from "vitest";
import { runOf } from "../src/runlink";
import { BASE, opened, settled, STANDING, STATUS, world } from "./world";

const server = world();
const PIPELINE = "GET retrain/api/v1/pipelines/flights";
const RUN = "scheduled__2026-11-22T00:00:00+00:00";
const ADDRESS = `${BASE}dags/nightly/runs/scheduled__2026-11-22T00%3A00%3A00%2B00%3A00`;

test("a run of the pipeline's own Dag bears its own name", () => {
  expect(runOf({ pipeline: "flights", dag: "flights", run: RUN })).toEqual({ dag: "flights", run: RUN });
});

test("a run of another Dag bears that Dag's name before its own", () => {
  expect(runOf({ pipeline: "flights", dag: "team.nightly", run: `team.nightly.${RUN}` })).toEqual({ dag: "team.nightly", run: RUN });
});

test("there is no page of a run of the command line, of an unknown Dag's, or of another Dag's", () => {
  for (const [dag, run] of [["flights", "cli__1"], ["nightly", "cli__1"], [null, RUN], ["nightly", RUN], ["nightly", "nightly2.x"], ["flights", null]] as const) {
    expect(runOf({ pipeline: "flights", dag, run })).toBeNull();
  }
});

/** Where the runs that a view names lead. */
async function links(hash: string): Promise<(string | null)[]> {
  server.answers[PIPELINE] = {
    status: 200,
    body: {
      ...STATUS,
      standing: { ...STANDING, dag_id: "nightly" },
      runs: [{ run: `nightly.${RUN}`, by: "nightly", began: "2026-11-22T00:00:00Z", last: "2026-11-22T00:00:00Z", outcome: null, what: "" }],
    },
  };
  const root = await opened(hash);
  await settled();
  return [...root.querySelectorAll("a.run")].map((link) => link.getAttribute("href"));
}

test("the last runs and what served lead to their runs", async () => {
  const reign = { version: 3, start: "2026-11-22T00:00:00Z", end: null, how: "promoted", reason: "", by: "", run: `nightly.${RUN}`, entry: 3 };
  server.answers[`${PIPELINE}/history`] = { status: 200, body: { served: [reign], trials: [], verdicts: [] } };
  expect(await links("#/pipelines/flights")).toEqual([ADDRESS, ADDRESS]);
});

test("a validation leads to its run", async () => {
  const one = { key: "a", at: "2026-11-22T00:00:00Z", run: `nightly.${RUN}`, success: true, rows: 10, expectations: [], quarantine: null };
  server.answers[`${PIPELINE}/data`] = { status: 200, body: { validations: [one, { ...one, key: "b", run: "cli__1" }] } };
  expect(await links("#/pipelines/flights/data")).toEqual([ADDRESS]);
});

test("an entry of the ledger leads to its run", async () => {
  const entry = { number: 3, at: "2026-11-22T00:00:00Z", kind: "trained", by: "system", actor: "airflow", run: `nightly.${RUN}`, said: "" };
  server.answers[`${PIPELINE}/ledger`] = { status: 200, body: { entries: [entry, { ...entry, number: 2, run: null }], more: false } };
  expect(await links("#/pipelines/flights/ledger")).toEqual([ADDRESS]);
});
