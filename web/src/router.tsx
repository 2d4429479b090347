//! Web: the addresses. What is behind them asks for its data itself; what they hold after `?` is the
//! state of the page. A screen is a file of its own, which is loaded when it is first shown, or once the first has been.
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
  retainSearchParams,
} from "@tanstack/react-router";

import { cache } from "./api/cache";
import { ApiError } from "./api/client";
import { reached } from "./api/connection";
import type { About } from "./api/queries";
import { me } from "./api/session";
import { questionOf } from "./lib/question";
import { parseSearch, stringifySearch, text, type Search } from "./lib/search";
import { Broken, Missing, Opening } from "./screens/Missing";
import { Shell } from "./shell/Shell";

/** A screen, whose file may fail to come: the server is away, or another version of it is there. */
function screen<M extends Record<string, unknown>, K extends keyof M>(load: () => Promise<M>, name: K) {
  return lazyRouteComponent(
    () =>
      reached()
        .then(load)
        .catch((): never => {
          throw ApiError.unloaded();
        }),
    name,
  );
}

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
    component: screen(() => import("./screens/Entry"), "LoginScreen"),
    validateSearch: (s: Search): { next?: string } => ({ next: text(s["next"]) }),
  }),
  setup: createRoute({
    getParentRoute: () => root,
    path: "/setup",
    component: screen(() => import("./screens/Entry"), "SetupScreen"),
    validateSearch: (s: Search): { token?: string } => ({ token: text(s["token"]) }),
  }),
};

