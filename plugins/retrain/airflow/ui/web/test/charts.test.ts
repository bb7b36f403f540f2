import { expect, test } from "vitest";
import type { History, Line, Metric } from "../src/contract";
import { harm } from "../src/forest";
import { reach } from "../src/sequence";
import { spanAt } from "../src/strip";

const LINE: Line = {
  name: "all", metric: "auc", better: "higher", rows: 10, champion: 0.7, challenger: 0.69, difference: -0.01, lower: -0.03,
  upper: 0.01, margin: 0.02, outcome: "undecided",
};

test("in the forest plot to the right is worse, whichever way is better", () => {
  expect(harm(LINE)).toEqual({ low: -0.01, high: 0.03, middle: 0.01 });
  expect(harm({ ...LINE, better: "lower" })).toEqual({ low: -0.03, high: 0.01, middle: -0.01 });
});

test("wide bounds of the first looks do not flatten the chart", () => {
  const looks = Array.from({ length: 40 }, (_, look) => ({ bound: [0, -100 / (look + 1) ** 2, 100 / (look + 1) ** 2] as [number, number, number] }));
  const [low, high] = reach({ margin: 0.05 } as Metric, looks);
  expect(high).toBeLessThan(0.5);
  expect(low).toBeGreaterThan(-0.5);
  expect(high).toBeGreaterThan(0.05);
});

test("at a moment of change the new version serves", () => {
  const span = { how: "promoted", reason: "", by: "", run: null };
  const history: History = {
    served: [
      { ...span, version: 1, start: "2026-11-20T00:00:00Z", end: "2026-11-21T03:00:00Z", entry: 1 },
      { ...span, version: 2, start: "2026-11-21T03:00:00Z", end: null, entry: 2 },
    ],
    trials: [],
    verdicts: [],
  };
  const at = (iso: string): number | undefined => spanAt(history, Date.parse(iso))?.version;
  expect([at("2026-11-19T00:00:00Z"), at("2026-11-21T02:59:59Z"), at("2026-11-21T03:00:00Z")]).toEqual([undefined, 1, 2]);
});
