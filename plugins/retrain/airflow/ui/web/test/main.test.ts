import { expect, test } from "vitest";
import { settled, world } from "./world";

const server = world();
const shared = globalThis as typeof globalThis & Record<string, unknown>;

interface Made {
  type: string;
  ref: { current: HTMLElement | null };
}

test("Airflow finds one component under both names, and it stands where Airflow says", async () => {
  const effects: (() => () => void)[] = [];
  shared["React"] = {
    createElement: (type: string, props: { ref: Made["ref"] }) => ({ type, ref: props.ref }),
    useEffect: (effect: () => () => void) => effects.push(effect),
    useRef: () => ({ current: null }),
  };
  await import("../src/main");
  expect(shared["Retraining"]).toBe(shared["AirflowPlugin"]);

  const made = (shared["AirflowPlugin"] as (props: object) => Made)({ dagId: "flights", runId: "manual__1" });
  made.ref.current = document.createElement(made.type);
  const leave = effects[0]!();
  await settled();
  expect(server.sent.map((one) => one.path)).toContain("retrain/api/v1/runs/flights/manual__1");
  expect(made.ref.current.shadowRoot!.textContent).toContain("flights is no retraining pipeline");
  leave();
  expect(made.ref.current.shadowRoot!.textContent).toBe("");
  effects[0]!()(); // React mounts twice when it is strict
});
