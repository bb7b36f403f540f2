/* The entry. As Airflow's plugin it leaves a React component that mounts the page; on its own page it mounts at once. */

import { mount } from "./mount";

interface Props {
  dagId?: string;
  runId?: string;
}

interface AirflowReact {
  createElement(type: string, props: Record<string, unknown>): unknown;
  useEffect(effect: () => () => void, on: unknown[]): void;
  useRef<T>(value: T | null): { current: T | null };
}

const shared = globalThis as typeof globalThis & { React?: AirflowReact } & Record<string, unknown>;

function Retraining({ dagId, runId }: Props): unknown {
  const react = shared.React!;
  const host = react.useRef<HTMLElement>(null);
  react.useEffect(() => mount(host.current!, { embedded: true, dagId, runId }), [dagId, runId]);
  return react.createElement("div", { ref: host, "data-retrain": "" });
}

// Airflow looks for the plugin's name first. All five places bear the one name; only the first loads this file.
shared["AirflowPlugin"] = Retraining;
shared["Retraining"] = Retraining;

const own = document.querySelector<HTMLElement>("#retrain-page");
if (own) mount(own, { embedded: false });
