//! Web: the frame of every page: where it is, what it is, one sentence of state, the primary action,
//! and tabs that are links.
import { CopyButton, Title } from "@mantine/core";
import { IconCheck, IconChevronLeft, IconChevronRight, IconCopy } from "@tabler/icons-react";
import { Link, useSearch, type LinkProps } from "@tanstack/react-router";
import { useEffect, useRef, useState, type ReactNode, type RefObject } from "react";

import { nameText, unturned } from "../lib/sent";
import { Note } from "./Words";

/** A view of the page's subject; the address says which one is open. */
export type Tab = { key: string; label: string };

/** A text as it is shown, whatever senders wrote in it. */
const shown = (text: ReactNode) => (typeof text === "string" ? unturned(text) : text);

type Props = {
  title: ReactNode;
  /** For the window's title, where `title` is more than text. */
  name?: string;
  /** The key by which code and the API know it, to copy. */
  code?: string;
  state?: ReactNode;
  above?: { label: string; to: LinkProps["to"] };
  actions?: ReactNode;
  tabs?: { all: Tab[]; open: string; label: string };
  children: ReactNode;
};

export function Page({ title, name, code, state, above, actions, tabs, children }: Props) {
  const said = name ?? (typeof title === "string" ? title : "");
  useEffect(() => {
    document.title = said ? `${nameText(said)} · Bellwether` : "Bellwether";
  }, [said]);
  // On a narrow page the open one may stand beyond the edge.
  const strip = useRef<HTMLElement>(null);
  const beyond = useBeyond(strip, tabs?.all.map((t) => t.label).join());
  const open = tabs?.open;
  const { tab: asked } = useSearch({ strict: false }) as { tab?: string };
  const unknown = tabs && asked !== undefined && !tabs.all.some((t) => t.key === asked) ? asked : undefined;
  useEffect(() => {
    const one = strip.current?.querySelector<HTMLElement>('[aria-current="page"]');
    if (!strip.current || !one) return;
    const middle = one.offsetLeft - strip.current.offsetLeft + one.offsetWidth / 2;
    strip.current.scrollLeft = middle - strip.current.clientWidth / 2;
  }, [open]);
  return (
    <div className="page">
      {above && (
        <div className="crumb">
          <Link to={above.to} activeOptions={{ exact: true }}>
            {above.label}
          </Link>
        </div>
      )}
      <header>
        <div className="grow">
          <Title order={1}>{shown(title)}</Title>
          {code && <Copied text={code} />}
          {state && <p className="state">{shown(state)}</p>}
        </div>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {tabs && (
        <div className="tab-strip">
          {beyond.left && <Beyond way="left" strip={strip} />}
          <nav className="tabs" aria-label={tabs.label} ref={strip}>
            {tabs.all.map((tab, i) => (
              <Link
                key={tab.key}
                to="."
                search={(old) => ({ ...old, tab: i === 0 ? undefined : tab.key })}
                activeOptions={{ explicitUndefined: true }}
              >
                {tab.label}
              </Link>
            ))}
          </nav>
          {beyond.right && <Beyond way="right" strip={strip} />}
        </div>
      )}
      {unknown !== undefined && (
        <div style={{ marginBottom: 16 }}>
          <Note tone="warn">
            <p role="status">
              There is no view “{unknown}” here, so that this is {tabs?.all.find((t) => t.key === open)?.label}. The
              link may be misspelt or older than the page.
            </p>
          </Note>
        </div>
      )}
      {children}
    </div>
  );
}

/** Whether there are tabs beyond the edges of what is seen of a strip of them; asked anew where `labels` change. */
function useBeyond(
  strip: RefObject<HTMLElement | null>,
  labels: string | undefined,
): { left: boolean; right: boolean } {
  const [beyond, setBeyond] = useState({ left: false, right: false });
  useEffect(() => {
    const { current } = strip;
    if (!current) return;
    const look = () => {
      const left = current.scrollLeft > 1;
      const right = current.scrollLeft + current.clientWidth < current.scrollWidth - 1;
      setBeyond((was) => (was.left === left && was.right === right ? was : { left, right }));
    };
    look();
    current.addEventListener("scroll", look, { passive: true });
    const sizes = new ResizeObserver(look);
    sizes.observe(current);
    return () => {
      current.removeEventListener("scroll", look);
      sizes.disconnect();
    };
  }, [strip, labels]);
  return beyond;
}

/** Shows that there are more tabs, and goes to them. The keyboard reaches them anyway. */
function Beyond({ way, strip }: { way: "left" | "right"; strip: RefObject<HTMLElement | null> }) {
  const Icon = way === "left" ? IconChevronLeft : IconChevronRight;
  return (
    <button
      type="button"
      className="beyond"
      data-way={way}
      tabIndex={-1}
      aria-label={`More views to the ${way}`}
      onClick={() => strip.current?.scrollBy({ left: (way === "left" ? -0.7 : 0.7) * strip.current.clientWidth })}
    >
      <Icon size={16} aria-hidden />
    </button>
  );
}

/** A key that is copied with one press. */
function Copied({ text }: { text: string }) {
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <button type="button" className="code-key mono" onClick={copy} aria-label={`Copy the key ${text}`}>
          {text}
          {copied ? <IconCheck size={13} aria-hidden /> : <IconCopy size={13} aria-hidden />}
          <span className="sr" role="status">
            {copied ? "Copied" : ""}
          </span>
        </button>
      )}
    </CopyButton>
  );
}

/** A part of a page with its own heading. */
export function Section({ title, about, children }: { title: ReactNode; about?: ReactNode; children: ReactNode }) {
  return (
    <section className="section">
      <Title order={2}>{shown(title)}</Title>
      {about && <p>{about}</p>}
      {children}
    </section>
  );
}
