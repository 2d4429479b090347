//! Web: who gets what of a flag, read as sentences in the order in which it is decided.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { betas, holdouts, layer } from "../../api/queries";
import type { Environment, FlagView, Serve, Setting } from "../../api/types";
import { isOn } from "../../lib/beta";
import { groupsText } from "../../lib/conditions";
import { limitsText, remembers } from "../../lib/enrolment";
import { plural, share } from "../../lib/numbers";
import { draftOf, serveText } from "../../lib/serve";
import { capital } from "../../lib/spoken";
import { DataTable } from "../../parts/DataTable";
import { Section } from "../../parts/Page";
import { Badge, ShareBar } from "../../parts/Words";

type Props = { view: FlagView; setting: Setting; here: Environment };

export function Reading({ view, setting, here }: Props) {
  const variants = view.flag.variants.map((v) => v.key);
  const draft = draftOf(view, setting);
  const { flag } = view;
  const covering = (useQuery(holdouts()).data ?? []).filter((v) => v.flags.includes(flag.key));
  const inBeta = (useQuery(betas()).data ?? []).filter((v) => v.beta.flags[flag.key] !== undefined);
  const inside = useQuery({ ...layer(flag.layer ?? ""), enabled: flag.layer != null }).data;
  const part = inside?.parts.find((p) => p.flag === flag.key)?.share ?? 0;
  const limits = setting.enrolment ?? {};
  return (
    <>
      {!setting.on && (
        <p style={{ marginTop: 0 }}>
          The flag is off: everybody gets <b>{setting.off}</b>. While it is on:
        </p>
      )}
      <ol className="order" aria-label="In this order">
        {draft.prerequisites.map((p) => (
          <li key={`p ${p.flag}`}>
            Only if{" "}
            <Link to="/flags/$flag" params={{ flag: p.flag }}>
              {p.flag}
            </Link>{" "}
            serves {p.variants.join(" or ")}; everybody else gets <Badge tone="accent">{draft.off}</Badge>
          </li>
        ))}
        {draft.targets.map((t, i) => (
          <li key={`t${i}`}>
            <div className="grow">
              {plural(t.ids.length, "single id")} {t.ids.length === 1 ? "gets" : "get"}{" "}
              <Badge tone="accent">{t.variant}</Badge>
            </div>
            <div className="under mono">
              {t.ids.slice(0, 12).join(", ")}
              {t.ids.length > 12 ? ` and ${t.ids.length - 12} more` : ""}
            </div>
          </li>
        ))}
        {covering.map(({ holdout: h }) => (
          <li key={`h ${h.key}`}>
            Holdout{" "}
            <Link to="/holdouts/$holdout" params={{ holdout: h.key }}>
              {h.name || h.key}
            </Link>{" "}
            keeps {share(h.share)} out: they get <Badge tone="accent">{draft.off}</Badge>
          </li>
        ))}
        {flag.layer && (
          <li>
            <div>
              Layer{" "}
              <Link to="/layers/$layer" params={{ layer: flag.layer }}>
                {inside?.layer.name || flag.layer}
              </Link>
              {inside && <> lets {part > 0 ? share(part) : "nobody"} in</>}; everybody else gets{" "}
              <Badge tone="accent">{draft.off}</Badge>
            </div>
          </li>
        )}
        {inBeta.map((v) => {
          const [b, on] = [v.beta, isOn(v, here.key)];
          return (
            <li key={`b ${b.key}`}>
              <span className={on ? undefined : "dim"}>
                Beta{" "}
                <Link to="/betas/$beta" params={{ beta: b.key }}>
                  {b.name || b.key}
                </Link>{" "}
                {on ? "gives its audience" : `is off in ${here.name}; on, it gives its audience`}{" "}
              </span>
              <Badge tone={on ? "accent" : "off"}>{b.flags[flag.key]}</Badge>
            </li>
          );
        })}
        {draft.rules.map((rule, i) => (
          <li key={`r${i}`}>
            <div>
              {rule.name && <span className="strong">{rule.name}: </span>}
              if {groupsText(rule.when)} → <Badge tone="accent">{serveText(rule.serve)}</Badge>
            </div>
            <Ranges serve={setting.rules?.[i]?.serve} variants={variants} />
          </li>
        ))}
        <li>
          <div>
            {draft.prerequisites.length + covering.length > 0 || flag.layer
              ? "Whoever is left"
              : draft.targets.length + draft.rules.length > 0 || inBeta.some((v) => isOn(v, here.key))
                ? "Everybody else"
                : "Everybody"}{" "}
            gets{" "}
            {setting.default.serve === "variant" ? (
              <Badge tone="accent">{setting.default.variant}</Badge>
            ) : setting.default.serve === "split" ? (
              "a share of the split:"
            ) : (
              <RolloutText serve={setting.default} />
            )}
          </div>
          <Ranges serve={setting.default} variants={variants} />
          {(limits.share != null || remembers(limits)) && setting.default.serve !== "variant" && (
            <div className="under">
              {capital(limitsText(limits, flag.unit ?? "user"))}
              {view.enrolled[here.key]?.closed && ". Enrolment is closed: nobody else comes in"}
            </div>
          )}
        </li>
      </ol>
      <Section title="Fallback">
        <p>
          While the flag is off, for everybody whom a prerequisite, a holdout or a layer keeps out, and for anybody who
          has no id to divide by: <Badge>{setting.off}</Badge>
        </p>
      </Section>
    </>
  );
}

function RolloutText({ serve }: { serve: Extract<Serve, { serve: "rollout" }> }) {
  const { rollout } = serve;
  const points = rollout.split.ranges
    .filter((r) => r.variant === rollout.candidate)
    .reduce((n, r) => n + r.to - r.from, 0);
  if (rollout.state.state === "halted")
    return (
      <>
        <Badge tone="accent">{rollout.control}</Badge>: the rollout of {rollout.candidate} is halted
      </>
    );
  if (rollout.state.state === "done")
    return (
      <>
        <Badge tone="accent">{rollout.candidate}</Badge>, rolled out
      </>
    );
  return (
    <>
      a share of the rollout of <Badge tone="accent">{rollout.candidate}</Badge>, {share(points)} so far:
    </>
  );
}

function Ranges({ serve, variants }: { serve?: Serve; variants: string[] }) {
  const [table, setTable] = useState(false);
  const split =
    serve?.serve === "split"
      ? serve.split
      : serve?.serve === "rollout" && serve.rollout.state.state === "widening"
        ? serve.rollout.split
        : null;
  return split ? (
    <div style={{ marginTop: 8 }}>
      <ShareBar ranges={split.ranges} variants={variants} rest={split.rest} />
      <Button size="compact-sm" variant="subtle" aria-pressed={table} onClick={() => setTable(!table)}>
        Table
      </Button>
      {table && (
        <DataTable
          label="Ranges as a table"
          rows={split.ranges}
          id={(r) => String(r.from)}
          columns={[
            { key: "variant", head: "Variant", wide: true, cell: (r) => r.variant },
            { key: "from", head: "From", right: true, sort: (r) => r.from, cell: (r) => share(r.from) },
            { key: "to", head: "To", right: true, sort: (r) => r.to, cell: (r) => share(r.to) },
            { key: "share", head: "Share", right: true, sort: (r) => r.to - r.from, cell: (r) => share(r.to - r.from) },
          ]}
        />
      )}
    </div>
  ) : null;
}
