//! Web: the addresses. What is behind them asks for its data itself; what they hold after `?` is the
//! state of the page.
import {
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  redirect,
  retainSearchParams,
} from "@tanstack/react-router";

import { cache } from "./api/cache";
import type { About } from "./api/queries";
import { me } from "./api/session";
import { parseSearch, stringifySearch, text, type Search } from "./lib/search";
import { BetaScreen, NewBetaScreen } from "./screens/Beta";
import { BetasScreen } from "./screens/Betas";
import { ChangesScreen } from "./screens/Changes";
import { EventsScreen } from "./screens/Events";
import { ExperimentScreen } from "./screens/Experiment";
import { ExperimentsScreen } from "./screens/Experiments";
import { exploreSearch, ExploreScreen } from "./screens/Explore";
import { FlagScreen } from "./screens/Flag";
import { FlagsScreen } from "./screens/Flags";
import { HoldoutScreen, NewHoldoutScreen } from "./screens/Holdout";
import { HoldoutsScreen } from "./screens/Holdouts";
import { HomeScreen } from "./screens/Home";
import { LayerScreen } from "./screens/Layer";
import { LayersScreen } from "./screens/Layers";
import { LoginScreen, SetupScreen } from "./screens/Entry";
import { MetricScreen } from "./screens/Metric";
import { MetricsScreen } from "./screens/Metrics";
import { Broken, Missing } from "./screens/Missing";
import { NewExperimentScreen } from "./screens/NewExperiment";
import { NewFlagScreen } from "./screens/NewFlag";
import { NewSegmentScreen, SegmentScreen } from "./screens/Segment";
import { SegmentsScreen } from "./screens/Segments";
import { SettingsScreen } from "./screens/Settings";
import { Shell } from "./shell/Shell";

const root = createRootRoute({
  validateSearch: (search: Search): { env?: string } => ({ env: text(search["env"]) }),
  search: { middlewares: [retainSearchParams(["env"])] },
  component: Outlet,
  notFoundComponent: Missing,
});

const shell = createRoute({
  getParentRoute: () => root,
  id: "inside",
  component: Shell,
  beforeLoad: async ({ location }) => {
    if (!(await cache.ensureQueryData(me))) {
      throw redirect({ to: "/login", search: { next: location.href } });
    }
  },
});

/** Parameters that several pages share: the open tab, a search text. */
const listed = (search: Search): { tab?: string; q?: string } => ({ tab: text(search["tab"]), q: text(search["q"]) });

/** A list that may show what is archived, too. */
const kept = (search: Search): { archived?: string } => ({ archived: text(search["archived"]) });

const entry = {
  login: createRoute({
    getParentRoute: () => root,
    path: "/login",
    component: LoginScreen,
    validateSearch: (s: Search): { next?: string } => ({ next: text(s["next"]) }),
  }),
  setup: createRoute({
    getParentRoute: () => root,
    path: "/setup",
    component: SetupScreen,
    validateSearch: (s: Search): { token?: string } => ({ token: text(s["token"]) }),
  }),
};

