//! Web: the frame of every page: where it is, what it is, one sentence of state, the primary action,
//! and tabs that are links.
import { Title } from "@mantine/core";
import { Link, type LinkProps } from "@tanstack/react-router";
import { useEffect, type ReactNode } from "react";

/** A view of the page's subject; the address says which one is open. */
export type Tab = { key: string; label: string };

type Props = {
  title: ReactNode;
  /** For the window's title, where `title` is more than text. */
  name?: string;
  state?: ReactNode;
  above?: { label: string; to: LinkProps["to"] };
  actions?: ReactNode;
  tabs?: { all: Tab[]; open: string; label: string };
  children: ReactNode;
};

export function Page({ title, name, state, above, actions, tabs, children }: Props) {
  const said = name ?? (typeof title === "string" ? title : "");
  useEffect(() => {
    document.title = said ? `${said} · Bellwether` : "Bellwether";
  }, [said]);
  return (
    <div className="page">
      {above && (
        <div className="crumb">
          <Link to={above.to} activeOptions={{ exact: true }}>
            {above.label}
          </Link>{" "}
          /
        </div>
      )}
      <header>
        <div className="grow">
          <Title order={1}>{title}</Title>
          {state && <p className="state">{state}</p>}
        </div>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {tabs && (
        <nav className="tabs" aria-label={tabs.label}>
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
      )}
      {children}
    </div>
  );
}

/** A part of a page with its own heading. */
export function Section({ title, about, children }: { title: ReactNode; about?: ReactNode; children: ReactNode }) {
  return (
    <section className="section">
      <Title order={2}>{title}</Title>
      {about && <p>{about}</p>}
      {children}
    </section>
  );
}
