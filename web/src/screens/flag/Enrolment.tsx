//! Web: who may come into the default's split of a flag in one environment: limits by share and by number, and whether
//! whoever came in keeps their variant; how full it is, and what the limits mean for SDKs that evaluate by themselves.
import { Button, Group, NumberInput, Switch } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import { edit } from "../../api/edits";
import type { Enrolled, Environment, FlagView, Setting } from "../../api/types";
import { asDraft, asEdit, limitsText, remembers } from "../../lib/enrolment";
import { capital } from "../../lib/spoken";
import { moment } from "../../lib/time";
import { useDraft } from "../../parts/draft";
import { Section } from "../../parts/Page";
import { Said } from "../../parts/States";
import { Badge, Note, Verdict } from "../../parts/Words";
import { useMay } from "../../shell/may";
import { NowThen } from "../toggle";
import { formatName } from "./Formats";
import { useSteer } from "./steer";

type Props = { view: FlagView; setting: Setting; here: Environment };

export function EnrolmentTab(props: Props) {
  const { view, setting, here } = props;
  const enrolled = view.enrolled[here.key];
  return (
    <>
      <Section
        title={`Who may be enrolled in ${here.name}`}
        about={`${capital(limitsText(setting.enrolment ?? {}, view.flag.unit))}. Limits hold for the split or the rollout of the default; single ids, betas and rules come before it.`}
      >
        {setting.default.serve === "variant" && (
          <div style={{ marginBottom: 16 }}>
            <Note>
              <p>
                The default gives everybody “{setting.default.variant}”: there is nothing to be enrolled in until it
                divides, by a{" "}
                <Link to="." search={(old) => ({ ...old, tab: undefined })}>
                  split
                </Link>{" "}
                or a{" "}
                <Link to="." search={(old) => ({ ...old, tab: "rollout" })}>
                  rollout
                </Link>
                .
              </p>
            </Note>
          </div>
        )}
        {enrolled && <Filled enrolled={enrolled} />}
        <Limits key={`${view.flag.key} ${here.key}`} {...props} />
      </Section>
      <Carried view={view} setting={setting} here={here} />
    </>
  );
}

/** How many are enrolled of how many may be, in the server's words; its time is told like every other here. */
function Filled({ enrolled: { closed, sentence, settles } }: { enrolled: Enrolled }) {
  const [said = "", ...more] = sentence.replace(/ until \d{4}-\S+Z/, ` until ${moment(settles)}`).split("; ");
  return (
    <div style={{ marginBottom: 16 }}>
      <Verdict label="Enrolled" tone={closed ? "warn" : "plain"} say={capital(said)}>
        {more.map((part) => (
          <p key={part} className="dim">
            {capital(part)}.
          </p>
        ))}
        {closed && (
          <p className="dim">Whoever is enrolled stays; everybody else is served as if they were not in the split.</p>
        )}
      </Verdict>
    </div>
  );
}

function Limits({ view, setting, here }: Props) {
  const key = view.flag.key;
  const { unit } = view.flag;
  const may = useMay("editor");
  const steer = useSteer({ view, here });
  const shown = { revision: view.revision, limits: asDraft(setting.enrolment ?? {}) };
  const { draft, from, old, changed, set, discard } = useDraft(shown, ({ limits }) => limits);
  const loses = remembers(draft) && !remembers(old);
  const waits = setting.default.serve === "variant";
  const save = async () => {
    const made = await steer({
      title: `Change who may be enrolled by ${key} in ${here.name}?`,
      confirm: "Save",
      why: here.production ? "" : "changed in the page",
      moves: (
        <>
          <NowThen from={limitsText(old, unit)} to={limitsText(draft, unit)} />
          {loses && <Leaves waits={waits} />}
          {!remembers(draft) && remembers(old) && (
            <p className="dim">Who was enrolled is not asked any more: everybody is placed by the shares alone.</p>
          )}
        </>
      ),
      run: (why) => edit.enrolment(key, { environment: here.key, ...asEdit(draft), why, if_revision: from.revision }),
      undo: (because) => edit.enrolment(key, { environment: here.key, ...asEdit(old), ...because }),
      done: `${key} has other limits in ${here.name}`,
      discard,
    });
    if (made) discard();
  };
  return (
    <form
      className="form"
      aria-label="Limits of enrolment"
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <div className="fields">
        <NumberInput
          label="At most this share of everybody"
          description="A split or a rollout beyond it is refused."
          placeholder="no limit"
          suffix="%"
          min={0.01}
          max={100}
          decimalScale={2}
          value={draft.share == null ? "" : draft.share / 100}
          onChange={(v) => set({ share: v === "" ? undefined : Math.round(Number(v) * 100) })}
        />
        <NumberInput
          label={`At most so many ${unit}s`}
          description="Then enrolment closes; the enrolled stay."
          placeholder="no limit"
          min={1}
          max={1_000_000}
          clampBehavior="strict"
          allowNegative={false}
          allowDecimal={false}
          thousandSeparator=" "
          value={draft.units ?? ""}
          onChange={(v) => set({ units: v === "" || Number(v) < 1 ? undefined : Number(v) })}
        />
      </div>
      <Switch
        withThumbIndicator={false}
        label="Whoever is enrolled keeps their variant"
        description="Also when shares change, and when an anonymous visitor signs in."
        checked={draft.sticky ?? false}
        onChange={(e) => set({ sticky: e.currentTarget.checked || undefined })}
      />
      {changed && loses && (
        <Note tone="warn">
          <Leaves waits={waits} />
        </Note>
      )}
      <Group gap="sm">
        <Button type="submit" disabled={!may.allowed || !changed} title={may.allowed ? undefined : may.reason}>
          {here.production ? "Review and save" : "Save"}
        </Button>
        {changed && (
          <Button variant="default" onClick={discard}>
            Discard
          </Button>
        )}
      </Group>
    </form>
  );
}

/** What a limit that the server remembers costs; while the default serves one variant there is nothing to remember. */
function Leaves({ waits }: { waits: boolean }) {
  return (
    <p>
      <b>{waits ? "Once the default divides, SDKs" : "SDKs"} that evaluate by themselves lose this flag:</b> only a
      server remembers who was enrolled. They get the default in their code; whoever asks the server (OFREP,
      Amplitude&apos;s remote evaluation) gets it as before.
    </p>
  );
}

/** Which SDKs that evaluate by themselves get the flag here, as it is served now. */
function Carried({ view, setting, here }: Props) {
  const formats = view.formats[here.key] ?? [];
  return (
    <Section
      title="What it means for SDKs"
      about={
        remembers(setting.enrolment ?? {})
          ? setting.default.serve === "variant"
            ? "There is nothing to remember yet. Once the default divides, only those who ask the server get this flag."
            : "The server remembers who was enrolled: only those who ask it get this flag."
          : "Nothing here needs a memory: SDKs that evaluate by themselves can hold the limit by share."
      }
    >
      {view.flag.archived || formats.length === 0 ? (
        <p className="dim">No format carries it here.</p>
      ) : (
        <ul className="plain carried" aria-label="Formats">
          {formats.map((f) => (
            <li key={f.format}>
              <span className="strong">{formatName(f.format)}</span>{" "}
              {f.carried ? <Badge tone="accent">carried exactly</Badge> : <Badge tone="warn">left out</Badge>}
              {f.why && (
                <div className="under">
                  <Said>{capital(f.why)}</Said>
                </div>
              )}
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}
