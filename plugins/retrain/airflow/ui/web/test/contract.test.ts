import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import openapi from "../../../../../../docs/openapi.json";

interface Property {
  type?: string;
  anyOf?: Property[];
}

const SCHEMAS = openapi.components.schemas as unknown as Record<string, { properties?: Record<string, Property> }>;

/** Those that bear another name in the page than in the schema. */
const NAMED: Record<string, string> = {
  PipelineStatus: "OnePipeline",
  Line: "retrain__status__lines__Line",
  LedgerLine: "retrain__ledger__page__Line",
  Metric: "ArmComparison",
};

const source = readFileSync("src/contract.ts", "utf8");
const interfaces = [...source.matchAll(/^export interface (\w+) \{\n(.*?)^\}/gms)].map(([, name, body]) => {
  const fields = [...body!.matchAll(/^ {2}(\w+): (.+);$/gm)].map(([, field, type]) => [field!, type!] as const);
  return { name: name!, fields, lines: body!.trim().split("\n").length };
});

test("every interface of the contract is read, whole", () => {
  expect(interfaces.length).toBe(source.match(/\binterface\b/g)!.length);
  for (const { name, fields, lines } of interfaces) expect([name, fields.length]).toEqual([name, lines]);
});

describe("the contract is what the API's description says", () => {
  for (const { name, fields } of interfaces) {
    test(name, () => {
      const known = SCHEMAS[NAMED[name] ?? name]?.properties ?? {};
      expect(Object.keys(known)).toEqual(expect.arrayContaining(fields.map(([field]) => field)));
      const nullable = fields.filter(([field]) => known[field]!.anyOf?.some((one) => one.type === "null"));
      for (const [field, type] of nullable) expect(`${field}: ${type}`).toMatch(/null$/);
    });
  }
});
