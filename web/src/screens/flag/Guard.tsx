//! Web: what watches a rollout, and what it sees.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { guard as guardQuery, metrics } from "../../api/queries";
import type { Environment, FlagView, GuardView, Rollout } from "../../api/types";
import { IntervalPlot } from "../../charts/IntervalPlot";
import { count, duration, fixed, level, pValue, tick } from "../../lib/numbers";
import { capital } from "../../lib/spoken";
import { exact } from "../../lib/time";
import { Section } from "../../parts/Page";
import { Loaded, Said, Warnings } from "../../parts/States";
import { Verdict, type Tone } from "../../parts/Words";

const TONES: Record<GuardView["verdict"]["verdict"], Tone> = {
  quiet: "good",
  too_little: "plain",
  harm: "bad",
  mismatch: "warn",
};
const SAYS: Record<GuardView["verdict"]["verdict"], string> = {
  quiet: "Quiet: no harm is shown",
  too_little: "Too little data to judge",
  harm: "Harm is shown",
  mismatch: "The sample ratio is off: the guard does not judge",
};

type Props = { view: FlagView; here: Environment; state: Rollout["state"]["state"] };

/** While the rollout widens: what the guard says now. Afterwards: what was seen up to the end, which is no verdict. */
export function Watched({ view, here, state }: Props) {
  const query = useQuery(guardQuery(view.flag.key, here.key));
  const all = useQuery(metrics).data ?? [];
  return (
    <Section
      title="Guard"
      about={
        state === "widening"
          ? "It looks every minute, with a test that is valid at every look. When it shows harm beyond the margin, it halts the rollout by itself."
          : `It looked every minute until the rollout ${state === "halted" ? "was halted" : "was finished"}.`
      }
    >
      <Loaded query={query} lines={3}>
        {({ rollout, verdict: j, warnings }) => {
          const guard = rollout.guard;
          const look = j.verdict === "quiet" || j.verdict === "harm" ? j.look : null;
          const metric = all.find((m) => m.metric.key === guard?.metric)?.metric;
          const conversion = metric?.measure.measure !== "count" && metric?.measure.measure !== "sum";
          const scale = conversion ? "points" : "absolute";
          const better = metric?.better ?? "higher";
          const margin = guard ? (better === "higher" ? -guard.margin : guard.margin) : 0;
          const mean = (m: number | null | undefined) => (m == null ? "none yet" : level(m, conversion));
          const over = state !== "widening";
          return (
            <>
              <Verdict
                label={over ? "Counted again" : "Verdict"}
                tone={over ? "plain" : TONES[j.verdict]}
                say={
                  over ? `Up to when it ${state === "halted" ? "halted" : "finished"}, counted again` : SAYS[j.verdict]
                }
              >
                {over && (
                  <p className="dim">
                    With what arrived since about the time before
                    {state === "halted" ? ", so it may differ from the reason above" : ""}:
                  </p>
                )}
                <p className="dim">
                  <Said>{capital(j.sentence)}</Said>
                </p>
                {!over && (j.verdict === "too_little" || j.verdict === "mismatch") && (
                  <p className="dim">
                    <Said>{capital(j.hint)}</Said>
                  </p>
                )}
              </Verdict>
              <Warnings list={warnings} />
              {look && (
                <div style={{ marginTop: 16 }}>
                  <IntervalPlot
                    label={`${metric?.name ?? guard?.metric}: ${rollout.candidate} against ${rollout.control}`}
                    scale={scale}
                    better={better}
                    margin={margin || null}
                    effects={[
                      {
                        name: rollout.candidate,
                        estimate: look.estimate,
                        low: better === "higher" ? null : look.bound,
                        high: better === "higher" ? look.bound : null,
                        tone: j.verdict === "harm" ? "bad" : "good",
                        word: j.verdict === "harm" ? `▼ harm, ${pValue(look.p)}` : "● no harm shown",
                      },
                    ]}
                  />
                </div>
              )}
              <dl className="facts" style={{ marginTop: 16 }}>
                <div>
                  <dt>Metric</dt>
                  <dd>
                    <Link to="/metrics/$metric" params={{ metric: guard?.metric ?? "" }}>
                      {metric?.name ?? guard?.metric}
                    </Link>
                  </dd>
                </div>
                <div>
                  <dt>Tolerated harm</dt>
                  <dd>{tick(margin, scale, conversion ? 1 : 2)}</dd>
                </div>
                <div>
                  <dt>False alarms</dt>
                  <dd>at most {fixed((guard?.alpha ?? 0.05) * 100, 0)}% over its life</dd>
                </div>
                <div>
                  <dt>Each person {over ? "was" : "is"} watched for</dt>
                  <dd>{duration(guard?.window ?? 600_000)}</dd>
                </div>
                {j.verdict === "mismatch" &&
                  [
                    { name: rollout.candidate, arm: j.candidate },
                    { name: rollout.control, arm: j.control },
                  ].map(({ name, arm }) => (
                    <div key={name}>
                      <dt>Exposed to “{name}”</dt>
                      <dd>
                        {count(arm.exposed)} of {count(arm.expected)} expected
                      </dd>
                    </div>
                  ))}
                {look && (
                  <>
                    <div>
                      <dt>{rollout.candidate}</dt>
                      <dd>
                        {mean(look.candidate.mean)} of {count(look.candidate.units)}
                      </dd>
                    </div>
                    <div>
                      <dt>{rollout.control}</dt>
                      <dd>
                        {mean(look.control.mean)} of {count(look.control.units)}
                      </dd>
                    </div>
                  </>
                )}
                <div>
                  <dt>Evidence since</dt>
                  <dd>{exact(rollout.epoch_began)}</dd>
                </div>
              </dl>
            </>
          );
        }}
      </Loaded>
    </Section>
  );
}
