//! Web: one flag in one environment. The switch and the kill switch are on every tab.
import { Button, Group, Switch, Tooltip } from "@mantine/core";
import { IconPower } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useParams, useSearch } from "@tanstack/react-router";
import type { JSX } from "react";

import { flag as flagQuery, schedules } from "../api/queries";
import type { Environment, FlagView } from "../api/types";
import type { Around } from "../lib/around";
import { sorted } from "../lib/planned";
import { servedText } from "../lib/serve";
import { nextStepText } from "../lib/steps";
import { ago } from "../lib/time";
import { ChangeLog } from "../parts/ChangeLog";
import { Page } from "../parts/Page";
import { absent, Empty, Loaded } from "../parts/States";
import { Badge, Note } from "../parts/Words";
import { useEnvironment } from "../shell/environment";
import { useMay } from "../shell/may";
import { useKey } from "../shell/useKey";
import { useAround } from "./around";
import { EnrolmentTab } from "./flag/Enrolment";
import { RolloutTab } from "./flag/Rollout";
import { SettingsTab } from "./flag/About";
import { TargetingTab } from "./flag/Targeting";
import { TryTab } from "./flag/Try";
import { NoSuch } from "./Missing";
import { Scheduled } from "./Scheduled";
import { useToggle } from "./toggle";

const TABS = [
  { key: "targeting", label: "Targeting" },
  { key: "rollout", label: "Rollout" },
  { key: "schedule", label: "Schedule" },
  { key: "enrolment", label: "Enrolment" },
  { key: "try", label: "Try it" },
  { key: "about", label: "Settings" },
  { key: "changes", label: "Changes" },
];

export function FlagScreen(): JSX.Element {
  const { flag: key } = useParams({ from: "/inside/flags/$flag" });
  const { tab } = useSearch({ from: "/inside/flags/$flag" });
  const { here } = useEnvironment();
  const query = useQuery(flagQuery(key));
  const view = query.data;
  const waiting = sorted(useQuery(schedules(here.key, key)).data ?? [], { flag: key }).waiting;
  const around = useAround();
  const tabs = TABS.map((t) =>
    t.key === "schedule" && waiting.length > 0 ? { ...t, label: `Schedule (${waiting.length})` } : t,
  );
  const open = TABS.find((t) => t.key === tab)?.key ?? "targeting";
  if (absent(query)) return <NoSuch what="flag" name={key} error={query.error} />;
  return (
    <Page
      name={view?.flag.name || key}
      title={
        <>
          {view?.flag.name || key} {view?.flag.archived && <Badge tone="off">archived</Badge>}
        </>
      }
      code={key}
      above={{ label: "Flags", to: "/flags" }}
      state={
        view ? (
          <>
            {stands(view, here, around(view, here.key))} {stepOf(view, here)} Changed {ago(view.changed)} by{" "}
            {view.changed_by.name}.{waiting[0] && ` Scheduled: ${waiting[0].sentence}, ${ago(waiting[0].schedule.at)}.`}
          </>
        ) : undefined
      }
      actions={view ? <Actions view={view} /> : undefined}
      tabs={{ all: tabs, open, label: `Views of ${key}` }}
    >
      <Loaded query={query}>
        {(v) => {
          if (open === "changes") return <ChangeLog about={{ flag: key }} />;
          if (open === "about") return <SettingsTab view={v} />;
          const setting = v.flag.settings[here.key];
          if (!setting)
            return (
              <Empty
                title={`Not in ${here.name}`}
                why="This flag was made before the environment. It can be made there over the API."
              />
            );
          const left = v.left_out[here.key];
          return (
            <>
              {left && open === "targeting" && (
                <div style={{ marginBottom: 16 }}>
                  <Note tone="warn">
                    <p>
                      Local evaluation by Amplitude SDKs leaves this flag out: {left}. Remote evaluation and OFREP carry
                      it exactly.
                    </p>
                  </Note>
                </div>
              )}
              {open === "rollout" ? (
                <RolloutTab view={v} setting={setting} here={here} />
              ) : open === "schedule" ? (
                <Scheduled
                  key={here.key}
                  of={{ flag: key, setting }}
                  variants={v.flag.variants.map((one) => one.key)}
                  here={here}
                />
              ) : open === "enrolment" ? (
                <EnrolmentTab view={v} setting={setting} here={here} />
              ) : open === "try" ? (
                <TryTab view={v} here={here} />
              ) : (
                <TargetingTab key={`${here.key} ${v.flag.key}`} view={v} setting={setting} here={here} />
              )}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

/** Where a flag stands in an environment, as a sentence. */
function stands({ flag }: FlagView, here: Environment, around: Around | undefined): string {
  const setting = flag.settings[here.key];
  if (flag.archived) return "Archived: programs get the default in their code.";
  if (!setting) return `Not in ${here.name}.`;
  const word = setting.on ? "On" : "Off";
  return around ? `${word} in ${here.name}: ${servedText(setting, around)}.` : `${word} in ${here.name}.`;
}

/** The next step of its rollout, where that comes by itself. */
function stepOf({ flag, waiting }: FlagView, here: Environment): string {
  const setting = flag.settings[here.key];
  if (flag.archived || setting?.default.serve !== "rollout") return "";
  return nextStepText(setting.default.rollout, setting.on, waiting[here.key]);
}

function Actions({ view }: { view: FlagView }) {
  const { here } = useEnvironment();
  const toggle = useToggle();
  const may = useMay("editor");
  const on = toggle.shows(view, here.key);
  const able = may.allowed && view.flag.settings[here.key] !== undefined && !view.flag.archived;
  useKey("k", () => {
    if (able && on) void toggle.ask(view, here, true);
  });
  if (view.flag.archived || !view.flag.settings[here.key]) return null;
  return (
    <Group gap="md" wrap="nowrap">
      <Tooltip label="Turns it off at once: K, then Enter" disabled={!able || !on}>
        <Button
          title={may.allowed ? undefined : may.reason}
          variant="default"
          leftSection={<IconPower size={16} aria-hidden />}
          disabled={!able || !on}
          onClick={() => void toggle.ask(view, here, true)}
          aria-keyshortcuts="K"
        >
          Kill switch
        </Button>
      </Tooltip>
      <span title={may.allowed ? undefined : may.reason}>
        <Switch
          size="md"
          checked={on}
          disabled={!able}
          onChange={() => void toggle.ask(view, here)}
          withThumbIndicator={false}
          label={<span className="strong">{on ? "On" : "Off"}</span>}
          aria-label={`${view.flag.key} in ${here.name}`}
        />
      </span>
    </Group>
  );
}
