/* Where in the page somebody is: all of it behind the #, so that it works below any path. */

export type Route =
  | { view: "home" }
  | { view: "fleet" }
  | { view: "pipeline" | "data" | "trial" | "ledger"; pipeline: string }
  | { view: "version"; pipeline: string; version: number }
  | { view: "run"; dag: string; run: string };

const PARTS = ["data", "trial", "ledger"] as const;

/** What a hash means; what it does not know is home. */
export function parse(hash: string): Route {
  let parts: string[];
  try {
    parts = hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return { view: "home" };
  }
  const [first, name, third, fourth] = parts;
  if (first === "fleet") return { view: "fleet" };
  if (first === "runs" && name && third) return { view: "run", dag: name, run: third };
  if (first !== "pipelines" || !name) return { view: "home" };
  if (third === "versions" && fourth && /^\d+$/.test(fourth)) {
    return { view: "version", pipeline: name, version: Number(fourth) };
  }
  const part = PARTS.find((one) => one === third);
  return { view: part ?? "pipeline", pipeline: name };
}

/** The hash of a route. */
export function hashOf(route: Route): string {
  switch (route.view) {
    case "home":
      return "#/";
    case "fleet":
      return "#/fleet";
    case "run":
      return `#/runs/${encodeURIComponent(route.dag)}/${encodeURIComponent(route.run)}`;
    case "version":
      return `#/pipelines/${encodeURIComponent(route.pipeline)}/versions/${route.version}`;
    case "pipeline":
      return `#/pipelines/${encodeURIComponent(route.pipeline)}`;
    default:
      return `#/pipelines/${encodeURIComponent(route.pipeline)}/${route.view}`;
  }
}

/** An address for a link. Not the hash alone: Airflow's `<base>` would lead it to Airflow's first page. */
export function href(route: Route): string {
  return `${location.pathname}${location.search}${hashOf(route)}`;
}
