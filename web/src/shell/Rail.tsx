//! Web: the rail, on wide screens a column that folds to icons, on narrow ones the inside of a drawer.
import { Tooltip } from "@mantine/core";
import { IconLayoutSidebarLeftCollapse, IconLayoutSidebarLeftExpand } from "@tabler/icons-react";
import { Link, useLocation } from "@tanstack/react-router";

import { PLACES } from "./pages";

type Props = { narrow: boolean; fold?: () => void; onPick?: () => void };

export function Rail({ narrow, fold, onPick }: Props) {
  const { pathname } = useLocation();
  const Fold = narrow ? IconLayoutSidebarLeftExpand : IconLayoutSidebarLeftCollapse;
  return (
    <>
      <Link to="/" className="brand" onClick={onPick} aria-label="Bellwether, home">
        <img src="/favicon.svg" alt="" />
        <span className="word">Bellwether</span>
      </Link>
      <nav aria-label="Pages">
        {PLACES.map(({ to, label, icon: Icon }) => {
          const here = to === "/" ? pathname === "/" : pathname === to || pathname.startsWith(`${to}/`);
          return (
            <Tooltip key={to} label={label} position="right" disabled={!narrow}>
              <Link
                to={to}
                className="rail-link"
                aria-current={here ? "page" : undefined}
                aria-label={label}
                onClick={onPick}
              >
                <Icon size={18} stroke={1.6} aria-hidden />
                <span className="word">{label}</span>
              </Link>
            </Tooltip>
          );
        })}
      </nav>
      {fold && (
        <div className="rail-foot">
          <button
            type="button"
            className="rail-button"
            onClick={fold}
            aria-label={narrow ? "Unfold the rail" : "Fold the rail"}
            aria-expanded={!narrow}
          >
            <Fold size={18} stroke={1.6} aria-hidden />
            <span className="word">Fold</span>
          </button>
        </div>
      )}
    </>
  );
}
