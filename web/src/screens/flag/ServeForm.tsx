//! Web: the form for what is served: one variant, shares that add up, or the rollout that is there.
import { Group, NumberInput, SegmentedControl, Select, Stack, Text } from "@mantine/core";

import type { ServeInput } from "../../api/types";
import { laidOut } from "../../lib/serve";
import { ShareBar } from "../../parts/Words";

type ServeProps = {
  label: string;
  serve: ServeInput;
  variants: string[];
  rollout: boolean;
  onChange: (serve: ServeInput) => void;
};

/** One variant, or shares that add up. */
export function ServeForm({ label, serve, variants, rollout, onChange }: ServeProps) {
  const kinds = [
    { value: "variant", label: "One variant" },
    { value: "split", label: "A split" },
    ...(rollout ? [{ value: "rollout", label: "The rollout" }] : []),
  ];
  const pick = (kind: string) => {
    if (kind === serve.serve) return;
    if (kind === "rollout") return onChange({ serve: "rollout" });
    if (kind === "variant") return onChange({ serve: "variant", variant: variants[0] ?? "" });
    const even = Math.floor(10_000 / variants.length);
    return onChange({
      serve: "split",
      rest: null,
      shares: variants.map((variant, i) => ({
        variant,
        share: i === 0 ? 10_000 - even * (variants.length - 1) : even,
      })),
    });
  };
  return (
    <Stack gap="sm" role="group" aria-label={label}>
      <Group>
        <SegmentedControl aria-label={label} value={serve.serve} onChange={pick} data={kinds} />
      </Group>
      {serve.serve === "variant" && (
        <Select
          aria-label={`${label}: variant`}
          data={variants}
          value={serve.variant}
          w={240}
          allowDeselect={false}
          onChange={(variant) => onChange({ serve: "variant", variant: variant ?? serve.variant })}
        />
      )}
      {serve.serve === "split" && <SplitForm serve={serve} variants={variants} onChange={onChange} />}
      {serve.serve === "rollout" && (
        <Text size="sm" c="dimmed">
          Steered on the tab Rollout and guard.
        </Text>
      )}
    </Stack>
  );
}

function SplitForm({
  serve,
  variants,
  onChange,
}: {
  serve: Extract<ServeInput, { serve: "split" }>;
  variants: string[];
  onChange: (serve: ServeInput) => void;
}) {
  const points = (v: string) => serve.shares.find((s) => s.variant === v)?.share ?? 0;
  const sum = variants.reduce((n, v) => n + points(v), 0);
  const set = (variant: string, percent: number) => {
    // In the order in which they stand, so that the difference shows the numbers and nothing else.
    const named = serve.shares.some((s) => s.variant === variant)
      ? serve.shares
      : [...serve.shares, { variant, share: 0 }];
    const shares = named.map((s) => (s.variant === variant ? { variant, share: Math.round(percent * 100) } : s));
    onChange({ ...serve, shares: shares.filter((s) => s.share > 0 || s.variant === serve.rest) });
  };
  return (
    <>
      <Group gap="sm" align="flex-end">
        {variants.map((v) => (
          <NumberInput
            key={v}
            label={v}
            suffix="%"
            w={120}
            min={0}
            max={100}
            decimalScale={2}
            value={points(v) / 100}
            onChange={(value) => set(v, Number(value) || 0)}
          />
        ))}
        <Select
          label="Not enrolled"
          placeholder="nobody"
          description={undefined}
          data={variants}
          clearable
          clearButtonProps={{ "aria-label": "Everybody is enrolled" }}
          value={serve.rest ?? null}
          w={150}
          onChange={(rest) =>
            onChange({
              ...serve,
              rest,
              shares:
                rest && !serve.shares.some((s) => s.variant === rest)
                  ? [...serve.shares, { variant: rest, share: 0 }]
                  : serve.shares,
            })
          }
        />
      </Group>
      <Text size="sm" c={sum === 10_000 ? "dimmed" : undefined} role="status">
        {sum === 10_000 ? (
          "Shares add up to 100%. Growth takes from those who are not enrolled; whoever has a variant keeps it as long as its share does not shrink."
        ) : (
          <b>
            Shares add up to {sum / 100}%:{" "}
            {sum < 10_000 ? `${(10_000 - sum) / 100}% are missing` : `${(sum - 10_000) / 100}% are too many`}.
          </b>
        )}
      </Text>
      <ShareBar ranges={laidOut(serve.shares, serve.rest)} variants={variants} rest={serve.rest} />
    </>
  );
}
