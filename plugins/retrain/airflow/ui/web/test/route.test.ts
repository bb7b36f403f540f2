import { expect, test } from "vitest";
import { hashOf, href, parse, type Route } from "../src/route";

const ROUTES: Route[] = [
  { view: "home" },
  { view: "fleet" },
  { view: "pipeline", pipeline: "a/b?c#d é" },
  { view: "data", pipeline: "flights" },
  { view: "trial", pipeline: "flights" },
  { view: "ledger", pipeline: "flights" },
  { view: "version", pipeline: "flights", version: 12 },
  { view: "run", dag: "flights", run: "manual__2024-04-01T00:00:00+00:00" },
];

for (const route of ROUTES) {
  test(`${route.view} is found again by its hash`, () => expect(parse(hashOf(route))).toEqual(route));
}

test("what is no route leads home", () => {
  for (const hash of ["", "#", "#/nowhere", "#/pipelines", "#/%E0%A4%A"]) expect(parse(hash)).toEqual({ view: "home" });
});

test("a link keeps the path, so that Airflow's <base> does not lead it away", () => {
  history.replaceState(null, "", "/team/dags/flights/plugin/retraining-dag?x=1");
  expect(href({ view: "fleet" })).toBe("/team/dags/flights/plugin/retraining-dag?x=1#/fleet");
});