const home = createRoute({ getParentRoute: () => shell, path: "/", component: HomeScreen });
const flags = createRoute({
  getParentRoute: () => shell,
  path: "/flags",
  component: FlagsScreen,
  validateSearch: (s: Search): { q?: string; archived?: string } => ({
    q: text(s["q"]),
    archived: text(s["archived"]),
  }),
});
const newFlag = createRoute({ getParentRoute: () => shell, path: "/flags/new", component: NewFlagScreen });
const flag = createRoute({
  getParentRoute: () => shell,
  path: "/flags/$flag",
  component: FlagScreen,
  validateSearch: (s: Search): { tab?: string; ctx?: string; rev?: string } => ({
    tab: text(s["tab"]),
    ctx: text(s["ctx"]),
    rev: text(s["rev"]),
  }),
});
const segments = createRoute({
  getParentRoute: () => shell,
  path: "/segments",
  component: SegmentsScreen,
  validateSearch: kept,
});
const newSegment = createRoute({ getParentRoute: () => shell, path: "/segments/new", component: NewSegmentScreen });
const segment = createRoute({
  getParentRoute: () => shell,
  path: "/segments/$segment",
  component: SegmentScreen,
  validateSearch: listed,
});
const layers = createRoute({
  getParentRoute: () => shell,
  path: "/layers",
  component: LayersScreen,
  validateSearch: kept,
});
const layer = createRoute({
  getParentRoute: () => shell,
  path: "/layers/$layer",
  component: LayerScreen,
  validateSearch: listed,
});
const holdouts = createRoute({
  getParentRoute: () => shell,
  path: "/holdouts",
  component: HoldoutsScreen,
  validateSearch: kept,
});
const newHoldout = createRoute({ getParentRoute: () => shell, path: "/holdouts/new", component: NewHoldoutScreen });
const holdout = createRoute({
  getParentRoute: () => shell,
  path: "/holdouts/$holdout",
  component: HoldoutScreen,
  validateSearch: listed,
});
const betas = createRoute({
  getParentRoute: () => shell,
  path: "/betas",
  component: BetasScreen,
  validateSearch: kept,
});
const newBeta = createRoute({ getParentRoute: () => shell, path: "/betas/new", component: NewBetaScreen });
const beta = createRoute({
  getParentRoute: () => shell,
  path: "/betas/$beta",
  component: BetaScreen,
  validateSearch: listed,
});
const experiments = createRoute({
  getParentRoute: () => shell,
  path: "/experiments",
  component: ExperimentsScreen,
  validateSearch: listed,
});
const newExperiment = createRoute({
  getParentRoute: () => shell,
  path: "/experiments/new",
  component: NewExperimentScreen,
  validateSearch: (s: Search): { flag?: string } => ({ flag: text(s["flag"]) }),
});
const experiment = createRoute({
  getParentRoute: () => shell,
  path: "/experiments/$experiment",
  component: ExperimentScreen,
  validateSearch: listed,
});
const metrics = createRoute({
  getParentRoute: () => shell,
  path: "/metrics",
  component: MetricsScreen,
  validateSearch: listed,
});
const newMetric = createRoute({
  getParentRoute: () => shell,
  path: "/metrics/new",
  component: MetricScreen,
  validateSearch: listed,
});
const metric = createRoute({
  getParentRoute: () => shell,
  path: "/metrics/$metric",
  component: MetricScreen,
  validateSearch: listed,
});
const explore = createRoute({
  getParentRoute: () => shell,
  path: "/explore",
  component: ExploreScreen,
  validateSearch: exploreSearch,
});
const events = createRoute({
  getParentRoute: () => shell,
  path: "/events",
  component: EventsScreen,
  validateSearch: listed,
});
const changes = createRoute({
  getParentRoute: () => shell,
  path: "/changes",
  component: ChangesScreen,
  validateSearch: (s: Search): About & { before?: string } => ({
    flag: text(s["flag"]),
    experiment: text(s["experiment"]),
    metric: text(s["metric"]),
    segment: text(s["segment"]),
    layer: text(s["layer"]),
    holdout: text(s["holdout"]),
    beta: text(s["beta"]),
    before: text(s["before"]),
  }),
});
const settings = createRoute({
  getParentRoute: () => shell,
  path: "/settings",
  component: SettingsScreen,
  validateSearch: listed,
});

/** Everything else: the shell stays around the page that says so. */
const nowhere = createRoute({ getParentRoute: () => shell, path: "$", component: Missing });

const tree = root.addChildren([
  entry.login,
  entry.setup,
  shell.addChildren([
    home,
    flags,
    newFlag,
    flag,
    segments,
    newSegment,
    segment,
    layers,
    layer,
    holdouts,
    newHoldout,
    holdout,
    betas,
    newBeta,
    beta,
    experiments,
    newExperiment,
    experiment,
    metrics,
    newMetric,
    metric,
    explore,
    events,
    changes,
    settings,
    nowhere,
  ]),
]);

export const router = createRouter({
  routeTree: tree,
  parseSearch,
  stringifySearch,
  defaultErrorComponent: Broken,
  defaultNotFoundComponent: Missing,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
