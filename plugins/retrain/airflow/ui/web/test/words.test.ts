import { describe, expect, test } from "vitest";
import golden from "../../../../../../tests/golden/words.json";
import { plain } from "../src/parts";
import { duration, inert, moment, number, share, utc } from "../src/words";

const SAY: Record<string, (value: number) => string> = { duration, number, share };

describe("the page says things as the command line does", () => {
  for (const { what, value, said } of golden) {
    test(`${what} ${value} is ${said}`, () => expect(SAY[what]!(value)).toBe(said));
  }
});

test("what is no number is said so", () => {
  expect([number(NaN), number(Infinity), duration(-Infinity)]).toEqual(["not a number", "∞", "-∞"]);
});

test("a moment is said in the viewer's zone, and in UTC on demand", () => {
  const noon = new Date(2026, 10, 21, 12, 5);
  expect(moment(noon.toISOString())).toBe("2026-11-21 12:05");
  expect(utc("2026-11-21T03:00:00.123456Z")).toBe("2026-11-21 03:00:00 UTC");
  expect(moment("yesterday")).toBe("yesterday");
});

test("what steers a terminal or turns a line around is shown, not obeyed", () => {
  expect(inert("a\u0000b\u001b[31mc\u202ed\u200be\nf")).toBe("a�b�[31mc�d�e\nf");
  expect(inert("日本語 ü 😀 عربي")).toBe("日本語 ü 😀 عربي");
});

test("figures inside a value are said as any others, and settings as they stand", () => {
  const value = { mean: 1234567.8, parts: [0.123456, true], none: null };
  expect(plain(value, number)).toBe("mean 1,234,568, parts 0.1235, true, none –");
  expect(plain(value)).toBe("mean 1234567.8, parts 0.123456, true, none –");
});
