/* A metric's confidence sequence: the difference with its bounds at each look, and the margin it is held against. */

import { scaleLinear, scaleTime } from "d3-scale";
import { area, line } from "d3-shape";
import { timeTicks } from "./axis";
import type { Bound, Look, Metric } from "./contract";
import { useWidth } from "./parts";
import { cut, inert, number, share, signed } from "./words";

const HEIGHT = 190;
const FOOT = 22;
const LEFT = 58;
const RIGHT = 10;

interface Point {
  at: Date;
  step: number;
  share: number;
  bound: Bound;
}

export function Sequence({ metric, looks }: { metric: Metric; looks: Look[] }) {
  const [own, width] = useWidth<HTMLDivElement>(640);
  const points = pointsOf(metric, looks);
  if (points.length < 2) return <p class="dim">There is a chart from the second look on.</p>;
  const [low, high] = reach(metric, points);
  const x = scaleTime().domain([points[0]!.at, points.at(-1)!.at]).range([LEFT, Math.max(width - RIGHT, LEFT + 40)]);
  const y = scaleLinear().domain([low, high]).range([HEIGHT - FOOT, 16]).clamp(true);
  const band = area<Point>()
    .defined(({ bound: [, lower, upper] }) => lower !== null || upper !== null)
    .x((point) => x(point.at))
    .y0(({ bound: [, lower] }) => y(lower ?? low))
    .y1(({ bound: [, , upper] }) => y(upper ?? high));
  const middle = line<Point>()
    .defined(({ bound: [difference] }) => difference !== null)
    .x((point) => x(point.at))
    .y(({ bound: [difference] }) => y(difference!));
  const cutOff = points.some(({ bound: [, lower, upper] }) => (lower ?? low) < low || (upper ?? high) > high);
  const [left, right] = x.range() as [number, number];
  return (
    <div ref={own}>
      <svg width={width} height={HEIGHT} role="img" aria-label={told(metric, points)}>
        {y.ticks(4).map((value) => (
          <g key={value}>
            <line class="tick" x1={left} x2={right} y1={y(value)} y2={y(value)} />
            <text class="axis" x={LEFT - 8} y={y(value) + 4} text-anchor="end">
              {number(value)}
            </text>
          </g>
        ))}
        {timeTicks(x, width).map((tick) => (
          <text key={tick.x} class="axis" x={tick.x} y={HEIGHT - 5} text-anchor="middle">
            {tick.text}
          </text>
        ))}
        <path class="band" d={band(points) ?? ""} />
        <line class="zero" x1={left} x2={right} y1={y(0)} y2={y(0)} />
        <line class="margin" x1={left} x2={right} y1={y(metric.margin)} y2={y(metric.margin)} />
        <text class="axis strong" x={right - 2} y={y(metric.margin) - 5} text-anchor="end">
          margin {number(metric.margin)}
        </text>
        {stepsOf(points).map((point) => (
          <g key={point.step}>
            <line class="cursor" x1={x(point.at)} x2={x(point.at)} y1={14} y2={HEIGHT - FOOT} />
            <text class="axis" x={x(point.at) + 3} y={11}>
              {share(point.share)}
            </text>
          </g>
        ))}
        <path class="line" d={middle(points) ?? ""} />
      </svg>
      {cutOff && <p class="legend dim">Early bounds are wider than the chart and cut at its edge.</p>}
    </div>
  );
}

/** The newest bounds, the margin and no difference fit with room; what was known early may be cut. */
export function reach(metric: Metric, points: { bound: Bound }[]): [number, number] {
  const newest = points.slice(Math.floor(points.length * 0.75)).flatMap(({ bound }) => bound);
  const middles = points.slice(Math.floor(points.length / 4)).map(({ bound: [difference] }) => difference);
  const ends = [...newest, ...middles, metric.margin, 0].filter((value) => value !== null);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = (high - low || 1) * 0.2;
  return [low - room, high + room];
}

function pointsOf(metric: Metric, looks: Look[]): Point[] {
  return looks.flatMap((look) => {
    const bound = look.values[metric.name];
    return bound ? [{ at: new Date(look.at), step: look.step, share: look.share, bound }] : [];
  });
}

/** The first look of each later step. */
function stepsOf(points: Point[]): Point[] {
  return points.filter((point, index) => index > 0 && point.step !== points[index - 1]!.step);
}

function told(metric: Metric, points: Point[]): string {
  const [difference, lower, upper] = points.at(-1)!.bound;
  const now = difference === null ? "no difference yet" : `difference ${signed(difference)}`;
  const bounds = `from ${lower === null ? "no lower bound" : signed(lower)} to ${upper === null ? "no upper bound" : signed(upper)}`;
  return `${inert(cut(metric.name, 60))} over ${number(points.length)} looks: ${now}, ${bounds}, margin ${number(metric.margin)}`;
}