const home = createRoute({
  getParentRoute: () => shell,
  path: "/",
  component: screen(() => import("./screens/Home"), "HomeScreen"),
});
const flags = createRoute({
  getParentRoute: () => shell,
  path: "/flags",
  component: screen(() => import("./screens/Flags"), "FlagsScreen"),
  validateSearch: (s: Search): { q?: string; archived?: string } => ({
    q: text(s["q"]),
    archived: text(s["archived"]),
  }),
});
const newFlag = createRoute({
  getParentRoute: () => shell,
  path: "/flags/new",
  component: screen(() => import("./screens/NewFlag"), "NewFlagScreen"),
});
const flag = createRoute({
  getParentRoute: () => shell,
  path: "/flags/$flag",
  component: screen(() => import("./screens/Flag"), "FlagScreen"),
  validateSearch: (s: Search): { tab?: string; ctx?: string; rev?: string } => ({
    tab: text(s["tab"]),
    ctx: text(s["ctx"]),
    rev: text(s["rev"]),
  }),
});
const segments = createRoute({
  getParentRoute: () => shell,
  path: "/segments",
  component: screen(() => import("./screens/Segments"), "SegmentsScreen"),
  validateSearch: kept,
});
const newSegment = createRoute({
  getParentRoute: () => shell,
  path: "/segments/new",
  component: screen(() => import("./screens/Segment"), "NewSegmentScreen"),
});
const segment = createRoute({
  getParentRoute: () => shell,
  path: "/segments/$segment",
  component: screen(() => import("./screens/Segment"), "SegmentScreen"),
  validateSearch: listed,
});
const layers = createRoute({
  getParentRoute: () => shell,
  path: "/layers",
  component: screen(() => import("./screens/Layers"), "LayersScreen"),
  validateSearch: (s: Search): { archived?: string; make?: string } => ({ ...kept(s), make: text(s["make"]) }),
});
/** A new layer is made in a dialog on the list. */
const newLayer = createRoute({
  getParentRoute: () => shell,
  path: "/layers/new",
  beforeLoad: ({ search }) => {
    throw redirect({ to: "/layers", search: { env: search.env, make: "1" }, replace: true });
  },
});
const layer = createRoute({
  getParentRoute: () => shell,
  path: "/layers/$layer",
  component: screen(() => import("./screens/Layer"), "LayerScreen"),
  validateSearch: listed,
});
const holdouts = createRoute({
  getParentRoute: () => shell,
  path: "/holdouts",
  component: screen(() => import("./screens/Holdouts"), "HoldoutsScreen"),
  validateSearch: kept,
});
const newHoldout = createRoute({
  getParentRoute: () => shell,
  path: "/holdouts/new",
  component: screen(() => import("./screens/Holdout"), "NewHoldoutScreen"),
});
const holdout = createRoute({
  getParentRoute: () => shell,
  path: "/holdouts/$holdout",
  component: screen(() => import("./screens/Holdout"), "HoldoutScreen"),
  validateSearch: listed,
});
const betas = createRoute({
  getParentRoute: () => shell,
  path: "/betas",
  component: screen(() => import("./screens/Betas"), "BetasScreen"),
  validateSearch: kept,
});
const newBeta = createRoute({
  getParentRoute: () => shell,
  path: "/betas/new",
  component: screen(() => import("./screens/Beta"), "NewBetaScreen"),
});
const beta = createRoute({
  getParentRoute: () => shell,
  path: "/betas/$beta",
  component: screen(() => import("./screens/Beta"), "BetaScreen"),
  validateSearch: listed,
});
const experiments = createRoute({
  getParentRoute: () => shell,
  path: "/experiments",
  component: screen(() => import("./screens/Experiments"), "ExperimentsScreen"),
  validateSearch: listed,
});
const newExperiment = createRoute({
  getParentRoute: () => shell,
  path: "/experiments/new",
  component: screen(() => import("./screens/NewExperiment"), "NewExperimentScreen"),
  validateSearch: (s: Search): { flag?: string } => ({ flag: text(s["flag"]) }),
});
const experiment = createRoute({
  getParentRoute: () => shell,
  path: "/experiments/$experiment",
  component: screen(() => import("./screens/Experiment"), "ExperimentScreen"),
  validateSearch: listed,
});
const metrics = createRoute({
  getParentRoute: () => shell,
  path: "/metrics",
  component: screen(() => import("./screens/Metrics"), "MetricsScreen"),
  validateSearch: listed,
});
const newMetric = createRoute({
  getParentRoute: () => shell,
  path: "/metrics/new",
  component: screen(() => import("./screens/Metric"), "MetricScreen"),
  validateSearch: listed,
});
const metric = createRoute({
  getParentRoute: () => shell,
  path: "/metrics/$metric",
  component: screen(() => import("./screens/Metric"), "MetricScreen"),
  validateSearch: listed,
});
const explore = createRoute({
  getParentRoute: () => shell,
  path: "/explore",
  component: screen(() => import("./screens/Explore"), "ExploreScreen"),
  validateSearch: questionOf,
});
const events = createRoute({
  getParentRoute: () => shell,
  path: "/events",
  component: screen(() => import("./screens/Events"), "EventsScreen"),
  validateSearch: (s: Search): { tab?: string; q?: string; event?: string; of?: string; marked?: string } => ({
    tab: text(s["tab"]),
    q: text(s["q"]),
    event: text(s["event"]),
    of: text(s["of"]),
    marked: text(s["marked"]),
  }),
});
const plan = createRoute({
  getParentRoute: () => shell,
  path: "/plan",
  component: screen(() => import("./screens/Plan"), "PlanScreen"),
  validateSearch: (
    s: Search,
  ): { tab?: string; q?: string; event?: string; property?: string; of?: string; kind?: string } => ({
    tab: text(s["tab"]),
    q: text(s["q"]),
    event: text(s["event"]),
    property: text(s["property"]),
    of: text(s["of"]),
    kind: text(s["kind"]),
  }),
});
const proposal = createRoute({
  getParentRoute: () => shell,
  path: "/plan/proposals/$proposal",
  component: screen(() => import("./screens/Proposal"), "ProposalScreen"),
  validateSearch: listed,
});
const changes = createRoute({
  getParentRoute: () => shell,
  path: "/changes",
  component: screen(() => import("./screens/Changes"), "ChangesScreen"),
  validateSearch: (s: Search): About & { before?: string } => ({
    flag: text(s["flag"]),
    experiment: text(s["experiment"]),
    metric: text(s["metric"]),
    segment: text(s["segment"]),
    layer: text(s["layer"]),
    holdout: text(s["holdout"]),
    beta: text(s["beta"]),
    plan: text(s["plan"]) ? true : undefined,
    event: text(s["event"]),
    proposal: text(s["proposal"]),
    before: text(s["before"]),
  }),
});
const settings = createRoute({
  getParentRoute: () => shell,
  path: "/settings",
  component: screen(() => import("./screens/Settings"), "SettingsScreen"),
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
    newLayer,
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
    plan,
    proposal,
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
  // The screen that is left stays until the next one is there, or is late.
  defaultPendingComponent: Opening,
  defaultPendingMs: 200,
  defaultPendingMinMs: 0,
  defaultNotFoundComponent: Missing,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

/** Loads the screens that are not there yet, so that none is waited for, or missed while the server is away. */
export function loadScreens(): void {
  for (const { options } of Object.values(router.routesById)) void options.component?.preload?.();
}
