/* Asking our own routes, and Airflow's. Both addresses follow from where this file was loaded from, so any base path
   does: `BASE/retrain/static/retrain.js`. */

import type { Act, Done } from "./contract";

const PATIENCE = 15_000;

let origin = import.meta.url;

/** For tests and the development server: as if this file had been loaded from there. */
export function loadedFrom(url: string): void {
  origin = url;
}

/** The address of one of our routes. */
export function ours(path: string): string {
  return new URL(`../api/v1/${path}`, origin).href;
}

/** The address of something of Airflow's. */
export function airflow(path: string): string {
  return new URL(`../../${path.replace(/^\/+/, "")}`, origin).href;
}

/** Why there is no answer: what, where, and what to do now. */
export class Trouble extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly where: string | null = null,
    readonly todo: string | null = null,
  ) {
    super(message);
  }
}

/** What one of our routes answers. @throws Trouble */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await ask(ours(path), { signal: signal ?? null })) as T;
}

/** Do an act: ours, or Airflow's own route, whose body takes the reason where it has a key `reason`. @throws Trouble */
export async function perform(pipeline: string, act: Act, reason: string, version: number | null): Promise<Done> {
  if (act.call) {
    const body = filled(act.call.body, reason);
    await ask(airflow(act.call.path), { method: act.call.method, body: JSON.stringify(body) });
    return { act: act.act, said: `${act.title}: done.`, entry: null };
  }
  const body = JSON.stringify({ version, reason, head: act.head });
  const path = `pipelines/${encodeURIComponent(pipeline)}/acts/${encodeURIComponent(act.act)}`;
  return (await ask(ours(path), { method: "POST", body })) as Done;
}

function filled(value: unknown, reason: string): unknown {
  if (Array.isArray(value)) return value.map((one) => filled(one, reason));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, name === "reason" ? reason : filled(inner, reason)]),
  );
}

/** A file of ours, however long it takes. @throws Trouble */
export async function download(path: string, name: string): Promise<void> {
  let answer: Response;
  try {
    answer = await fetch(ours(path), { headers: { "X-Requested-With": "retrain" }, credentials: "same-origin" });
  } catch {
    throw new Trouble(0, "the API server cannot be reached");
  }
  if (!answer.ok) throw trouble(answer.status, await json(answer));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function ask(url: string, init: RequestInit): Promise<unknown> {
  const headers: Record<string, string> = { Accept: "application/json", "X-Requested-With": "retrain" };
  if (init.body) headers["Content-Type"] = "application/json";
  const limit = AbortSignal.timeout(PATIENCE);
  const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit;
  let answer: Response;
  try {
    answer = await fetch(url, { ...init, headers, signal, credentials: "same-origin" });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    const late = limit.aborted ? `no answer within ${PATIENCE / 1000} s` : "the API server cannot be reached";
    throw new Trouble(0, late, "Airflow's API server", "try again; if it stays so, see whether the API server runs");
  }
  if (answer.redirected) throw trouble(401, null); // to the login
  const said = await json(answer);
  if (answer.ok) return said;
  throw trouble(answer.status, said);
}

async function json(answer: Response): Promise<unknown> {
  try {
    return await answer.json();
  } catch {
    return null;
  }
}

function trouble(status: number, said: unknown): Trouble {
  const outer = record(said);
  const inner = record(outer["detail"]);
  const facts = "error" in outer ? outer : inner;
  const message = text(facts["error"]) ?? text(outer["detail"]) ?? text(inner["message"]) ?? PLAIN[status];
  return new Trouble(status, message ?? `the API server answered ${status}`, text(facts["where"]), text(facts["do"]));
}

const PLAIN: Record<number, string> = {
  401: "you are not signed in, or no longer",
  403: "you may not see or do this",
  404: "there is no such thing",
};

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string | null {
  return typeof value === "string" && value ? value : null;
}
