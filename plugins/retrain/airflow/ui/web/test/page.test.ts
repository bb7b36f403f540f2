import { expect, test } from "vitest";
import { EVIL, opened, settled, STANDING, STATUS, world } from "./world";

const server = world();
const API = "GET retrain/api/v1/";

function pipelines(...standings: (typeof STANDING)[]): void {
  server.answers[`${API}pipelines`] = { status: 200, body: { at: "2026-11-22T00:00:00Z", pipelines: standings } };
}

test("the fleet is shown in the order given, with its words", async () => {
  pipelines({ ...STANDING, pipeline: "eta", word: "BROKEN", said: "pipeline.yaml, line 12" }, STANDING);
  const root = await opened("#/");
  const rows = [...root.querySelectorAll("tbody tr")].map((row) => row.textContent);
  expect(rows[0]).toContain("BROKENetapipeline.yaml, line 12");
  expect(rows[1]).toContain("OKflightsserves version 3version 33 d 4 h of 14 d");
});

test("a search and a word leave those that fit", async () => {
  pipelines({ ...STANDING, pipeline: "eta", word: "BROKEN" }, STANDING, { ...STANDING, pipeline: "demand" });
  const root = await opened("#/");
  const chip = root.querySelector<HTMLButtonElement>('button[aria-pressed="false"]')!;
  chip.click();
  await settled();
  expect(root.querySelectorAll("tbody tr").length).toBe(1);
  expect(root.textContent).toContain("1 of 3 pipelines");
  root.querySelector<HTMLButtonElement>('button[aria-pressed="true"]')!.click();
  await settled();
});

test("a name from the data stays text", async () => {
  pipelines({ ...STANDING, pipeline: EVIL, said: EVIL });
  const root = await opened("#/");
  expect(root.querySelector("img, script, iframe")).toBeNull();
  expect(root.querySelector("tbody a")?.textContent).toBe('<img src=x onerror="alert(1)">![x](http://evil.example)��[31m�');
});

test("ten thousand characters are folded", async () => {
  pipelines({ ...STANDING, said: "x".repeat(10_240) });
  const root = await opened("#/");
  expect(root.querySelector(".said")!.textContent!.length).toBeLessThan(400);
  expect(root.querySelector(".said button")!.textContent).toBe("all 10,240 characters");
});

test("what cannot be read says what, where and what to do, and can be tried again", async () => {
  const body = { error: "the store does not answer", where: "s3://models", do: "see whether it runs" };
  server.answers[`${API}pipelines`] = { status: 503, body };
  const root = await opened("#/");
  const note = root.querySelector('[role="alert"]')!;
  for (const part of Object.values(body)) expect(note.textContent).toContain(part);
  pipelines(STANDING);
  note.querySelector("button")!.click();
  await settled();
  expect(root.querySelectorAll("tbody tr").length).toBe(1);
});

test("a Dag that is no pipeline is told so in one line", async () => {
  const root = await opened("", { embedded: true, dagId: "etl_daily" });
  expect(root.querySelector(".note")!.textContent).toContain("etl_daily is no retraining pipeline");
  expect(root.querySelector('[role="alert"]')).toBeNull();
});

test("the tab of a run shows the version it made", async () => {
  server.answers[`${API}runs/flights/manual__1`] = { status: 200, body: { pipeline: "flights", version: 4 } };
  await opened("", { embedded: true, dagId: "flights", runId: "manual__1" });
  await settled();
  expect(server.sent.map((one) => one.path)).toContain("retrain/api/v1/pipelines/flights/versions/4");
});

test("what was known stays in sight when it cannot be read any more", async () => {
  let down = false;
  const trouble = { status: 503, body: { error: "the store does not answer", where: null, do: null } };
  server.answers[`${API}pipelines/flights`] = () => (down ? trouble : { status: 200, body: STATUS });
  const root = await opened("#/pipelines/flights");
  expect(root.querySelector(".lead")!.textContent).toBe("serves version 3");
  down = true;
  document.dispatchEvent(new Event("visibilitychange"));
  await settled();
  expect(root.querySelector('[role="alert"]')!.textContent).toMatch(/cannot be read since \d{4}-.*the store does not answer/);
  expect(root.querySelector(".lead")!.textContent).toBe("serves version 3");
});

test("a shadow has neither step nor share, a canary has both", async () => {
  const standing = { ...STANDING, challenger: 4, steps: 3 };
  const told = async (change: Partial<typeof STANDING>): Promise<string> => {
    server.answers[`${API}pipelines/flights`] = { status: 200, body: { ...STATUS, standing: { ...standing, ...change } } };
    const root = await opened("#/pipelines/flights");
    return root.querySelector(".facts")!.textContent!;
  };
  expect(await told({ phase: "shadow", step: 0, share: 0 })).toMatch(/On trialversion 4 shadow$/);
  expect(await told({ phase: "canary", step: 2, share: 0.25 })).toMatch(/On trialversion 4 canary, step 2 of 3, 25 %$/);
});

for (const hash of ["#/pipelines/flights", "#/pipelines/flights/versions/4", "#/runs/flights/manual__1"]) {
  test(`${hash} has its heading also where it cannot be read`, async () => {
    const path = hash.slice(2);
    server.answers[`${API}${path}`] = { status: 503, body: { error: "the store does not answer", where: null, do: null } };
    const root = await opened(hash);
    expect(root.querySelectorAll("h1").length).toBe(1);
    expect(root.querySelector("h1 ~ .note")!.textContent).toContain("the store does not answer");
  });
}
