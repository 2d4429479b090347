//! Web: what is different between two plans, by event type and property, in words.
import { Link } from "@tanstack/react-router";

import type { Difference, EventType, PlanChanges, PlannedProperty } from "../../api/types";
import { plural } from "../../lib/numbers";
import { own } from "../../lib/own";
import { kindText } from "../../lib/plan";
import { nameText, unturned } from "../../lib/sent";
import { capital } from "../../lib/spoken";
import { Said } from "../../parts/States";
import { Badge } from "../../parts/Words";

type Props = {
  label: string;
  differences: Difference[];
  /** The event types as they would be: an added one is shown with its properties. */
  then?: Record<string, EventType>;
};

const signOf = (what: string) => (what.startsWith("is added") ? "+" : what.startsWith("is removed") ? "−" : "~");

function Line({
  of,
  difference: { what, breaking },
  sign = signOf(what),
}: {
  of?: string;
  difference: Difference;
  sign?: string;
}) {
  return (
    <div className="plan-line" data-sign={sign}>
      <span className="sign" aria-hidden>
        {sign}
      </span>
      <span className="grow">
        {of !== undefined && <span className="mono">{nameText(of)}</span>}{" "}
        <Said>{of !== undefined ? what : capital(what)}</Said> {breaking && <Badge tone="warn">breaking</Badge>}
      </span>
    </div>
  );
}

export function Differences({ label, differences, then = {} }: Props) {
  if (differences.length === 0) return <p className="dim">Nothing is different from the plan that there is.</p>;
  const rules = differences.filter((d) => d.event == null);
  const events = [...new Set(differences.flatMap((d) => d.event ?? []))];
  return (
    <ul className="plan-diff" aria-label={label}>
      {rules.length > 0 && (
        <li>
          <p className="strong">Rules</p>
          {rules.map((d) => (
            <Line key={d.what} difference={d} />
          ))}
        </li>
      )}
      {events.map((event) => {
        const whole = differences.filter((d) => d.event === event && d.property == null);
        const inner = differences.filter((d) => d.event === event && d.property != null);
        const added = whole.some((d) => signOf(d.what) === "+")
          ? Object.entries(own(then, event)?.properties ?? {})
          : [];
        return (
          <li key={event}>
            <Named event={event} />
            {whole.map((d) => (
              <Line key={d.what} difference={d} />
            ))}
            {added.map(([name, p]) => (
              <Line key={name} of={name} sign="+" difference={{ what: propertyText(p), breaking: false }} />
            ))}
            {inner.map((d) => (
              <Line key={`${d.property} ${d.what}`} of={d.property ?? ""} difference={d} />
            ))}
          </li>
        );
      })}
    </ul>
  );
}

/** What a proposal that is over said, of which the plan that there was is not at hand: what it has, not what was different. */
export function Contents({ label, changes }: { label: string; changes: PlanChanges }) {
  return (
    <ul className="plan-diff" aria-label={label}>
      {changes.rules && (
        <li>
          <p className="strong">Rules</p>
          <p>Become other</p>
        </li>
      )}
      {Object.entries(changes.save ?? {}).map(([event, type]) => (
        <li key={event}>
          <Named event={event} />
          {type.description && <p className="dim">{unturned(type.description)}</p>}
          {type.owner && <p>Belongs to {type.owner}</p>}
          {type.retention_days && <p>Is kept for {plural(type.retention_days, "day")}</p>}
          {Object.keys(type.properties ?? {}).length === 0 && <p>Has no properties</p>}
          {Object.entries(type.properties ?? {}).map(([name, p]) => (
            <p key={name}>
              <span className="mono">{nameText(name)}</span> {propertyText(p)}
            </p>
          ))}
        </li>
      ))}
      {(changes.remove ?? []).map((event) => (
        <li key={event}>
          <Named event={event} />
          <Line difference={{ what: "is removed", breaking: false }} />
        </li>
      ))}
    </ul>
  );
}

function Named({ event }: { event: string }) {
  return (
    <p className="strong">
      <Link to="/plan" search={(old) => ({ env: old.env, event })}>
        {nameText(event)}
      </Link>
    </p>
  );
}

const propertyText = (p: PlannedProperty) =>
  `is ${p.required ? "required" : "optional"}, ${kindText(p)}${p.personal ? ", personal" : ""}`;

/** What breaking means, where something is. */
export function Breaking({ on }: { on: boolean }) {
  return !on ? null : (
    <p className="dim">
      <Badge tone="warn">breaking</Badge> Events that follow the plan now may not follow it then, or are treated more
      strictly.
    </p>
  );
}
