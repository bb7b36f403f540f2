/* What served when, as a strip; and the answer to "at 03:00?". */

import { scaleTime } from "d3-scale";
import { useId, useMemo, useState } from "preact/hooks";
import { timeTicks } from "./axis";
import type { History, Reign } from "./contract";
import { Moment, Table, Text, useWidth, VersionLink } from "./parts";
import { RunLink } from "./runlink";
import { cut, duration, inert, moment, version } from "./words";

const LEFT = 76;
const RIGHT = 12;
const LANE = 30;
const AGAINST = new Set(["vetoed", "rejected", "rehearsal failed"]);
const LANES = ["served", "on trial", "judged"] as const;

export function Strip({ pipeline, dag, of }: { pipeline: string; dag: string | null; of: History }) {
  const [at, setAt] = useState<number | null>(null);
  const ends = useMemo(() => bounds(of), [of]);
  if (of.served.length === 0 && of.trials.length === 0 && of.verdicts.length === 0) {
    return <p class="note">Nothing has served yet.</p>;
  }
  return (
    <>
      <Lanes of={of} ends={ends} at={at} choose={setAt} />
      <Answer pipeline={pipeline} of={of} at={at} choose={setAt} />
      <details>
        <summary>As a table</summary>
        <Table label="What served when" head={["Version", "From", "Until", "How", "Why", "By", "Run"]}>
          {[...of.served].reverse().map((span) => (
            <tr key={span.entry}>
              <th scope="row" class="nowrap">
                <VersionLink pipeline={pipeline} of={span.version} />
              </th>
              <td class="nowrap"><Moment at={span.start} /></td>
              <td class="nowrap">{span.end === null ? "now" : <Moment at={span.end} />}</td>
              <td><Text most={40}>{span.how}</Text></td>
              <td class="prose"><Text>{span.reason}</Text></td>
              <td><Text most={60}>{span.by}</Text></td>
              <td><RunLink pipeline={pipeline} dag={dag} run={span.run} /></td>
            </tr>
          ))}
        </Table>
      </details>
    </>
  );
}

interface Drawn {
  of: History;
  ends: [number, number];
  at: number | null;
  choose: (at: number) => void;
}

function Lanes({ of, ends, at, choose }: Drawn) {
  const [own, width] = useWidth<HTMLDivElement>(720);
  const x = scaleTime().domain(ends).range([LEFT, Math.max(width - RIGHT, LEFT + 40)]);
  const px = (iso: string | null): number => x(iso === null ? ends[1] : new Date(iso));
  const height = LANE * LANES.length + 26;
  const point = (event: MouseEvent): void => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    choose(clamp(x.invert(event.clientX - box.left).getTime(), ends));
  };
  const step = (event: KeyboardEvent): void => {
    const next = moved(event.key, at ?? ends[1], stops(of, ends));
    if (next === null) return;
    event.preventDefault();
    choose(next);
  };
  const now = at ?? ends[1];
  return (
    <div
      ref={own}
      class="chart"
      role="slider"
      tabIndex={0}
      aria-label="What served when: arrow keys go from change to change"
      aria-valuemin={ends[0]}
      aria-valuemax={ends[1]}
      aria-valuenow={now}
      aria-valuetext={`${moment(new Date(now).toISOString())}: ${served(of, now)}`}
      onKeyDown={step}
    >
      <svg width={width} height={height} aria-hidden="true" onMouseMove={point} onClick={point}>
        {LANES.map((lane, index) => (
          <text key={lane} class="label" x={0} y={LANE * index + 20}>
            {lane}
          </text>
        ))}
        {of.served.map((span) => (
          <Bar key={span.entry} left={px(span.start)} right={px(span.end)} row={0} text={`v${span.version}`} kind={span.how.includes("roll") ? "served back" : "served"} />
        ))}
        {of.trials.map((span) => (
          <Bar key={span.start} left={px(span.start)} right={px(span.end)} row={1} text={`v${span.version}`} kind={span.outcome.includes("roll") ? "trial bad" : "trial"} />
        ))}
        {of.verdicts.map((mark) => (
          <Mark key={mark.at + mark.version} x={px(mark.at)} bad={AGAINST.has(mark.outcome)} />
        ))}
        {timeTicks(x, width).map((tick) => (
          <g key={tick.x}>
            <line class="tick" x1={tick.x} x2={tick.x} y1={0} y2={LANE * LANES.length} />
            <text class="axis" x={tick.x} y={height - 6} text-anchor="middle">
              {tick.text}
            </text>
          </g>
        ))}
        {at !== null && <line class="cursor" x1={x(at)} x2={x(at)} y1={0} y2={LANE * LANES.length} />}
      </svg>
      <p class="legend dim" aria-hidden="true">
        <span class="key served" /> served <span class="key back" /> after a rollback <span class="key trial" /> on trial{" "}
        <span class="key bad" /> trial rolled back · ✕ vetoed, rejected or not rehearsed · ● other verdicts
      </p>
    </div>
  );
}

