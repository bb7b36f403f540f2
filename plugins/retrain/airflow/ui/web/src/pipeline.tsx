/* One pipeline: who serves, since when, is it well, what served before, what can be done. */

import { Acts } from "./acts";
import type { History, PipelineStatus, Standing } from "./contract";
import { AgeOf, NextRun } from "./fleet";
import { Shown, useLoaded } from "./load";
import { Badge, Facts, Link, Moment, Name, Section, Table, Text, Title, VersionLink, fromNow } from "./parts";
import { RunLink } from "./runlink";
import { Strip } from "./strip";
import { duration, number, share, version } from "./words";

const EVERY = 15_000;

/** `foreign`: it may be any Dag of Airflow's, on whose tab we stand. */
export function PipelineView({ pipeline, foreign, take }: { pipeline: string; foreign: boolean; take: boolean }) {
  const path = `pipelines/${encodeURIComponent(pipeline)}`;
  const status = useLoaded<PipelineStatus>(path, EVERY);
  if (status.value === undefined && status.trouble?.status === 404 && foreign) return <Foreign name={pipeline} />;
  const title = (
    <Title take={take}>
      <Name>{pipeline}</Name>
    </Title>
  );
  return (
    <Shown of={status} what="This pipeline" title={title}>
      {(value) => (
        <>
          <Head of={value.standing} take={take} />
          <Acts pipeline={pipeline} done={status.again} />
          <Problems of={value} />
          <Past of={value} />
          <Versions of={value} />
          <Runs of={value} />
        </>
      )}
    </Shown>
  );
}

/** What the tab says on a Dag that is none of ours. */
export function Foreign({ name }: { name: string }) {
  return (
    <p class="note foreign">
      <Name>{name}</Name> is no retraining pipeline, so there is nothing to see here: this tab shows what models a
      pipeline serves and why. <Link to={{ view: "fleet" }}>All pipelines</Link>
    </p>
  );
}

function Head({ of, take }: { of: Standing; take: boolean }) {
  return (
    <>
      <div class="row head">
        <Title take={take}>
          <Name>{of.pipeline}</Name>
        </Title>
        <Badge>{of.word}</Badge>
      </div>
      <p class="lead" aria-live="polite">
        <Text most={600}>{of.said}</Text>
      </p>
      <Facts
        of={[
          ["Serves", of.champion === null ? "nothing" : <VersionLink pipeline={of.pipeline} of={of.champion} />],
          ["Since", of.since === null ? "–" : <><Moment at={of.since} /> <span class="dim">{fromNow(of.since)}</span></>],
          ["Age of its data", <AgeOf of={of} />],
          ["Next run", <NextRun at={of.next_run} />],
          ...(of.challenger === null ? [] : [["On trial", <OnTrial of={of} />] as [string, preact.ComponentChildren]]),
        ]}
      />
    </>
  );
}

function OnTrial({ of }: { of: Standing }) {
  const ramps = of.step !== null && of.step > 0; // a shadow has no step, and nobody gets its answers
  const told = [
    of.phase,
    ramps && of.steps !== null ? `step ${of.step} of ${of.steps}` : null,
    ramps && of.share !== null ? share(of.share) : null,
    of.ends !== null ? `ends ${fromNow(of.ends)}` : null,
  ].filter((part) => part !== null);
  return (
    <>
      <Link to={{ view: "trial", pipeline: of.pipeline }}>{version(of.challenger!)}</Link>{" "}
      <span class="dim">{told.join(", ")}</span>
    </>
  );
}

function Problems({ of }: { of: PipelineStatus }) {
  return (
    <>
      {of.spec_problem && (
        <p class="note bad">
          <strong>pipeline.yaml cannot be read.</strong> <Text most={1500}>{of.spec_problem}</Text>
        </p>
      )}
      {of.clock_problem && (
        <p class="note warn">
          <Text>{of.clock_problem}</Text>
        </p>
      )}
      {of.waiting.map((one, index) => (
        <p class="note warn" key={index}>
          Waits for <Text most={80}>{one.who}</Text> since <Moment at={one.since} />
          {one.until && <>, until <Moment at={one.until} /></>}: <Text>{one.what}</Text>
        </p>
      ))}
      {of.ages
        .filter((age) => age.stale)
        .map((age) => (
          <p class="note warn" key={age.subject}>
            <Text most={80}>{age.subject}</Text> is {duration(age.age)} old
            {age.limit !== null && `, allowed are ${duration(age.limit)}`}.
          </p>
        ))}
    </>
  );
}

/** Read again when there are more entries. */
function Past({ of }: { of: PipelineStatus }) {
  const history = useLoaded<History>(`pipelines/${encodeURIComponent(of.pipeline)}/history`, null, of.entries);
  return (
    <Section title="What served when">
      <Shown of={history} what="The history">
        {(value) => <Strip pipeline={of.pipeline} dag={of.standing.dag_id} of={value} />}
      </Shown>
    </Section>
  );
}

const FIRST = 12;

function Versions({ of }: { of: PipelineStatus }) {
  const newest = [...of.versions].sort((a, b) => b.version - a.version);
  if (newest.length === 0) return null;
  const rows = (some: typeof newest) =>
    some.map((one) => (
      <tr key={one.version}>
        <th scope="row" class="nowrap">
          <VersionLink pipeline={of.pipeline} of={one.version} />
        </th>
        <td>
          <Badge>{one.standing}</Badge>
        </td>
        <td class="prose">
          <Text>{one.reason || "–"}</Text>
        </td>
        <td class="nowrap">
          <Moment at={one.data_end} />
        </td>
        <td class="nowrap">
          <Moment at={one.trained_at} />
        </td>
      </tr>
    ));
  const head = ["Version", "Standing", "Why", "Data until", "Trained"];
  return (
    <Section title="Versions">
      <Table label="Versions, newest first" head={head}>
        {rows(newest.slice(0, FIRST))}
      </Table>
      {newest.length > FIRST && (
        <details>
          <summary>{number(newest.length - FIRST)} older versions</summary>
          <Table label="Older versions" head={head}>
            {rows(newest.slice(FIRST))}
          </Table>
        </details>
      )}
    </Section>
  );
}

function Runs({ of }: { of: PipelineStatus }) {
  if (of.runs.length === 0) return null;
  return (
    <Section title="Last runs">
      <Table label="Last runs" head={["Run", "Came to", "The last it wrote", "Began", "By"]}>
        {of.runs.map((run) => (
          <tr key={run.run}>
            <th scope="row">
              <RunLink pipeline={of.pipeline} dag={of.standing.dag_id} run={run.run} />
            </th>
            <td>{run.outcome === null ? "–" : <Badge>{run.outcome}</Badge>}</td>
            <td class="prose">
              <Text>{run.what}</Text>
            </td>
            <td class="nowrap">
              <Moment at={run.began} />
            </td>
            <td>
              <Text most={40}>{run.by}</Text>
            </td>
          </tr>
        ))}
      </Table>
    </Section>
  );
}
