//! Web: small things that are the same everywhere: a badge, a time, a verdict, a snippet, a bar of
//! shares, a difference. Colour is never alone: a word or a shape stands beside it.
import { Button, CopyButton, useComputedColorScheme } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck, IconCircleDashed, IconCircleX, IconInfoCircle } from "@tabler/icons-react";
import type { ReactNode } from "react";

import { hunks, type Line } from "../lib/diff";
import { share } from "../lib/numbers";
import { unturned } from "../lib/sent";
import { ago, exact } from "../lib/time";
import { SERIES } from "../theme";

export type Tone = "good" | "bad" | "warn" | "accent" | "off" | "production" | "plain";

export function Badge({ tone = "plain", children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span className="badge" data-tone={tone}>
      {children}
    </span>
  );
}

/** A moment as close as it matters; to the second, with the zone, on hover. */
export function When({ at }: { at: number }) {
  return (
    <time dateTime={new Date(at).toISOString()} title={exact(at)} className="nowrap">
      {ago(at)}
    </time>
  );
}

const ICONS = {
  good: IconCircleCheck,
  bad: IconCircleX,
  warn: IconAlertTriangle,
  plain: IconCircleDashed,
  accent: IconInfoCircle,
  off: IconCircleDashed,
  production: IconInfoCircle,
};

type VerdictProps = { label?: string; tone: Tone; say: ReactNode; children?: ReactNode };

/** A verdict as a sentence, with its shape. */
export function Verdict({ label = "Verdict", tone, say, children }: VerdictProps) {
  const Icon = ICONS[tone];
  return (
    <div className="verdict" data-tone={tone} role="region" aria-label={label}>
      <Icon size={20} aria-hidden />
      <div className="grow">
        <p className="say">{say}</p>
        {children}
      </div>
    </div>
  );
}

/** A note inside a page, such as a warning about the data. */
export function Note({ tone, children }: { tone?: "bad" | "warn"; children: ReactNode }) {
  const Icon = tone ? IconAlertTriangle : IconInfoCircle;
  return (
    <div className="note" data-tone={tone}>
      <Icon size={18} aria-hidden />
      <div className="grow">{children}</div>
    </div>
  );
}

/** Text to copy into a terminal or an editor. */
export function Snippet({ label, text }: { label: string; text: string }) {
  return (
    <div className="snippet">
      <pre tabIndex={0} role="region" aria-label={label}>
        {text}
      </pre>
      <div className="copy">
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Button size="compact-sm" variant="default" onClick={copy} aria-label={copied ? "Copied" : `Copy ${label}`}>
              {copied ? "Copied" : "Copy"}
            </Button>
          )}
        </CopyButton>
      </div>
    </div>
  );
}

/** The colours of a list of names, the same wherever the list is the same. */
export function useSeries(): (index: number) => string {
  const scheme = useComputedColorScheme("light");
  return (index) => SERIES[scheme][index % SERIES[scheme].length] ?? SERIES[scheme][0];
}

/** A stretch of the population, in basis points. */
export type Stretch = { from: number; to: number; variant: string };

/** Everybody, in basis points. */
const ALL = 10_000;

/**
 * Who gets what, as ranges of the population from 0 to 100%; the rest that is not enrolled is grey. Shares that do not add up,
 * as while somebody writes them, are drawn as they are: with a gap up to 100%, or beyond it.
 */
export function ShareBar({ ranges, variants, rest }: { ranges: Stretch[]; variants: string[]; rest?: string | null }) {
  const series = useSeries();
  const color = (v: string) => (v === rest ? "var(--line-strong)" : series(Math.max(0, variants.indexOf(v))));
  const present = variants.filter((v) => ranges.some((r) => r.variant === v));
  const points = (v: string) => ranges.filter((r) => r.variant === v).reduce((sum, r) => sum + r.to - r.from, 0);
  const said = present.map((v) => `${v} ${share(points(v))}${v === rest ? " (not enrolled)" : ""}`).join(", ");
  const sum = present.reduce((n, v) => n + points(v), 0);
  const off = sum > ALL ? `, ${share(sum - ALL)} too many` : sum < ALL ? `, ${share(ALL - sum)} missing` : "";
  const full = `${(100 * ALL) / Math.max(ALL, sum)}%`;
  return (
    <div>
      <div className="shares" role="img" aria-label={`Shares: ${said}${off}`}>
        {ranges.map((r) => (
          <span
            key={r.from}
            title={`${r.variant}: ${share(r.from)} to ${share(r.to)}`}
            style={{ flex: `${r.to - r.from} 0 0`, background: color(r.variant) }}
          />
        ))}
        {sum < ALL && <span className="free" title="missing" style={{ flex: `${ALL - sum} 0 0` }} />}
        {sum > ALL && <i className="too-many" title={`${share(sum - ALL)} too many`} style={{ left: full }} />}
      </div>
      <div className="scale" aria-hidden style={{ width: full }}>
        <span>0%</span>
        <span>50%</span>
        <span>100%</span>
      </div>
      <ul className="legend">
        {present.map((v) => (
          <li key={v}>
            <i style={{ background: color(v) }} />
            <span className="strong">{v}</span> {share(points(v))}
            {v === rest && <span className="dim"> not enrolled</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Lines that differ, with a little around them. */
export function Diff({ lines, label }: { lines: Line[]; label: string }) {
  const shown = hunks(lines);
  if (shown.length === 0) return <p className="dim">no difference</p>;
  return (
    <div className="diff" role="region" aria-label={label} tabIndex={0}>
      {shown.map((line, i) =>
        line === null ? (
          <div key={i} className="dim">
            …
          </div>
        ) : (
          <div key={i} data-mark={line.mark}>{`${line.mark} ${unturned(line.text)}`}</div>
        ),
      )}
    </div>
  );
}
