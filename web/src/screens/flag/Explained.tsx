//! Web: an explanation as a list of steps, the last of which decided.
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import type { ClauseStep, ConditionStep, Explanation, FlagView, Placed, SegmentStep, Step } from "../../api/types";
import { clauseText, isSegment } from "../../lib/conditions";
import { enrolledText } from "../../lib/enrolment";
import { share } from "../../lib/numbers";
import { because } from "../../lib/reasons";
import { capital } from "../../lib/spoken";
import { Section } from "../../parts/Page";
import { Said } from "../../parts/States";
import { Note, ShareBar } from "../../parts/Words";

type Props = { sentence: string; explained: Explanation; view: FlagView; past?: number };

export function Answer({ sentence, explained: e, view, past }: Props) {
  return (
    <>
      {past !== undefined && (
        <div style={{ marginBottom: 12 }}>
          <Note>
            <p>As it was at revision {past}. Lists of ids that have been forgotten since are empty.</p>
          </Note>
        </div>
      )}
      <Section
        title={
          <>
            Gets <span style={{ color: "var(--mantine-color-anchor)" }}>{e.variant}</span>
          </>
        }
      >
        <code className="mono">{JSON.stringify(e.value)}</code>
        <p className="dim" style={{ margin: "4px 0 0" }}>
          <Said>{`${capital(sentence)}.`}</Said>
        </p>
      </Section>
      <ol className="steps" aria-label="Why">
        {e.steps.map((step, i) => (
          <li key={i} data-last={i === e.steps.length - 1 ? "" : undefined}>
            <StepText step={step} view={view} />
          </li>
        ))}
      </ol>
    </>
  );
}

/** What was looked at and did not decide is quieter. */
function Passed({ decided, children }: { decided: boolean; children: ReactNode }) {
  return decided ? <div>{children}</div> : <div className="dim">{children}</div>;
}

function StepText({ step, view }: { step: Step; view: FlagView }) {
  switch (step.step) {
    case "off":
      return <>The flag is off here, so everybody gets its off variant.</>;
    case "prerequisite":
      return (
        <Passed decided={!step.met}>
          Needs{" "}
          <Link to="/flags/$flag" params={{ flag: step.flag }}>
            {step.flag}
          </Link>{" "}
          to serve {step.variants.join(" or ")}:{" "}
          {step.served === undefined ? (
            "there is no such flag here"
          ) : (
            <>
              it serves <b>{step.served}</b>
              {step.reason && `, ${because(step.reason).toLowerCase().replace(/\.$/, "")}`}
            </>
          )}
          {step.met ? "." : ", so the off variant is served."}
        </Passed>
      );
    case "target":
      return step.matched ? (
        <>
          Listed by id for <b>{step.variant}</b>.
        </>
      ) : (
        <span className="dim">Not in the list for {step.variant}.</span>
      );
    case "holdout":
      return (
        <Passed decided={step.held}>
          Holdout{" "}
          <Link to="/holdouts/$holdout" params={{ holdout: step.holdout }}>
            {step.holdout}
          </Link>{" "}
          {step.held ? "holds it: the off variant is served." : "does not hold it."}
          <Position place={step.place} said="held" />
        </Passed>
      );
    case "layer":
      return (
        <Passed decided={!step.inside}>
          {step.inside ? "In this flag's part of layer " : "Outside this flag's part of layer "}
          <Link to="/layers/$layer" params={{ layer: step.layer }}>
            {step.layer}
          </Link>
          {step.inside ? "." : ": the off variant is served."}
          <Position place={step.place} said={view.flag.key} />
        </Passed>
      );
    case "default":
      return <>No target and no rule took it: the default decides.</>;
    case "beta":
      return (
        <>
          <span className={step.matched ? undefined : "dim"}>
            {step.matched ? "In" : "Not in"} the audience of beta{" "}
            <Link to="/betas/$beta" params={{ beta: step.beta }}>
              {step.beta}
            </Link>
            :
          </span>
          <Groups groups={step.groups} />
        </>
      );
    case "rule":
      return (
        <>
          {step.matched ? (
            <>{ruleText(step.name)} matches:</>
          ) : (
            <span className="dim">{ruleText(step.name)} does not match:</span>
          )}
          <Groups groups={step.groups} />
        </>
      );
    case "bucket": {
      if (step.id === undefined)
        return <>The split divides by {step.unit}, and the context has no id: the off variant is served.</>;
      const chosen = step.ranges.find((r) => r.chosen);
      return (
        <>
          <p style={{ margin: "0 0 8px" }}>
            <span className="mono">{step.id}</span> stands at <b>{step.percent?.toFixed(2)}%</b> of the split{" "}
            <span className="mono">{step.salt}</span>
            {chosen && (
              <>
                , in {share(chosen.from)} to {share(chosen.to)}{" "}
                {chosen.variant === step.rest ? "where nobody is enrolled and everybody gets" : "of"}{" "}
                <b>{chosen.variant}</b>
              </>
            )}
            .
          </p>
          <div style={{ position: "relative", maxWidth: 480 }}>
            <ShareBar ranges={step.ranges} variants={view.flag.variants.map((v) => v.key)} rest={step.rest} />
            {step.percent !== undefined && <span className="needle" style={{ left: `${step.percent}%` }} aria-hidden />}
          </div>
        </>
      );
    }
    case "enrolment":
      return (
        <Passed decided={step.how === "kept" || step.how === "closed"}>
          {HOW[step.how]}
          {ORIGIN[step.origin]}
          {`. ${enrolledText(step.enrolled, step.most)}.`}
        </Passed>
      );
  }
}

