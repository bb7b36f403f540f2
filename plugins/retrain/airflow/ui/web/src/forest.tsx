/* Differences with their intervals, as a forest plot that is a table: each row has its picture and its numbers. */

import { scaleLinear } from "d3-scale";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Line } from "./contract";
import { Badge, labelCells, Scroll, Text } from "./parts";
import { number, signed } from "./words";

const FIRST = 12;
const WIDTH = 320;
const HEIGHT = 28;
const PAD = 8;

/** Lines of one metric share one scale; to the right is always worse. */
export function Forest({ of, label }: { of: Line[]; label: string }) {
  const groups = new Map<string, Line[]>();
  for (const line of of) groups.set(line.metric, [...(groups.get(line.metric) ?? []), line]);
  return (
    <>
      {[...groups].map(([metric, lines]) => (
        <Group key={metric} metric={metric} lines={lines} label={label} />
      ))}
    </>
  );
}

function Group({ metric, lines, label }: { metric: string; lines: Line[]; label: string }) {
  const [all, setAll] = useState(false);
  const reach = [...lines.flatMap(ends), 0];
  const [low, high] = [Math.min(...reach), Math.max(...reach)];
  const room = (high - low || 1) * 0.05;
  const x = scaleLinear().domain([low - room, high + room]).range([PAD, WIDTH - PAD]);
  const own = useRef<HTMLTableElement>(null);
  useLayoutEffect(() => labelCells(own.current));
  const shown = all ? lines : lines.slice(0, FIRST);
  return (
    <>
      <Scroll label={`${label}: ${metric}`}>
        <table ref={own} class="forest stack">
          <caption>
            <Text most={60}>{metric}</Text>
            <span class="dim">, {lines[0]!.better} is better</span>
          </caption>
          <thead>
            <tr>
              <th scope="col">{label.replace(/s$/, "")}</th>
              <th scope="col" class="plot">
                <span class="between">
                  <span>← better</span>
                  <span>worse →</span>
                </span>
              </th>
              <th scope="col">Difference</th>
              <th scope="col" class="wide number">Champion</th>
              <th scope="col" class="wide number">Challenger</th>
              <th scope="col" class="wide number">Margin</th>
              <th scope="col" class="wide number">Held-out rows</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((line, index) => (
              <tr key={index}>
                <th scope="row">
                  <Text most={60}>{line.name}</Text> <Badge>{line.outcome}</Badge>
                </th>
                <td class="plot">
                  <Whisker of={line} x={x} />
                </td>
                <td class="nowrap">
                  {line.difference === null ? "–" : signed(line.difference)}{" "}
                  <div class="dim">{interval(line)}</div>
                </td>
                <td class="wide number">{line.champion === null ? "–" : number(line.champion)}</td>
                <td class="wide number">{line.challenger === null ? "–" : number(line.challenger)}</td>
                <td class="wide number">{line.margin === null ? "–" : number(line.margin)}</td>
                <td class="wide number">{number(line.rows)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {lines.length > shown.length && (
        <button onClick={() => setAll(true)}>
          All {number(lines.length)}: {number(lines.length - shown.length)} more, none worse than these
        </button>
      )}
    </>
  );
}

function Whisker({ of, x }: { of: Line; x: (value: number) => number }) {
  const { low, high, middle } = harm(of);
  const y = HEIGHT / 2;
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} aria-hidden="true">
      <line class="zero" x1={x(0)} x2={x(0)} y1={0} y2={HEIGHT} />
      {of.margin !== null && <line class="margin" x1={x(of.margin)} x2={x(of.margin)} y1={0} y2={HEIGHT} />}
      {(low !== null || high !== null) && (
        <line class={`whisker ${of.outcome}`} x1={low === null ? PAD : x(low)} x2={high === null ? WIDTH - PAD : x(high)} y1={y} y2={y} />
      )}
      {[low, high].map((end, index) =>
        end === null ? null : <line key={index} class={`whisker ${of.outcome}`} x1={x(end)} x2={x(end)} y1={y - 5} y2={y + 5} />,
      )}
      {middle !== null && <circle class={`point ${of.outcome}`} cx={x(middle)} cy={y} r={4} />}
    </svg>
  );
}

/** How much worse the challenger is: the difference, turned where more is better. */
export function harm(line: Line): { low: number | null; high: number | null; middle: number | null } {
  if (line.better === "lower") return { low: line.lower, high: line.upper, middle: line.difference };
  const turned = (value: number | null): number | null => (value === null ? null : -value);
  return { low: turned(line.upper), high: turned(line.lower), middle: turned(line.difference) };
}

function ends(line: Line): number[] {
  const { low, high, middle } = harm(line);
  return [low, high, middle, line.margin].filter((value) => value !== null);
}

function interval(line: Line): string {
  if (line.lower === null && line.upper === null) return "no interval";
  if (line.lower === null) return `at most ${signed(line.upper!)}`;
  if (line.upper === null) return `at least ${signed(line.lower)}`;
  return `${signed(line.lower)} to ${signed(line.upper)}`;
}
