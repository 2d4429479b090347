//! Web: the entry. Fonts, theme, cache and router, mounted once.
import "@fontsource/roboto/latin-400.css";
import "@fontsource/roboto/latin-500.css";
import "@fontsource/roboto/latin-ext-400.css";
import "@fontsource/roboto/latin-ext-500.css";
import "@mantine/core/styles.css";
import "@mantine/spotlight/styles.css";
import "./app.css";
import "./shell/shell.css";
import "./parts/words.css";
import "./parts/steering.css";
import "./parts/table.css";
import "./parts/change.css";
import "./parts/charts.css";
import "./parts/conditions.css";
import "./parts/plan.css";
import "./parts/narrow.css";

import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { cache } from "./api/cache";
import { ApiError } from "./api/client";
import { onBack } from "./api/connection";
import { me } from "./api/session";
import { ChangeProvider } from "./parts/Change";
import { loadScreens, router } from "./router";
import { resolver, theme } from "./theme";

cache.getQueryCache().subscribe(({ type, query }) => {
  const error: unknown = query.state.error;
  const closed = type === "updated" && error instanceof ApiError && error.status === 401;
  if (closed && cache.getQueryData(me.queryKey)) {
    cache.setQueryData(me.queryKey, null);
    void router.invalidate();
  }
});

onBack(() => {
  void cache.invalidateQueries();
  void router.invalidate();
});

const later = router.subscribe("onRendered", () => {
  later();
  if ("requestIdleCallback" in window) window.requestIdleCallback(loadScreens);
  else setTimeout(loadScreens, 1_000);
});

const place = document.getElementById("root");
if (place) {
  createRoot(place).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={resolver} defaultColorScheme="auto">
        <QueryClientProvider client={cache}>
          <ChangeProvider>
            <RouterProvider router={router} />
          </ChangeProvider>
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
