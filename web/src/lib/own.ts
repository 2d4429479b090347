//! Web: things by the names that senders chose for them, among which are those of what every object has.

/** What an object itself has of a name: of `constructor` nothing, unless somebody called something so. */
export function own<T>(of: Readonly<Record<string, T>> | null | undefined, name: string): T | undefined {
  return of != null && Object.hasOwn(of, name) ? of[name] : undefined;
}
