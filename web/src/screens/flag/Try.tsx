//! Web: what one context gets, and every step that led to it. The context is in the address.
import { Button, JsonInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { edit } from "../../api/edits";
import type { ClauseStep, Environment, Explanation, FlagView, Step } from "../../api/types";
import { clauseText } from "../../lib/serve";
import { share } from "../../lib/numbers";
import { Section } from "../../parts/Page";
import { Loaded } from "../../parts/States";
import { ShareBar } from "../../parts/Words";

const EXAMPLE = JSON.stringify({ targetingKey: "ana-1", plan: "pro", country: "DE" }, null, 2);

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

export function TryTab({ view, here }: { view: FlagView; here: Environment }) {
  const { ctx } = useSearch({ from: "/inside/flags/$flag" });
  const navigate = useNavigate({ from: "/flags/$flag" });
  const [text, setText] = useState(ctx ? JSON.stringify(parsed(ctx) ?? {}, null, 2) : EXAMPLE);
  const context = ctx ? parsed(ctx) : null;
  const query = useQuery({
    queryKey: ["explain", view.flag.key, here.key, ctx ?? "", view.revision],
    enabled: context !== null,
    queryFn: () =>
      edit.explain(view.flag.key, here.key, context ?? {}).then((r) => r.explanation as unknown as Explanation),
  });
  const wrong = parsed(text) === null;
  return (
    <div className="two">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (!wrong) void navigate({ search: (old) => ({ ...old, ctx: JSON.stringify(parsed(text)) }) });
        }}
      >
        <JsonInput
          label="Context"
          description="targetingKey is the user's id; everything else is an attribute."
          autosize
          minRows={8}
          value={text}
          onChange={setText}
          classNames={{ input: "mono" }}
          error={wrong ? "This is not a JSON object yet" : undefined}
        />
        <Button type="submit" mt="sm" disabled={wrong}>
          Evaluate
        </Button>
      </form>
      <div aria-live="polite">
        {context === null ? (
          <p className="dim">Nothing is recorded here: trying it is no exposure.</p>
        ) : (
          <Loaded query={query} lines={4}>
            {(explained) => <Answer explained={explained} view={view} />}
          </Loaded>
        )}
      </div>
    </div>
  );
}

function Answer({ explained: e, view }: { explained: Explanation; view: FlagView }) {
  return (
    <>
      <Section
        title={
          <>
            Gets <span style={{ color: "var(--mantine-color-anchor)" }}>{e.variant}</span>
          </>
        }
      >
        <code className="mono">{JSON.stringify(e.value)}</code>
        {!e.enrolled && <span className="dim"> · not enrolled by a split</span>}
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

function StepText({ step, view }: { step: Step; view: FlagView }) {
  switch (step.step) {
    case "off":
      return <>The flag is off here, so everybody gets its off variant.</>;
    case "target":
      return step.matched ? (
        <>
          Listed by id for <b>{step.variant}</b>.
        </>
      ) : (
        <span className="dim">Not in the list for {step.variant}.</span>
      );
    case "default":
      return <>No target and no rule took it: the default decides.</>;
    case "rule":
      return (
        <>
          {step.matched ? (
            <>
              Rule <b>{step.name}</b> matches:
            </>
          ) : (
            <span className="dim">Rule {step.name} does not match:</span>
          )}
          <ul className="plain">
            {step.groups.flatMap((group, g) =>
              group.map((clause, c) => (
                <li key={`${g}-${c}`}>
                  <Clause clause={clause} />
                </li>
              )),
            )}
          </ul>
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
                , in {share(chosen.from)} to {share(chosen.to)} of <b>{chosen.variant}</b>
              </>
            )}
            .
          </p>
          <div style={{ position: "relative", maxWidth: 480 }}>
            <ShareBar ranges={step.ranges} variants={view.flag.variants.map((v) => v.key)} />
            {step.percent !== undefined && <span className="needle" style={{ left: `${step.percent}%` }} aria-hidden />}
          </div>
        </>
      );
    }
  }
}

function Clause({ clause: c }: { clause: ClauseStep }) {
  return (
    <span className={c.matched ? undefined : "dim"}>
      {c.matched ? "✓" : "✗"} {clauseText(c)}{" "}
      <span className="dim">
        (it is {c.found === undefined ? "missing" : <code className="mono">{JSON.stringify(c.found)}</code>})
      </span>
    </span>
  );
}
