import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Word } from "../src/contract";
import { opened, STANDING, STATUS, world } from "./world";

const server = world();
const TRIAL = "GET retrain/api/v1/pipelines/flights/trial";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"], shouldAdvanceTime: true, advanceTimeDelta: 1 });
  server.answers["GET retrain/api/v1/pipelines/flights"] = { status: 200, body: STATUS };
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function asked(): number {
  return server.sent.filter((one) => `${one.method} ${one.path}` === TRIAL).length;
}

test("a trial is read again every few seconds, by itself", async () => {
  server.answers[TRIAL] = { status: 200, body: null };
  await opened("#/pipelines/flights/trial");
  await vi.advanceTimersByTimeAsync(16_000);
  expect(asked()).toBeGreaterThanOrEqual(4);
});

test("while it cannot be read it is asked for less and less often", async () => {
  server.answers[TRIAL] = { status: 503, body: { error: "the store does not answer", where: null, do: null } };
  await opened("#/pipelines/flights/trial");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked()).toBeGreaterThanOrEqual(2);
  expect(asked()).toBeLessThanOrEqual(4);
});

test("while nobody looks nothing is asked, and at the first look it is", async () => {
  server.answers[TRIAL] = { status: 200, body: null };
  await opened("#/pipelines/flights/trial");
  const sight = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
  const before = asked();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(asked()).toBe(before);
  sight.mockReturnValue("visible");
  document.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(50);
  expect(asked()).toBe(before + 1);
});

test("a pipeline that is not read yet is asked for again soon, and once it is read, seldom", async () => {
  const fleet = (word: Word) => ({ status: 200, body: { at: "2026-11-22T00:00:00Z", pipelines: [{ ...STANDING, word }] } });
  const reads = (): number => server.sent.filter((one) => one.path === "retrain/api/v1/pipelines").length;
  server.answers["GET retrain/api/v1/pipelines"] = fleet("UNREAD");
  await opened("#/fleet");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(reads()).toBeGreaterThanOrEqual(4);
  server.answers["GET retrain/api/v1/pipelines"] = fleet("OK");
  await vi.advanceTimersByTimeAsync(4_000);
  const before = reads();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(reads()).toBe(before);
  await vi.advanceTimersByTimeAsync(12_000);
  expect(reads()).toBe(before + 1);
});

test("what served is read again when there are more entries, and stays in sight meanwhile", async () => {
  const HISTORY = "retrain/api/v1/pipelines/flights/history";
  const reads = (): number => server.sent.filter((one) => one.path === HISTORY).length;
  server.answers[`GET ${HISTORY}`] = { status: 200, body: { served: [], trials: [], verdicts: [] } };
  const root = await opened("#/pipelines/flights");
  await vi.advanceTimersByTimeAsync(31_000);
  expect(reads()).toBe(1);
  server.answers["GET retrain/api/v1/pipelines/flights"] = { status: 200, body: { ...STATUS, entries: 8 } };
  server.answers[`GET ${HISTORY}`] = { status: 503, body: { error: "the store does not answer", where: null, do: null } };
  await vi.advanceTimersByTimeAsync(16_000);
  expect(reads()).toBe(2);
  expect(root.textContent).toContain("Nothing has served yet.");
});
