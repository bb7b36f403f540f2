/* What `/retrain/api/v1` answers. Moments are ISO with Z, durations seconds, shares 0..1, what is absent null.
   test/contract.test.ts holds the names to `docs/openapi.json`. */

export type Word = "UNREAD" | "BROKEN" | "FAILED" | "WAITING" | "STALE" | "DRIFTED" | "CANARY" | "NEW" | "OK";

export interface Standing {
  pipeline: string;
  dag_id: string | null;
  word: Word;
  said: string;
  champion: number | null;
  since: string | null;
  age: number | null;
  limit: number | null;
  next_run: string | null;
  challenger: number | null;
  phase: string | null;
  share: number | null;
  step: number | null;
  steps: number | null;
  ends: string | null;
}

export interface Fleet {
  at: string;
  pipelines: Standing[];
}

export interface Age {
  subject: string;
  age: number;
  limit: number | null;
  stale: boolean;
}

export interface Version {
  version: number;
  standing: string;
  reason: string;
  trained_at: string;
  data_end: string;
}

export interface Waiting {
  who: string;
  what: string;
  since: string;
  until: string | null;
}

export interface Run {
  run: string;
  by: string;
  began: string;
  last: string;
  outcome: string | null;
  what: string;
}

export interface PipelineStatus {
  pipeline: string;
  standing: Standing;
  state: string;
  waiting: Waiting[];
  ages: Age[];
  versions: Version[];
  runs: Run[];
  drift: string | null;
  schedule: string | null;
  next_run: string | null;
  spec_problem: string | null;
  clock_problem: string | null;
  entries: number;
}

export interface Reign {
  version: number;
  start: string;
  end: string | null;
  how: string;
  reason: string;
  by: string;
  run: string | null;
  entry: number;
}

export interface Tried {
  version: number;
  start: string;
  end: string | null;
  outcome: string;
  reason: string;
  run: string | null;
}

export interface Judgement {
  version: number;
  at: string;
  outcome: string;
  reason: string;
  by: string;
  run: string | null;
}

export interface History {
  served: Reign[];
  trials: Tried[];
  verdicts: Judgement[];
}

export type Outcome = "better" | "within" | "worse" | "undecided" | "not compared";

export interface Line {
  name: string;
  metric: string;
  better: "lower" | "higher";
  rows: number;
  champion: number | null;
  challenger: number | null;
  difference: number | null;
  lower: number | null;
  upper: number | null;
  margin: number | null;
  outcome: Outcome;
}

export interface Bars {
  labels: string[];
  shares: number[];
}

export interface Drifted {
  column: string;
  value: number | null;
  threshold: number | null;
  drifted: boolean;
  said: string;
  weight: number | null;
  before: Bars | null;
  now: Bars | null;
}

export interface Gated {
  gate: string;
  outcome: string;
  reason: string;
}

export interface VersionVerdict {
  outcome: string;
  reason: string;
  by: string;
  gates: Gated[];
}

export interface Rehearsal {
  passed: boolean;
  reason: string;
}

export interface Change {
  what: string;
  before: string | null;
  after: string | null;
}

export interface VersionStory {
  version: number;
  standing: string;
  reason: string;
  run: string | null;
  dag_id: string | null;
  mlflow_run: string | null;
  trained_at: string;
  data_end: string;
  estimator: string | null;
  params: Record<string, unknown>;
  train_rows: number | null;
  verdict: VersionVerdict | null;
  champion: number | null;
  rehearsal: Rehearsal | null;
  scores: Line[];
  slices: Line[];
  left_out: string[];
  changes: Change[];
  drift: Drifted[];
}

export interface Expected {
  expectation: string;
  column: string | null;
  success: boolean;
  scope: string;
  observed: unknown;
  unexpected_rows: number | null;
  message: string;
}

export interface Quarantine {
  rows: number;
  columns: string[];
  sample: string[][];
}

export interface Validated {
  key: string;
  at: string;
  run: string | null;
  success: boolean;
  rows: number;
  expectations: Expected[];
  quarantine: Quarantine | null;
}

export interface DataStory {
  validations: Validated[];
}

export interface Metric {
  name: string;
  unit: string | null;
  weight: number | null;
  champion: number | null;
  challenger: number | null;
  champion_rows: number;
  challenger_rows: number;
  difference: number | null;
  lower: number | null;
  upper: number | null;
  margin: number;
  worse: boolean;
  within: boolean;
  required: boolean;
  summary: string;
}

export type Bound = [number | null, number | null, number | null];

export interface Look {
  at: string;
  requests: number;
  step: number;
  share: number;
  values: Record<string, Bound>;
}

export interface Requests {
  champion: number;
  challenger: number;
}

export interface TrialStory {
  version: number;
  champion: number | null;
  phase: "shadow" | "canary";
  state: "shadowing" | "ramping" | "paused" | "promoted" | "rolled_back";
  started: string;
  ended: string | null;
  step: number;
  steps: number[];
  share: number;
  share_seen: number | null;
  looked_at: string | null;
  watched: boolean | null;
  summary: string;
  open: string[];
  doubts: string[];
  requests: Requests;
  labels: number;
  waiting_labels: number | null;
  alpha: number | null;
  patience_ends: string | null;
  on_patience: "pause" | "rollback" | null;
  metrics: Metric[];
  looks: Look[];
}

export interface LedgerLine {
  number: number;
  at: string;
  kind: string;
  by: string;
  actor: string;
  run: string | null;
  said: string;
}

export interface LedgerPage {
  entries: LedgerLine[];
  more: boolean;
}

export interface Choice {
  version: number;
  said: string;
}

export interface Call {
  method: string;
  path: string;
  body: Record<string, unknown>;
}

export interface Act {
  act: string;
  title: string;
  will: string;
  possible: boolean;
  why_not: string | null;
  versions: Choice[];
  head: number;
  call: Call | null;
}

export interface Done {
  act: string;
  said: string;
  entry: number | null;
}

export interface OfRun {
  pipeline: string;
  version: number | null;
}
