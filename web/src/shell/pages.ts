//! Web: the pages of the rail, in the order of the loop. Only what exists.
import {
  IconChartLine,
  IconFlag3,
  IconHandStop,
  IconHistory,
  IconHome,
  IconLayoutColumns,
  IconListCheck,
  IconRuler2,
  IconScale,
  IconSettings,
  IconStack2,
  IconTestPipe,
  IconUsersGroup,
  type Icon,
} from "@tabler/icons-react";

/** A page of the rail. */
export type Place = {
  to:
    | "/"
    | "/flags"
    | "/segments"
    | "/layers"
    | "/holdouts"
    | "/betas"
    | "/experiments"
    | "/metrics"
    | "/explore"
    | "/events"
    | "/plan"
    | "/changes"
    | "/settings";
  label: string;
  icon: Icon;
};

export const PLACES: Place[] = [
  { to: "/", label: "Home", icon: IconHome },
  { to: "/flags", label: "Flags", icon: IconFlag3 },
  { to: "/segments", label: "Segments", icon: IconUsersGroup },
  { to: "/layers", label: "Layers", icon: IconLayoutColumns },
  { to: "/holdouts", label: "Holdouts", icon: IconHandStop },
  { to: "/betas", label: "Betas", icon: IconTestPipe },
  { to: "/experiments", label: "Experiments", icon: IconScale },
  { to: "/metrics", label: "Metrics", icon: IconRuler2 },
  { to: "/explore", label: "Explore", icon: IconChartLine },
  { to: "/events", label: "Events", icon: IconStack2 },
  { to: "/plan", label: "Tracking plan", icon: IconListCheck },
  { to: "/changes", label: "Changes", icon: IconHistory },
  { to: "/settings", label: "Settings", icon: IconSettings },
];
