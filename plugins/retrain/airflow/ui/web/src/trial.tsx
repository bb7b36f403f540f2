/* A shadow or a canary while it runs: how far, what is open, what would decide, and when patience ends. */

import { Acts } from "./acts";
import type { Metric, TrialStory } from "./contract";
import { Shown, useLoaded } from "./load";
import { Badge, Facts, Link, Moment, Name, Right, Section, Table, Text, Title, VersionLink, fromNow } from "./parts";
import { Sequence } from "./sequence";
import { clock, number, share, signed } from "./words";

const EVERY = 5_000;

export function TrialView({ pipeline, take }: { pipeline: string; take: boolean }) {
  const trial = useLoaded<TrialStory | null>(`pipelines/${encodeURIComponent(pipeline)}/trial`, EVERY);
  return (
    <>
      <Title take={take}>
        Trial of <Name>{pipeline}</Name>
      </Title>
      <Shown of={trial} what="The trial">
        {(value) =>
          value === null ? (
            <p class="note">
              No version is on trial, and none has been.{" "}
              <Link to={{ view: "pipeline", pipeline }}>See what serves</Link>
            </p>
          ) : (
            <Trial pipeline={pipeline} of={value} seen={trial.seen} again={trial.again} />
          )
        }
      </Shown>
    </>
  );
}

function Trial(props: { pipeline: string; of: TrialStory; seen: Date | null; again: () => void }) {
  const { pipeline, of, seen } = props;
  return (
    <>
      <p class="lead">
        <Badge>{of.state}</Badge> <VersionLink pipeline={pipeline} of={of.version} /> against{" "}
        {of.champion === null ? "nothing" : <VersionLink pipeline={pipeline} of={of.champion} />}
        {of.ended === null ? ` in ${of.phase}` : ", over"}
        <span class="dim">
          {" "}
          · read at {seen ? clock(seen) : "–"}
        </span>
      </p>
      <p aria-live="polite">
        <Text most={600}>{of.summary}</Text>
      </p>
      {of.watched === false && (
        <p class="note warn">
          Nobody looks at it now, so nothing is decided and the numbers stand still: see whether its task and the
          triggerer run.
        </p>
      )}
      {of.doubts.map((doubt, index) => (
        <p key={index} class="note bad">
          In doubt, so nothing goes on: <Text>{doubt}</Text>
        </p>
      ))}
      {of.ended === null && <Acts pipeline={pipeline} done={props.again} />}
      <Steps of={of} />
      <Numbers of={of} />
      <Open of={of} />
      <Section title="Each metric over time">
        <p class="legend dim">
          Line: how much worse the challenger is than the champion, so up is worse; shaded: what is not excluded. It is
          within the margin once the shaded part lies below the dashed line.
        </p>
        <div class="cards">
          {of.metrics.map((metric) => (
            <article key={metric.name} class="card">
              <h3>
                <Name most={60}>{metric.name}</Name> <Badge>{stand(metric)}</Badge>
              </h3>
              <p class="dim">
                <Text>{metric.summary}</Text>
              </p>
              <Sequence metric={metric} looks={of.looks} />
            </article>
          ))}
        </div>
        <Metrics of={of.metrics} />
      </Section>
    </>
  );
}

function Steps({ of }: { of: TrialStory }) {
  if (of.phase === "shadow") {
    if (of.ended !== null) return <p>It ended in the shadow: until then nobody got the challenger's answers.</p>;
    return <p>In shadow: the challenger is asked beside the champion, and nobody gets its answers.</p>;
  }
  return (
    <ol class="steps" aria-label="Steps as designed">
      {of.steps.map((step, index) => {
        const how = stepOf(of, index + 1);
        return (
          <li key={index} class={LOOKS[how]} {...(how === "now" ? { "aria-current": "step" as const } : {})}>
            <strong>{share(step)}</strong> <span>{how}</span>
          </li>
        );
      })}
    </ol>
  );
}

const LOOKS = { passed: "past", now: "here", "to come": "", "ended here": "ended", "not reached": "" };

function stepOf(of: TrialStory, step: number): keyof typeof LOOKS {
  if (step < of.step || of.state === "promoted") return "passed";
  if (step === of.step) return of.ended === null ? "now" : "ended here";
  return of.ended === null ? "to come" : "not reached";
}

function Numbers({ of }: { of: TrialStory }) {
  const real = of.share_seen === null ? "not seen yet" : share(of.share_seen);
  return (
    <Facts
      of={[
        ["Share set", share(of.share)],
        ["Share seen", real],
        ["Requests", `${number(of.requests.challenger)} challenger, ${number(of.requests.champion)} champion`],
        ["Labels", `${number(of.labels)} used${of.waiting_labels === null ? "" : `, ${number(of.waiting_labels)} not ripe`}`],
        ["Alpha (false alarms)", of.alpha === null ? "–" : share(of.alpha)],
        ["Last look", of.looked_at === null ? "none yet" : <><Moment at={of.looked_at} /> <span class="dim">{fromNow(of.looked_at)}</span></>],
        ["Began", <Moment at={of.started} />],
        [of.ended === null ? "Patience ends" : "Ended", of.ended === null ? <Patience of={of} /> : <Moment at={of.ended} />],
      ]}
    />
  );
}

function Patience({ of }: { of: TrialStory }) {
  if (of.patience_ends === null) return <>never</>;
  const then = of.on_patience === "pause" ? "then it pauses and waits for a person" : "then it is rolled back";
  return (
    <>
      <Moment at={of.patience_ends} /> <span class="dim">{fromNow(of.patience_ends)}, {then}</span>
    </>
  );
}

function Open({ of }: { of: TrialStory }) {
  if (of.ended !== null) return null;
  return (
    <Section title="What is open">
      {of.open.length === 0 ? (
        <p>Nothing: all that is required is shown to be within its margin.</p>
      ) : (
        <ul>
          {of.open.map((one, index) => (
            <li key={index}>
              <Text>{one}</Text>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

const HEAD = [
  "Metric",
  "Now",
  <Right>Champion</Right>,
  <Right>Challenger</Right>,
  "Difference",
  <Right>Margin</Right>,
  <Right>Answers of both</Right>,
  "Needed",
  <Right>Its part of alpha</Right>,
];

function Metrics({ of }: { of: Metric[] }) {
  return (
    <Table label="Metrics now" head={HEAD}>
      {of.map((metric) => (
        <tr key={metric.name}>
          <th scope="row">
            <Text most={60}>{metric.name}</Text>
            {metric.unit && <span class="dim"> in <Text most={20}>{metric.unit}</Text></span>}
          </th>
          <td><Badge>{stand(metric)}</Badge></td>
          <td class="number">{metric.champion === null ? "–" : number(metric.champion)}</td>
          <td class="number">{metric.challenger === null ? "–" : number(metric.challenger)}</td>
          <td class="nowrap">
            {metric.difference === null ? "–" : signed(metric.difference)}
            <div class="dim">
              {metric.lower === null ? "" : `at least ${signed(metric.lower)} `}
              {metric.upper === null ? "no upper bound yet" : `at most ${signed(metric.upper)}`}
            </div>
          </td>
          <td class="number">{number(metric.margin)}</td>
          <td class="number">{`${number(metric.challenger_rows)} / ${number(metric.champion_rows)}`}</td>
          <td>{metric.required ? "required" : "watched"}</td>
          <td class="number">{metric.weight === null ? "–" : share(metric.weight)}</td>
        </tr>
      ))}
    </Table>
  );
}

function stand(metric: Metric): string {
  if (metric.within) return "within";
  return metric.worse ? "worse" : "open";
}

