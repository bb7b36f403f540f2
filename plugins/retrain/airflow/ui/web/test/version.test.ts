import { expect, test } from "vitest";
import type { VersionStory } from "../src/contract";
import { BASE, opened, world } from "./world";

const server = world();
const STORY: VersionStory = {
  version: 4, standing: "blessed", reason: "", run: "nightly.manual__1", dag_id: "nightly", mlflow_run: null, trained_at: "2026-11-22T00:00:00Z",
  data_end: "2026-11-21T00:00:00Z", estimator: null, params: { rate: 0.123456, seed: 20261122 }, train_rows: 12345, verdict: null, champion: null,
  rehearsal: null, scores: [], slices: [], left_out: [], changes: [], drift: [],
};

async function shown(change: Partial<VersionStory>): Promise<ShadowRoot> {
  server.answers["GET retrain/api/v1/pipelines/flights/versions/4"] = { status: 200, body: { ...STORY, ...change } };
  return await opened("#/pipelines/flights/versions/4");
}

test("the run that made a version is a link, also of a Dag of another name", async () => {
  const root = await shown({});
  expect(root.querySelector("a.run")!.getAttribute("href")).toBe(`${BASE}dags/nightly/runs/manual__1`);
});

test("a run of MLflow is text, never a link, and folded", async () => {
  const root = await shown({ mlflow_run: "https://evil.example/0123456789abcdef" });
  expect(root.querySelector('a[href*="evil"]')).toBeNull();
  expect(root.querySelector(".facts")!.textContent).toMatch(/MLflow runhttps:\/\/evi… all 37 characters$/);
});

test("a column's weight is a share, and settings are exact", async () => {
  const drift = { column: "price", value: 0.3, threshold: 0.1, drifted: true, said: "moved", weight: 0.345, before: null, now: null };
  const root = await shown({ drift: [drift] });
  expect(root.querySelector(".card")!.textContent).toContain("Weight in the model: 34.5 %.");
  expect(root.querySelector(".facts")!.textContent).toContain("rate 0.123456, seed 20261122");
});
