//! Web: what the person may do. The server decides; the page only disables what it would refuse, and
//! says who could.
import { useQuery } from "@tanstack/react-query";

import { me, type Person } from "../api/session";

const RANK: Record<Person["role"], number> = { viewer: 0, editor: 1, admin: 2 };

/** Whether the person has a role, and the sentence for when not. */
export type May = { allowed: boolean; reason: string };

/** Whether the person has at least a role. */
export function useMay(role: Person["role"]): May {
  const mine = useQuery(me).data?.person.role;
  return {
    allowed: mine !== undefined && RANK[mine] >= RANK[role],
    reason: `You are ${mine === "editor" || mine === "admin" ? "an" : "a"} ${mine ?? "viewer"}: ask ${role === "viewer" ? "a" : "an"} ${role} to do this`,
  };
}
