//! Web: a candidate on its way from nobody to everybody: where it stands, what comes next, and how it is steered.
import { Button, Group, NumberInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { edit } from "../../api/edits";
import { betas, schedules } from "../../api/queries";
import type { Environment, FlagView, Rollout, Setting } from "../../api/types";
import { holding } from "../../lib/beta";
import { share } from "../../lib/numbers";
import { writeSpan } from "../../lib/span";
import { capital } from "../../lib/spoken";
import { rowsOf, stepsOf, stepsText, wrongStep } from "../../lib/steps";
import { ago, now as clock } from "../../lib/time";
import { future, lateBecause, shareOf } from "../../lib/timeline";
import { Section } from "../../parts/Page";
import { Said } from "../../parts/States";
import { Note, ShareBar, Verdict } from "../../parts/Words";
import { useMay } from "../../shell/may";
import { Reach } from "../toggle";
import { Watched } from "./Guard";
import { StartRollout } from "./StartRollout";
import { StepRows } from "./StepRows";
import { useSteer } from "./steer";
import { Timeline } from "./Timeline";

type Props = { view: FlagView; setting: Setting; here: Environment };

export function RolloutTab(props: Props) {
  const { setting } = props;
  const serves = setting.default;
  const [again, setAgain] = useState(false);
  if (serves.serve !== "rollout") return <StartRollout {...props} />;
  const over = serves.rollout.state.state !== "widening";
  return (
    <>
      <Running {...props} rollout={serves.rollout} />
      {over && !again && (
        <Button variant="default" onClick={() => setAgain(true)}>
          Start another rollout
        </Button>
      )}
      {over && again && <StartRollout {...props} />}
    </>
  );
}

const SHARES = [1, 5, 10, 25, 50, 100];

/** What comes next by itself, as a sentence; `null` where somebody has to act. */
function nextText({ ramp, state }: Rollout, on: boolean): string | null {
  const next = ramp?.steps[ramp.taken];
  if (!ramp || !next || state.state !== "widening") return null;
  if (ramp.pace.pace === "paused")
    return `Paused: ${share(next.share)} would come ${writeSpan(ramp.pace.left)} after it is resumed.`;
  if (ramp.pace.pace !== "due") return null;
  const held = writeSpan(ramp.steps[ramp.taken - 1]?.hold ?? 0);
  const wide = next.share === 10_000 ? "everybody" : share(next.share);
  return on
    ? `${capital(wide)} is expected ${ago(ramp.pace.at)}.`
    : `The ramp stands still: ${wide} comes ${held} after it is turned on.`;
}

function Running({ view, setting, here, rollout }: Props & { rollout: Rollout }) {
  const { candidate, control, state, ramp } = rollout;
  const [stepping, setStepping] = useState(false);
  const plans = useQuery(schedules(here.key, view.flag.key)).data ?? [];
  const halted = state.state === "halted";
  const has = rollout.split.ranges.filter((r) => r.variant === candidate).reduce((n, r) => n + r.to - r.from, 0);
  const next = nextText(rollout, setting.on);
  const late = lateBecause(view, here.key);
  const ends = future(rollout, setting.on, plans, clock()).at(-1);
  return (
    <>
      <Section
        title={
          <>
            “{candidate}” instead of “{control}”
          </>
        }
        about={
          state.state === "widening"
            ? `${share(has)} ${setting.on ? "get" : "would get"} “${candidate}” since ${ago(rollout.epoch_began)}; the rollout began ${ago(rollout.started)}.`
            : halted
              ? `Halted ${ago(state.at)}: “${control}” is served instead.`
              : `Finished ${ago(state.at)}: “${candidate}” is served instead.`
        }
      >
        {halted && (
          <div style={{ marginBottom: 16 }}>
            <Verdict label="Halt" tone="bad" say="When it halted">
              <p className="dim">
                <Said>{state.because}</Said>
              </p>
            </Verdict>
          </div>
        )}
        {state.state === "widening" && ramp?.pace.pace === "paused" && (
          <div style={{ marginBottom: 16 }}>
            <Verdict label="Pause" tone="warn" say="The ramp is paused">
              <p className="dim">{next ?? "No step is to come."} Everybody keeps what they have.</p>
            </Verdict>
          </div>
        )}
        {!setting.on && (
          <p>
            <b>The flag is off:</b> nobody is in the rollout until it is turned on.
          </p>
        )}
        {setting.on && late && next && (
          <div style={{ marginBottom: 16 }}>
            <Verdict label="Late" tone="warn" say="Its next step is due, and waits">
              <p className="dim">
                <Said>{capital(late)}</Said>
              </p>
            </Verdict>
          </div>
        )}
        {next && ramp?.pace.pace === "due" && (
          <p className="next">
            {next}
            {ends?.event === "finished" && ends.at > ramp.pace.at && ` Everybody is expected ${ago(ends.at)}.`}
          </p>
        )}
        {state.state === "done" ? null : (
          <div data-past={halted ? "" : undefined} className="now">
            {halted && <p className="dim label">Before the halt</p>}
            <ShareBar
              ranges={rollout.split.ranges}
              variants={view.flag.variants.map((v) => v.key)}
              rest={rollout.split.rest === control ? null : rollout.split.rest}
            />
          </div>
        )}
        {stepping && state.state === "widening" ? (
          <Steps {...{ view, setting, here, rollout }} close={() => setStepping(false)} />
        ) : (
          <Actions {...{ view, setting, here, rollout }} has={has} step={() => setStepping(true)} />
        )}
      </Section>
      <Timeline view={view} setting={setting} here={here} rollout={rollout} />
      {rollout.guard ? (
        <Watched view={view} here={here} state={state.state} />
      ) : (
        <Section title="Guard">
          <p>
            No guard {state.state === "widening" ? "watches" : "watched"} this rollout. The next one can name a metric
            that must not get worse.
          </p>
        </Section>
      )}
    </>
  );
}

type SteerProps = Props & { rollout: Rollout };

/** Whom a halt or its end moves, and whom it leaves as they are: the audience of a beta that is on. */
function Moved({ view, setting, here }: Props) {
  const shown = holding(useQuery(betas()).data ?? [], view.flag.key, here.key);
  return (
    <>
      {!setting.on && <p>The flag is off: nobody is moved until it is turned on.</p>}
      {shown.length > 0 && (
        <Note tone="warn">
          <p>
            The audience of beta {shown.join(", ")} is not in the rollout: it keeps the beta&apos;s variant. Turn the
            beta off as well, if it should not.
          </p>
        </Note>
      )}
      {setting.on && <Reach view={view} environment={here.key} />}
    </>
  );
}

function Actions({ view, setting, here, rollout, has, step }: SteerProps & { has: number; step: () => void }) {
  const key = view.flag.key;
  const may = useMay("editor");
  const steer = useSteer({ view, here });
  const { candidate, control, state, ramp } = rollout;
  const paired = rollout.split.rest != null && rollout.split.rest !== control;
  const most = paired ? 50 : 100;
  const [wanted, setWanted] = useState<number>(SHARES.find((s) => s * 100 > has) ?? 100);
  const base = { environment: here.key };
  const automatic = (word: string) => (here.production ? "" : `${word} in the page`);
  const barred = { disabled: !may.allowed, title: may.allowed ? undefined : may.reason };
  const dropped = ramp && ramp.pace.pace !== "ended" && state.state === "widening";
  const paused = ramp?.pace.pace === "paused";
  const run = { ...base, if_revision: view.revision };
  const halt = (
    <Button
      variant="default"
      {...barred}
      onClick={() =>
        void steer({
          title: `Halt the rollout of “${candidate}” in ${here.name}?`,
          confirm: "Halt",
          danger: true,
          why: automatic("halted"),
          moves: (
            <>
              <p style={{ marginTop: 0 }}>
                {state.state === "done" ? "Everybody goes" : `${share(has)} go`} back to <b>{control}</b> at once.
              </p>
              <Moved {...{ view, setting, here }} />
            </>
          ),
          // Like the kill switch it is never refused as late.
          run: (why) => edit.halt(key, { ...base, why }),
          undo: (because) =>
            state.state === "done"
              ? edit.finish(key, { ...base, ...because })
              : edit.resume(key, { ...base, ...because }),
          done: `The rollout of “${candidate}” is halted in ${here.name}`,
        })
      }
    >
      Halt
    </Button>
  );
  if (state.state === "done")
    return (
      <Group gap="xs" mt="md">
        {halt}
      </Group>
    );
  if (state.state === "halted")
    return (
      <Group gap="xs" mt="md">
        <Button
          variant="default"
          {...barred}
          onClick={() =>
            void steer({
              title: `Resume the rollout of “${candidate}” in ${here.name}?`,
              confirm: "Resume",
              why: automatic("resumed"),
              moves: (
                <>
                  <p style={{ marginTop: 0 }}>
                    {share(has)} get <b>{candidate}</b> again; the guard starts anew
                    {ramp && ramp.pace.pace !== "ended" ? ", and the step is held for its whole time" : ""}.
                  </p>
                  <Moved {...{ view, setting, here }} />
                </>
              ),
              run: (why) => edit.resume(key, { ...run, why }),
              undo: (because) => edit.halt(key, { ...base, ...because }),
              done: `The rollout of “${candidate}” goes on in ${here.name}`,
            })
          }
        >
          Resume
        </Button>
      </Group>
    );
  return (
    <div className="steering">
      <Group gap="xs" align="flex-end">
        <NumberInput
          label="Candidate's next share"
          suffix="%"
          min={0.01}
          max={most}
          decimalScale={2}
          w={170}
          value={wanted}
          onChange={(v) => setWanted(Number(v) || 0)}
        />
        <Button
          {...barred}
          disabled={!may.allowed || wanted <= 0 || wanted > most || wanted * 100 === has}
          onClick={() =>
            void steer({
              title: `${wanted * 100 > has ? "Widen" : "Narrow"} “${candidate}” to ${wanted}% in ${here.name}?`,
              confirm: `Set to ${wanted}%`,
              why: automatic(wanted * 100 > has ? "widened" : "narrowed"),
              moves: (
                <>
                  <p style={{ margin: 0 }}>
                    {share(has)} now, {wanted}% then.{" "}
                    {wanted * 100 > has
                      ? "Whoever has it keeps it."
                      : `Some who have ${candidate} go back to ${control}.`}
                  </p>
                  {dropped && (
                    <div style={{ marginTop: 8 }}>
                      <Note tone="warn">
                        <p>A share that is set by hand ends the ramp: its other steps do not come.</p>
                      </Note>
                    </div>
                  )}
                </>
              ),
              run: (why) => edit.widen(key, { ...run, share: Math.round(wanted * 100), why }),
              undo: dropped ? undefined : (because) => edit.widen(key, { ...base, share: has, ...because }),
              done: `“${candidate}” is at ${wanted}% in ${here.name}`,
            })
          }
        >
          {wanted * 100 >= has ? "Widen" : "Narrow"}
        </Button>
      </Group>
      <Group gap="xs">
        {paused ? (
          <Button
            variant="default"
            {...barred}
            onClick={() =>
              void steer({
                title: `Let the ramp of “${candidate}” go on in ${here.name}?`,
                confirm: "Resume",
                why: automatic("resumed"),
                moves: <p style={{ margin: 0 }}>What was left of the hold is waited for, then the next step comes.</p>,
                run: (why) => edit.resume(key, { ...run, why }),
                undo: (because) => edit.pause(key, { ...base, ...because }),
                done: `The ramp of “${candidate}” goes on in ${here.name}`,
              })
            }
          >
            Resume
          </Button>
        ) : (
          dropped && (
            <Button
              variant="default"
              {...barred}
              onClick={() =>
                void steer({
                  title: `Pause the ramp of “${candidate}” in ${here.name}?`,
                  confirm: "Pause",
                  why: automatic("paused"),
                  moves: (
                    <p style={{ margin: 0 }}>
                      It stays at {share(has)}: everybody keeps what they have until it is resumed.
                    </p>
                  ),
                  run: (why) => edit.pause(key, { ...run, why }),
                  undo: (because) => edit.resume(key, { ...base, ...because }),
                  done: `The ramp of “${candidate}” is paused in ${here.name}`,
                })
              }
            >
              Pause
            </Button>
          )
        )}
        {!paired && has < 10_000 && (
          <Button variant="default" {...barred} onClick={step}>
            {dropped ? "Change the steps" : "Widen by steps"}
          </Button>
        )}
        <Button
          variant="default"
          {...barred}
          onClick={() =>
            void steer({
              title: `Give “${candidate}” to everybody in ${here.name}?`,
              confirm: "Finish",
              why: automatic("finished"),
              moves: (
                <p style={{ margin: 0 }}>
                  {share(has)} now, everybody then. {rollout.guard ? "The guard stops watching." : ""}
                </p>
              ),
              run: (why) => edit.finish(key, { ...run, why }),
              done: `“${candidate}” is served to everybody in ${here.name}`,
            })
          }
        >
          Finish
        </Button>
        {halt}
      </Group>
    </div>
  );
}

/** The form for the steps from now on. */
function Steps({ view, here, rollout, close }: SteerProps & { close: () => void }) {
  const key = view.flag.key;
  const steer = useSteer({ view, here });
  const has = shareOf(rollout);
  const { ramp, candidate } = rollout;
  const left = ramp && ramp.pace.pace !== "ended" ? ramp.steps.slice(Math.max(0, ramp.taken - 1)) : [];
  const [rows, setRows] = useState(
    left.length > 1
      ? rowsOf(left)
      : [
          { percent: has / 100, hold: "1d" },
          { percent: 100, hold: "" },
        ],
  );
  const steps = stepsOf(rows);
  const base = { environment: here.key };
  const save = async (to: typeof steps) => {
    const made = await steer({
      title:
        to.length > 0 ? `Widen “${candidate}” by these steps in ${here.name}?` : `Take the steps away in ${here.name}?`,
      confirm: to.length > 0 ? "Set the steps" : "Take them away",
      why: here.production ? "" : "changed the steps in the page",
      moves: (
        <p style={{ margin: 0 }}>
          {to.length > 0
            ? `From now: ${stepsText(to)}. Whoever has it keeps it.`
            : `It stays at ${share(has)} until somebody widens it.`}
        </p>
      ),
      run: (why) => edit.ramp(key, { ...base, steps: to, why, if_revision: view.revision }),
      undo:
        left.length > 1 && (to[0]?.share ?? has) === has
          ? (because) => edit.ramp(key, { ...base, steps: left, ...because })
          : undefined,
      done:
        to.length > 0 ? `“${candidate}” widens by new steps in ${here.name}` : `“${candidate}” has no steps any more`,
    });
    if (made) close();
  };
  return (
    <form
      className="form steps-form"
      aria-label="Steps of the rollout"
      onSubmit={(e) => {
        e.preventDefault();
        void save(steps);
      }}
    >
      <StepRows rows={rows} onChange={setRows} least={has} />
      <Group gap="xs">
        <Button type="submit" disabled={wrongStep(rows, has) !== null || rows.length < 2}>
          {here.production ? "Review and set" : "Set the steps"}
        </Button>
        {left.length > 1 && (
          <Button variant="default" onClick={() => void save([])}>
            Take the steps away
          </Button>
        )}
        <Button variant="default" onClick={close}>
          Discard
        </Button>
      </Group>
    </form>
  );
}
