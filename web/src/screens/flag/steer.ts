//! Web: how a flag is steered in one environment: each change with what a stale one is compared with, and without a
//! dialog where no customers are served and the reason is plain.
import { useQueryClient } from "@tanstack/react-query";

import { flag as flagQuery } from "../../api/queries";
import type { Environment, FlagView } from "../../api/types";
import { useChange, type Doing, type Question } from "../../parts/Change";

/** Makes a change of this flag here. */
export function useSteer({ view, here }: { view: FlagView; here: Environment }) {
  const { change } = useChange();
  const client = useQueryClient();
  return (intent: Doing & Omit<Question, "quick" | "shown" | "newest">): Promise<boolean> =>
    change({
      ...intent,
      quick: !here.production && Boolean(intent.why),
      shown: view.flag.settings[here.key],
      newest: () =>
        client.fetchQuery({ ...flagQuery(view.flag.key), staleTime: 0 }).then((v) => v.flag.settings[here.key]),
    });
}
