import { beforeEach, expect, test } from "vitest";
import type { Act } from "../src/contract";
import { button, opened, ROLLBACK, settled, STATUS, world } from "./world";

const server = world();
const PIPELINE = "retrain/api/v1/pipelines/flights";

beforeEach(() => {
  server.answers[`GET ${PIPELINE}`] = { status: 200, body: STATUS };
});

function offered(...acts: Act[]): void {
  server.answers[`GET ${PIPELINE}/acts`] = { status: 200, body: acts };
}

async function done(root: ShadowRoot, title: string, reason: string): Promise<void> {
  button(root, title).click();
  await settled();
  const why = root.querySelector("dialog textarea") as HTMLTextAreaElement;
  why.value = reason;
  why.dispatchEvent(new Event("input", { bubbles: true }));
  await settled();
  root.querySelector("dialog form")!.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
  await settled();
}

function written(): typeof server.sent {
  return server.sent.filter((one) => one.method !== "GET");
}

test("an act says beforehand what will happen, and goes with its reason and what was seen", async () => {
  offered(ROLLBACK);
  server.answers[`POST ${PIPELINE}/acts/rollback`] = { status: 200, body: { act: "rollback", said: "Version 2 serves.", entry: 8 } };
  const root = await opened("#/pipelines/flights");
  button(root, "Roll back").click();
  await settled();
  expect(root.querySelector("dialog")!.textContent).toContain("Version 2 serves all requests.");
  await done(root, "Roll back", " complaints ");
  const [sent] = written();
  expect(sent!.body).toEqual({ version: 2, reason: "complaints", head: 7 });
  expect(sent!.headers).toMatchObject({ "X-Requested-With": "retrain", "Content-Type": "application/json" });
  expect(root.querySelector("dialog")).toBeNull();
  expect(server.sent.filter((one) => one.path === `${PIPELINE}/acts`).length).toBe(2);
  expect(root.querySelector(".done")!.textContent).toBe("Version 2 serves.");
});

test("without a reason nothing is sent", async () => {
  offered(ROLLBACK);
  const root = await opened("#/pipelines/flights");
  await done(root, "Roll back", "   ");
  expect(written()).toEqual([]);
});

test("who comes second is told who was first, and cannot insist", async () => {
  offered(ROLLBACK);
  server.answers[`POST ${PIPELINE}/acts/rollback`] = { status: 409, body: { error: "ben rolled back at 00:31", where: null, do: "look again" } };
  const root = await opened("#/pipelines/flights");
  await done(root, "Roll back", "complaints");
  const dialog = root.querySelector("dialog")!;
  expect(dialog.textContent).toContain("Not done. ben rolled back at 00:31");
  expect(dialog.querySelector('button[type="submit"]')).toBeNull();
});

test("what is refused for no fault of another's does not say that somebody was first", async () => {
  offered(ROLLBACK);
  server.answers[`POST ${PIPELINE}/acts/rollback`] = { status: 409, body: { error: "Version 2 is blessed already.", where: null, do: null } };
  const root = await opened("#/pipelines/flights");
  await done(root, "Roll back", "complaints");
  const told = root.querySelector('dialog [role="alert"]')!.textContent;
  expect(told).toBe("Not done. Version 2 is blessed already.");
});

for (const [status, unknown] of [[503, true], [504, true], [422, false], [409, false]] as const) {
  test(`after ${status} it is ${unknown ? "not known" : "known"} whether an act was done`, async () => {
    offered(ROLLBACK);
    server.answers[`POST ${PIPELINE}/acts/rollback`] = { status, body: { error: "no", where: null, do: null } };
    const root = await opened("#/pipelines/flights");
    await done(root, "Roll back", "complaints");
    expect(root.querySelector('dialog [role="alert"]')!.textContent.includes("look at the ledger before you try again")).toBe(unknown);
  });
}

test("an act of Airflow's own goes to Airflow, with the reason where it is asked for", async () => {
  const body = { logical_date: null, conf: { reason: null, deep: [{ reason: "" }] } };
  offered({ ...ROLLBACK, act: "retrain", title: "Retrain", versions: [], call: { method: "POST", path: "/api/v2/dags/flights/dagRuns", body } });
  server.answers["POST api/v2/dags/flights/dagRuns"] = { status: 200, body: {} };
  const root = await opened("#/pipelines/flights");
  await done(root, "Retrain", "new prices");
  const [sent] = written();
  expect(sent!.path).toBe("api/v2/dags/flights/dagRuns");
  expect(sent!.body).toEqual({ logical_date: null, conf: { reason: "new prices", deep: [{ reason: "new prices" }] } });
});

test("what cannot be done now says why", async () => {
  offered({ ...ROLLBACK, act: "resume", title: "Resume", possible: false, why_not: "nothing is paused" });
  const root = await opened("#/pipelines/flights");
  const resume = button(root, "Resume");
  expect(resume.getAttribute("aria-disabled")).toBe("true");
  const why = root.getElementById(resume.getAttribute("aria-describedby")!);
  expect(why!.textContent).toBe("nothing is paused");
  resume.click();
  await settled();
  expect(root.querySelector("dialog")).toBeNull();
});
