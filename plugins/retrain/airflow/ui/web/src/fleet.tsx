/* All pipelines, worst first, and what to say of each in one line. */

import { useState } from "preact/hooks";
import type { Fleet, Standing, Word } from "./contract";
import { Shown, useLoaded } from "./load";
import { Badge, Link, Moment, Name, Table, Text, Title, VersionLink, fromNow } from "./parts";
import { duration, number } from "./words";

const EVERY = 30_000;
const SOON = 3_000;

/** A server that has just started is still reading: what it has not read yet is asked for again soon. */
function often(fleet: Fleet | undefined): number {
  return fleet?.pipelines.some((one) => one.word === "UNREAD") ? SOON : EVERY;
}

let filter: { word: Word | null; search: string } = { word: null, search: "" }; // kept while one looks at a pipeline

export function FleetView({ take }: { take: boolean }) {
  const fleet = useLoaded<Fleet>("pipelines", often);
  return (
    <>
      <Title take={take}>All pipelines</Title>
      <Shown of={fleet} what="The list of pipelines">
        {(value) => <Pipelines of={value.pipelines} />}
      </Shown>
    </>
  );
}

function Pipelines({ of }: { of: Standing[] }) {
  const [chosen, setChosen] = useState(filter);
  const choose = (change: Partial<typeof filter>): void => setChosen((filter = { ...filter, ...change }));
  if (of.length === 0) return <p class="note">There is no pipeline yet, or none that you may see.</p>;
  const wanted = chosen.search.trim().toLowerCase();
  const found = of.filter(
    (one) =>
      (chosen.word === null || one.word === chosen.word) &&
      (!wanted || `${one.pipeline} ${one.said}`.toLowerCase().includes(wanted)),
  );
  return (
    <>
      <div class="row filters">
        <label>
          Search{" "}
          <input
            type="search"
            value={chosen.search}
            onInput={(event) => choose({ search: event.currentTarget.value })}
          />
        </label>
        <div class="row" role="group" aria-label="Only those that are">
          {counted(of).map(([word, count]) => (
            <button
              key={word}
              class="chip"
              aria-pressed={chosen.word === word}
              onClick={() => choose({ word: chosen.word === word ? null : word })}
            >
              {word} {number(count)}
            </button>
          ))}
        </div>
        <span class="dim" role="status">
          {found.length === of.length ? "" : `${number(found.length)} of `}
          {of.length === 1 ? "1 pipeline" : `${number(of.length)} pipelines`}
        </span>
      </div>
      {found.length === 0 ? (
        <p class="note">
          None is so. <button onClick={() => choose({ word: null, search: "" })}>Show all</button>
        </p>
      ) : (
        <Table label="All pipelines, worst first" class="fleet" head={HEAD}>
          {found.map((one) => (
            <Row key={one.pipeline} of={one} />
          ))}
        </Table>
      )}
    </>
  );
}

const HEAD = [
  "Health",
  "Pipeline",
  "Serves",
  "Age of its data",
  "Next run",
];

function Row({ of }: { of: Standing }) {
  return (
    <tr>
      <td>
        <Badge>{of.word}</Badge>
      </td>
      <th scope="row">
        <Link to={{ view: "pipeline", pipeline: of.pipeline }}>
          <Name>{of.pipeline}</Name>
        </Link>
        <div class="said">
          <Text>{of.said}</Text>
        </div>
      </th>
      <td class="small nowrap">{of.champion === null ? "nothing" : <VersionLink pipeline={of.pipeline} of={of.champion} />}</td>
      <td class="small">
        <AgeOf of={of} />
      </td>
      <td class="small">
        <NextRun at={of.next_run} />
      </td>
    </tr>
  );
}

/** How old the data behind the champion is, against what is allowed. */
export function AgeOf({ of }: { of: Standing }) {
  if (of.age === null) return <>–</>;
  const late = of.limit !== null && of.age > of.limit;
  return (
    <span class={late ? "is-warn" : ""}>
      {duration(of.age)}
      {of.limit !== null && <span class="dim"> of {duration(of.limit)}</span>}
      {late && " (too old)"}
    </span>
  );
}

export function NextRun({ at }: { at: string | null }) {
  if (at === null) return <span class="dim">not scheduled</span>;
  return (
    <>
      <Moment at={at} /> <span class="dim">{fromNow(at)}</span>
    </>
  );
}

function counted(of: Standing[]): [Word, number][] {
  const counts = new Map<Word, number>();
  for (const { word } of of) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts];
}
