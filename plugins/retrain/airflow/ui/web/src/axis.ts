/* Where a time axis has its marks, and what stands there, in the viewer's zone and 24 hours. */

import type { ScaleTime } from "d3-scale";

const DAY = 86_400_000;

export function timeTicks(x: ScaleTime<number, number>, width: number): { x: number; text: string }[] {
  const [first, last] = x.domain() as [Date, Date];
  const span = last.getTime() - first.getTime();
  const [from, to] = x.range() as [number, number];
  return x
    .ticks(Math.max(2, Math.floor(width / 110)))
    .map((at) => ({ x: x(at), text: said(at, span) }))
    .filter((tick) => tick.x >= from + 14 && tick.x <= to - 14);
}

function said(at: Date, span: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (span < 10 * 60_000) return `${time}:${two(at.getSeconds())}`;
  if (span < 2 * DAY) return time === "00:00" ? day : time;
  if (span < 14 * DAY) return time === "00:00" ? day : `${day} ${time}`;
  return span > 300 * DAY ? `${at.getFullYear()}-${two(at.getMonth() + 1)}` : day;
}
