import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { opened, STATUS, world } from "./world";

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