function Bar({ left, right, row, text, kind }: { left: number; right: number; row: number; text: string; kind: string }) {
  const width = Math.max(right - left, 2);
  return (
    <g>
      <rect class={kind} x={left} y={LANE * row + 4} width={width} height={LANE - 8} rx={2} />
      {width > 8 * text.length + 6 && (
        <text class="in-bar" x={left + 5} y={LANE * row + 20}>
          {text}
        </text>
      )}
    </g>
  );
}

/** A veto has another shape than other verdicts, not another colour alone. */
function Mark({ x, bad }: { x: number; bad: boolean }) {
  const y = LANE * 2 + 15;
  if (!bad) return <circle class="mark" cx={x} cy={y} r={3.5} />;
  return <path class="mark bad" d={`M${x - 5},${y - 5}L${x + 5},${y + 5}M${x - 5},${y + 5}L${x + 5},${y - 5}`} />;
}

interface Asked {
  pipeline: string;
  of: History;
  at: number | null;
  choose: (at: number | null) => void;
}

function Answer({ pipeline, of, at, choose }: Asked) {
  const id = useId();
  const span = spanAt(of, at ?? Date.now());
  const near = at === null ? [] : judgedNear(of, at);
  return (
    <div class="answer">
      <label for={id}>What served at </label>
      <input
        id={id}
        type="datetime-local"
        value={at === null ? "" : moment(new Date(at).toISOString()).replace(" ", "T")}
        onInput={(event) => {
          const typed = new Date(event.currentTarget.value).getTime();
          choose(Number.isNaN(typed) ? null : typed);
        }}
      />
      <output for={id} aria-live="polite">
        {at === null && "Now: "}
        {span ? (
          <>
            <VersionLink pipeline={pipeline} of={span.version} />, since <Moment at={span.start} />
            {span.end !== null && <> until <Moment at={span.end} /></>} ({lasted(span)}): <Text>{span.how}</Text> by{" "}
            <Text most={60}>{span.by}</Text>: <Text>{span.reason}</Text>
          </>
        ) : (
          "nothing."
        )}
        {near.map((mark) => (
          <div key={mark.at} class="dim">
            <VersionLink pipeline={pipeline} of={mark.version} /> was {inert(cut(mark.outcome, 40))} at <Moment at={mark.at} /> by{" "}
            <Text most={60}>{mark.by}</Text>: <Text>{mark.reason}</Text>
          </div>
        ))}
      </output>
    </div>
  );
}

function lasted(span: Reign): string {
  const end = span.end === null ? Date.now() : new Date(span.end).getTime();
  return duration((end - new Date(span.start).getTime()) / 1000);
}

/** Who served then; the newest where two meet. */
export function spanAt(of: History, at: number): Reign | undefined {
  return of.served.findLast(
    (span) => new Date(span.start).getTime() <= at && (span.end === null || at < new Date(span.end).getTime()),
  );
}

function served(of: History, at: number): string {
  const span = spanAt(of, at);
  return span ? `${version(span.version)}, ${inert(cut(span.how, 60))}: ${inert(cut(span.reason, 120))}` : "nothing served";
}

function judgedNear(of: History, at: number): History["verdicts"] {
  const [from, to] = bounds(of);
  const near = (to - from) / 60;
  return of.verdicts.filter((mark) => Math.abs(new Date(mark.at).getTime() - at) <= near).slice(-3);
}

function bounds(of: History): [number, number] {
  const starts = [...of.served, ...of.trials].map((span) => new Date(span.start).getTime());
  const first = Math.min(...starts, ...of.verdicts.map((mark) => new Date(mark.at).getTime()), Date.now());
  return [first, Math.max(Date.now(), first + 60_000)];
}

function stops(of: History, ends: [number, number]): number[] {
  const at = [...of.served.map((one) => one.start), ...of.trials.map((one) => one.start), ...of.verdicts.map((one) => one.at)];
  return [...new Set([ends[0], ...at.map((iso) => new Date(iso).getTime()), ends[1]])].sort((a, b) => a - b);
}

function moved(key: string, at: number, stops: number[]): number | null {
  if (key === "ArrowLeft" || key === "ArrowDown") return stops.findLast((stop) => stop < at) ?? at;
  if (key === "ArrowRight" || key === "ArrowUp") return stops.find((stop) => stop > at) ?? at;
  if (key === "Home") return stops[0]!;
  return key === "End" ? stops.at(-1)! : null;
}

function clamp(at: number, [first, last]: [number, number]): number {
  return Math.min(Math.max(at, first), last);
}