function Groups({ groups }: { groups: ConditionStep[][] }) {
  return groups.map((group, g) => (
    <div key={g}>
      {g > 0 && <div className="dim or">or</div>}
      <ul className="plain">
        {group.map((condition, c) => (
          <li key={c}>
            <ConditionText condition={condition} />
          </li>
        ))}
      </ul>
    </div>
  ));
}

type Enrolment = Extract<Step, { step: "enrolment" }>;
const HOW: Record<Enrolment["how"], string> = {
  kept: "It was enrolled before and keeps its variant",
  enrolled: "It is enrolled from now on",
  placed: "It is not one of those who are counted and kept",
  closed: "It comes too late: enrolment is closed",
};
const ORIGIN: Record<Enrolment["origin"], string> = {
  own: "",
  device: ", from before signing in",
  owner: ", which is that of the device's user",
};

/** Where a unit stands in a part of the population. */
function Position({ place, said }: { place: Placed; said: string }) {
  if (place.id === undefined) return <p className="place">It divides by {place.unit}, and the context has no id.</p>;
  const part = place.part.map(([from, to]) => `${share(from)} to ${share(to)}`).join(", ");
  return (
    <div style={{ maxWidth: 480 }}>
      <p className="place">
        <span className="mono">{place.id}</span> stands at <b>{place.percent?.toFixed(2)}%</b>;{" "}
        {part ? `${said} has ${part}` : `${said} has no part`}.
      </p>
      <div style={{ position: "relative" }}>
        <div className="shares" aria-hidden>
          {place.part.map(([from, to]) => (
            <span
              key={from}
              style={{
                position: "absolute",
                height: 20,
                left: `${from / 100}%`,
                width: `${(to - from) / 100}%`,
                background: "var(--accent)",
              }}
            />
          ))}
        </div>
        {place.percent !== undefined && <span className="needle" style={{ left: `${place.percent}%` }} aria-hidden />}
      </div>
    </div>
  );
}

function ConditionText({ condition }: { condition: ConditionStep }) {
  return isSegment(condition) ? (
    <Membership step={condition as SegmentStep} />
  ) : (
    <ClauseText clause={condition as ClauseStep} />
  );
}

const MEMBER: Record<SegmentStep["membership"], string> = {
  included: "it is in: listed among those included",
  excluded: "it is not in: listed among those excluded",
  matched: "it is in: the condition holds",
  unmatched: "it is not in",
};

function Membership({ step }: { step: SegmentStep }) {
  return (
    <>
      <span className={step.matched ? undefined : "dim"}>
        {step.matched ? "✓" : "✗"} {step.not ? "not in" : "in"} segment{" "}
        <Link to="/segments/$segment" params={{ segment: step.segment }}>
          {step.segment}
        </Link>{" "}
        <span className="dim">({MEMBER[step.membership]})</span>
      </span>
      {step.groups.length > 0 && (
        <ul className="plain inner">
          {step.groups.flatMap((group, g) =>
            group.map((clause, c) => (
              <li key={`${g}-${c}`}>
                <ClauseText clause={clause} />
              </li>
            )),
          )}
        </ul>
      )}
    </>
  );
}

function ClauseText({ clause: c }: { clause: ClauseStep }) {
  return (
    <span className={c.matched ? undefined : "dim"}>
      {c.matched ? "✓" : "✗"} {clauseText(c)}{" "}
      <span className="dim">
        (it is {c.found === undefined ? "missing" : <code className="mono">{JSON.stringify(c.found)}</code>})
      </span>
    </span>
  );
}

/** A rule by its name; one that nobody has named is called by its number. */
function ruleText(name: string): ReactNode {
  return /^rule \d+$/.test(name) ? (
    <b>{capital(name)}</b>
  ) : (
    <>
      Rule <b>{name}</b>
    </>
  );
}
