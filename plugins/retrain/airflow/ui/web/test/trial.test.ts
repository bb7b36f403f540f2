import { expect, test } from "vitest";
import type { TrialStory } from "../src/contract";
import { opened, world } from "./world";

const server = world();
const TRIAL: TrialStory = {
  version: 4, champion: 3, phase: "canary", state: "ramping", started: "2026-11-22T00:00:00Z", ended: null, step: 2, steps: [0.05, 0.25, 0.5],
  share: 0.25, share_seen: null, looked_at: null, watched: null, summary: "", open: [], doubts: [], requests: { champion: 0, challenger: 0 },
  labels: 0, waiting_labels: null, alpha: 0.05, patience_ends: null, on_patience: null, metrics: [], looks: [],
};
const ENDED = "2026-11-22T01:00:00Z";

async function steps(change: Partial<TrialStory>): Promise<string[]> {
  server.answers["GET retrain/api/v1/pipelines/flights/trial"] = { status: 200, body: { ...TRIAL, ...change } };
  const root = await opened("#/pipelines/flights/trial");
  return [...root.querySelectorAll(".steps li")].map((step) => step.textContent!);
}

test("a trial under way says which steps it has passed and which are to come", async () => {
  expect(await steps({})).toEqual(["5 % passed", "25 % now", "50 % to come"]);
});

test("a trial that was rolled back says at which step, and what it did not reach", async () => {
  expect(await steps({ state: "rolled_back", ended: ENDED })).toEqual(["5 % passed", "25 % ended here", "50 % not reached"]);
});

test("a trial that was promoted has passed its steps", async () => {
  expect(await steps({ state: "promoted", ended: ENDED, step: 3 })).toEqual(["5 % passed", "25 % passed", "50 % passed"]);
});
