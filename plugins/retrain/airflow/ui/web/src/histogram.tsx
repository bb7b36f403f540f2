/* How a column was distributed in the champion's data, and how it is now. */

import { scaleBand, scaleLinear } from "d3-scale";
import type { Bars } from "./contract";
import { Right, Table, Text, useWidth } from "./parts";
import { cut, inert, share } from "./words";

const HEIGHT = 132;
const FOOT = 20;
const LEFT = 40;

export function Histogram({ column, before, now }: { column: string; before: Bars; now: Bars }) {
  const [own, width] = useWidth<HTMLDivElement>(360);
  const labels = [...new Set([...before.labels, ...now.labels])];
  const shares = (of: Bars): Map<string, number> => new Map(of.labels.map((label, index) => [label, of.shares[index] ?? 0]));
  const [old, fresh] = [shares(before), shares(now)];
  const most = Math.max(...before.shares, ...now.shares, 0.001);
  const x = scaleBand<string>().domain(labels).range([LEFT, width]).padding(0.15);
  const y = scaleLinear().domain([0, most]).range([HEIGHT - FOOT, 6]);
  const half = x.bandwidth() / 2;
  const each = Math.max(1, Math.ceil(labels.length / Math.max(1, Math.floor((width - LEFT) / 70))));
  return (
    <div ref={own}>
      <svg width={width} height={HEIGHT} role="img" aria-label={`Distribution of ${inert(cut(column, 80))}: the numbers are in the table below`}>
        {[0, most].map((value) => (
          <text key={value} class="axis" x={LEFT - 6} y={y(value) + 4} text-anchor="end">
            {share(value)}
          </text>
        ))}
        <line class="tick" x1={LEFT} x2={width} y1={y(0)} y2={y(0)} />
        {labels.map((label, index) => (
          <g key={label}>
            <rect class="before" x={x(label)!} width={half} y={y(old.get(label) ?? 0)} height={y(0) - y(old.get(label) ?? 0)} />
            <rect class="now" x={x(label)! + half} width={half} y={y(fresh.get(label) ?? 0)} height={y(0) - y(fresh.get(label) ?? 0)} />
            {index % each === 0 && (
              <text class="axis" x={x(label)! + half} y={HEIGHT - 5} text-anchor="middle">
                {cut(inert(label), 10)}
              </text>
            )}
          </g>
        ))}
      </svg>
      <p class="legend dim" aria-hidden="true">
        <span class="key before" /> the champion's data <span class="key now" /> now
      </p>
      <details>
        <summary>As a table</summary>
        <Table label={`Distribution of ${inert(cut(column, 80))}`} head={["Value", <Right>The champion's data</Right>, <Right>Now</Right>]}>
          {labels.map((label) => (
            <tr key={label}>
              <th scope="row"><Text most={60}>{label}</Text></th>
              <td class="number">{share(old.get(label) ?? 0)}</td>
              <td class="number">{share(fresh.get(label) ?? 0)}</td>
            </tr>
          ))}
        </Table>
      </details>
    </div>
  );
}
