/* A page in a browser of sorts, and a server that answers what it is told to. */

import { afterEach, beforeEach, vi } from "vitest";
import { loadedFrom } from "../src/api";
import type { Act, Standing } from "../src/contract";
import { mount, type Place } from "../src/mount";

export const BASE = "https://airflow.example/team/";
export const EVIL = '<img src=x onerror="alert(1)">![x](http://evil.example)\u0000\u001b[31m\u202e';

export interface Sent {
  method: string;
  path: string;
  body: unknown;
  headers: Record<string, string>;
}

export type Answer = { status: number; body: unknown };

const open: (() => void)[] = [];

/** `METHOD path` → what is answered; what is missing is 404. `sent` is all that was asked. */
export function world(): { answers: Record<string, Answer | (() => Answer)>; sent: Sent[] } {
  const state: ReturnType<typeof world> = { answers: {}, sent: [] };
  beforeEach(() => {
    state.answers = {};
    state.sent = [];
    loadedFrom(`${BASE}retrain/static/retrain.js?v=1`);
    document.body.replaceChildren();
    history.replaceState(null, "", "/");
    vi.stubGlobal("fetch", async (url: string, init: RequestInit) => answer(state, url, init));
  });
  afterEach(() => {
    for (const leave of open.splice(0)) leave();
    vi.unstubAllGlobals();
  });
  return state;
}

function answer(state: ReturnType<typeof world>, url: string, init: RequestInit): Response {
  const [method, path] = [init.method ?? "GET", url.replace(BASE, "")];
  const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : null;
  state.sent.push({ method, path, body, headers: init.headers as Record<string, string> });
  const found = state.answers[`${method} ${path}`] ?? { status: 404, body: { error: "there is none" } };
  const said = typeof found === "function" ? found() : found;
  return new Response(JSON.stringify(said.body), { status: said.status });
}

/** The page at a route, once it has settled. */
export async function opened(hash: string, place: Place = { embedded: false }): Promise<ShadowRoot> {
  location.hash = hash;
  const host = document.createElement("div");
  document.body.append(host);
  open.push(mount(host, place));
  await settled();
  return host.shadowRoot!;
}

export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((done) => setTimeout(done, 5));
}

export function button(root: ShadowRoot, name: string): HTMLButtonElement {
  const found = [...root.querySelectorAll("button")].find((one) => one.textContent?.startsWith(name));
  if (!found) throw new Error(`no button ${name} in ${root.textContent}`);
  return found;
}

export const STANDING: Standing = {
  pipeline: "flights", dag_id: "flights", word: "OK", said: "serves version 3", champion: 3,
  since: "2026-11-15T03:00:00Z", age: 273600, limit: 1209600, next_run: null, challenger: null, phase: null, share: null,
  step: null, steps: null, ends: null,
};

export const STATUS = {
  pipeline: "flights", standing: STANDING, state: "serving", waiting: [], ages: [], versions: [], runs: [], drift: null,
  schedule: null, next_run: null, spec_problem: null, clock_problem: null, entries: 7,
};

export const ROLLBACK: Act = {
  act: "rollback", title: "Roll back", will: "Version 2 serves all requests.", possible: true, why_not: null,
  versions: [{ version: 2, said: "served before" }], head: 7, call: null,
};
