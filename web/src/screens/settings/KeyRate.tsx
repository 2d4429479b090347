//! Web: how many events a second a key may bring: the field for it, and the dialog that says it of a key that is there.
import { Button, Group, Modal, NumberInput, Stack } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { edit } from "../../api/edits";
import { keys } from "../../api/queries";
import type { KeyView } from "../../api/types";
import { count } from "../../lib/numbers";
import { useChange } from "../../parts/Change";
import { useFocusBack } from "../../parts/focus";
import { Failed } from "../../parts/States";

const MOST = 4_294_967_295;

/** Whether a rate is one: none is, and is as many as the environment takes. */
export const isRate = (rate: number | null) => rate === null || (rate >= 1 && rate <= MOST);

export function RateInput({ value, onChange }: { value: number | null; onChange: (rate: number | null) => void }) {
  return (
    <NumberInput
      label="Events a second"
      description="At most, on the average of 30 seconds. Empty: as many as its environment takes."
      placeholder="as many as come"
      allowDecimal={false}
      allowNegative={false}
      value={value ?? ""}
      error={isRate(value) ? undefined : `1 to ${count(MOST)}; a key that shall bring none is revoked`}
      onChange={(v) => onChange(typeof v === "number" ? v : v === "" ? null : Number(v))}
    />
  );
}

export function LimitKey({ of, close }: { of: KeyView; close: () => void }) {
  const made = useFocusBack();
  const client = useQueryClient();
  const { say } = useChange();
  const [rate, setRate] = useState(of.events_per_second ?? null);
  const [error, setError] = useState<unknown>(null);
  const save = async () => {
    setError(null);
    try {
      await edit.limitKey(of.id, { events_per_second: rate });
      await client.invalidateQueries({ queryKey: keys.queryKey });
      made.current = true;
      say(
        rate === null
          ? `${of.name} may bring as many events as its environment takes`
          : `${of.name} may bring ${count(rate)} events a second`,
      );
      close();
    } catch (e) {
      setError(e);
    }
  };
  return (
    <Modal opened onClose={close} title={`Limit ${of.name}`}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        <Stack gap="md">
          <RateInput value={rate} onChange={setRate} />
          <p className="dim plain-p">
            What comes beyond it is answered 429 with the seconds to wait, and is not stored: SDKs keep it and send it
            again. It holds from the next request on.
          </p>
          {error ? <Failed error={error} /> : null}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={!isRate(rate)}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
