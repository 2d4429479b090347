//! Web: what somebody has begun to write and not saved is not lost by a click beside it. Forms say that they hold such a
//! draft; whoever leaves one is asked, by the page for another page, tab or environment, by the browser for a reload.
import { Button, Group, Modal, Text } from "@mantine/core";
import { useBlocker } from "@tanstack/react-router";
import { useEffect, type JSX } from "react";

/** The forms that hold a draft. */
const drafts = new Set<symbol>();

/** Says that the form in which it is called holds a draft, as long as `changed`. Whoever has just saved it and leads
 * elsewhere goes there with `ignoreBlocker`. */
export function useUnsaved(changed: boolean): void {
  useEffect(() => {
    if (!changed) return undefined;
    const draft = Symbol();
    drafts.add(draft);
    return () => void drafts.delete(draft);
  }, [changed]);
}

type Place = { pathname: string; search: { tab?: string; env?: string } };

/** Whether a form that is shown in one place is gone in the other. */
function leaves(from: Place, to: Place): boolean {
  return from.pathname !== to.pathname || from.search.tab !== to.search.tab || from.search.env !== to.search.env;
}

export function Unsaved(): JSX.Element {
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => drafts.size > 0 && leaves(current, next),
    enableBeforeUnload: () => drafts.size > 0,
    withResolver: true,
  });
  return (
    <Modal
      opened={blocker.status === "blocked"}
      onClose={() => blocker.reset?.()}
      title="Leave without saving?"
      closeButtonProps={{ "aria-label": "Stay" }}
    >
      <Text size="sm">What you wrote here is not saved, and will be gone.</Text>
      <Group justify="flex-end" mt="md" gap="xs">
        <Button variant="default" data-autofocus onClick={() => blocker.reset?.()}>
          Stay
        </Button>
        <Button color="red.9" onClick={() => blocker.proceed?.()}>
          Leave
        </Button>
      </Group>
    </Modal>
  );
}
