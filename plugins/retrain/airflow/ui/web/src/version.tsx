/* The story of one version: what was decided and why, how it compares, what changed. */

import { Acts } from "./acts";
import type { Drifted, Gated, VersionStory } from "./contract";
import { Forest } from "./forest";
import { Histogram } from "./histogram";
import { Shown, useLoaded } from "./load";
import { Badge, Facts, Moment, Name, plain, Right, Section, Table, Text, Title, VersionLink } from "./parts";
import { RunLink } from "./runlink";
import { number, share, version } from "./words";

const HASH = 12; // as many characters of an id as tell it from others at a look

export function VersionView({ pipeline, of, take }: { pipeline: string; of: number; take: boolean }) {
  const story = useLoaded<VersionStory>(`pipelines/${encodeURIComponent(pipeline)}/versions/${of}`);
  const title = (
    <Title take={take}>
      <Name>{pipeline}</Name>, {version(of)}
    </Title>
  );
  return (
    <Shown of={story} what="This version" title={title}>
      {(value) => (
        <>
          <div class="row head">
            {title}
            <Badge>{value.standing}</Badge>
          </div>
          {value.reason && (
            <p class="lead">
              <Text most={600}>{value.reason}</Text>
            </p>
          )}
          <Acts pipeline={pipeline} only={of} done={story.again} />
          <Verdict of={value} />
          <Comparison of={value} />
          <Changes of={value} />
          <Drifts of={value.drift} />
          <Made pipeline={pipeline} of={value} />
        </>
      )}
    </Shown>
  );
}

function Verdict({ of }: { of: VersionStory }) {
  if (!of.verdict) {
    return (
      <Section title="Verdict">
        <p class="note">It has not been judged (yet).</p>
      </Section>
    );
  }
  const { outcome, reason, by, gates } = of.verdict;
  const counts = (gate: Gated): boolean => gate.outcome !== "passed" && gate.outcome !== "not applied";
  const [rest, passed] = [gates.filter(counts), gates.filter((gate) => !counts(gate))];
  return (
    <Section title="Verdict">
      <p>
        <Badge>{outcome}</Badge> by <Text most={60}>{by}</Text>: <Text most={600}>{reason}</Text>
      </p>
      {of.rehearsal && (
        <p>
          Rehearsal: <Badge>{of.rehearsal.passed ? "passed" : "failed"}</Badge> <Text>{of.rehearsal.reason}</Text>
        </p>
      )}
      {rest.length > 0 && <Gates of={rest} label="Gates not passed" />}
      {passed.length > 0 && (
        <details open={rest.length === 0}>
          <summary>{number(passed.length)} gates passed, or not applied</summary>
          <Gates of={passed} label="Gates passed" />
        </details>
      )}
    </Section>
  );
}

function Gates({ of, label }: { of: Gated[]; label: string }) {
  return (
    <Table label={label} head={["Gate", "Outcome", "Why"]}>
      {of.map((gate, index) => (
        <tr key={index}>
          <th scope="row">
            <Text most={60}>{gate.gate}</Text>
          </th>
          <td>
            <Badge>{gate.outcome}</Badge>
          </td>
          <td class="prose">
            <Text>{gate.reason}</Text>
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Comparison({ of }: { of: VersionStory }) {
  const against = of.champion === null ? "nothing: there was no champion" : version(of.champion);
  return (
    <Section title={`Compared with ${against}`}>
      {of.scores.length === 0 && of.slices.length === 0 && <p class="note">Nothing was compared.</p>}
      {of.scores.length > 0 && <Forest of={of.scores} label="Metrics" />}
      {of.slices.length > 0 && (
        <>
          <h3>By slice, worst first</h3>
          <Forest of={of.slices} label="Slices" />
        </>
      )}
      {of.scores.length + of.slices.length > 0 && (
        <p class="legend dim">
          ● difference of challenger and champion, with its interval; to the right is worse. Dashed: the margin; solid: no difference.
        </p>
      )}
      {of.left_out.length > 0 && (
        <p class="dim">
          Too small to judge: <Text>{of.left_out.join(", ")}</Text>
        </p>
      )}
    </Section>
  );
}

function Changes({ of }: { of: VersionStory }) {
  return (
    <Section title="What changed">
      {of.changes.length === 0 ? (
        <p class="dim">{of.champion === null ? "There is nothing to compare it with." : `Nothing but the rows, against ${version(of.champion)}.`}</p>
      ) : (
        <Table label="What changed" head={["What", "Before", "Now"]}>
          {of.changes.map((change, index) => (
            <tr key={index}>
              <th scope="row"><Text most={80}>{change.what}</Text></th>
              <td><Text>{change.before}</Text></td>
              <td><Text>{change.after}</Text></td>
            </tr>
          ))}
        </Table>
      )}
    </Section>
  );
}

function Drifts({ of }: { of: Drifted[] }) {
  const drifted = of.filter((one) => one.drifted);
  const calm = of.filter((one) => !one.drifted);
  if (of.length === 0) return null;
  return (
    <Section title="Drift of its columns">
      {drifted.length === 0 && <p>No column has drifted.</p>}
      <div class="cards">
        {drifted.map((one) => (
          <article key={one.column} class="card">
            <h3>
              <Name most={60}>{one.column}</Name> <Badge>drifted</Badge>
            </h3>
            <p>
              <Text>{one.said}</Text>
              {one.weight !== null && <span class="dim"> Weight in the model: {share(one.weight)}.</span>}
            </p>
            {one.before && one.now && <Histogram column={one.column} before={one.before} now={one.now} />}
          </article>
        ))}
      </div>
      {calm.length > 0 && (
        <details>
          <summary>{number(calm.length)} columns have not drifted</summary>
          <Table label="Columns that have not drifted" head={["Column", <Right>Distance</Right>, <Right>Allowed</Right>, "It says"]}>
            {calm.map((one) => (
              <tr key={one.column}>
                <th scope="row"><Text most={60}>{one.column}</Text></th>
                <td class="number">{one.value === null ? "–" : number(one.value)}</td>
                <td class="number">{one.threshold === null ? "–" : number(one.threshold)}</td>
                <td class="prose"><Text>{one.said}</Text></td>
              </tr>
            ))}
          </Table>
        </details>
      )}
    </Section>
  );
}

function Made({ pipeline, of }: { pipeline: string; of: VersionStory }) {
  return (
    <Section title="How it was made">
      <Facts
        of={[
          ["Run", <RunLink pipeline={pipeline} dag={of.dag_id} run={of.run} />],
          ["Trained", <Moment at={of.trained_at} />],
          ["Data until", <Moment at={of.data_end} />],
          ["Rows", of.train_rows === null ? "–" : number(of.train_rows)],
          ["Champion then", of.champion === null ? "none" : <VersionLink pipeline={pipeline} of={of.champion} />],
          ["Estimator", <Text most={80}>{of.estimator}</Text>],
          ["Parameters", <Text most={200}>{plain(of.params) || "none"}</Text>],
          ["MLflow run", <Text most={HASH}>{of.mlflow_run}</Text>],
        ]}
      />
    </Section>
  );
}
