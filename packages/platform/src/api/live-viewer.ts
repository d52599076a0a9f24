import { mayEverywhere } from '../people/caller.ts';
import { EVERYTHING, type Scope } from '../registry/scope.ts';
import type { Access } from './access-guard.ts';

/** Who watches a stream: what they may see of it, and whether that still holds. */
export interface LiveViewer {
  /** Only what belongs to devices in it is shown. */
  readonly scope: Scope;
  /** Whether the server's own rates are shown, which are about all groups. */
  readonly stats: boolean;
  /** What it is now; undefined once the stream must end. */
  renew(): Promise<LiveViewer | undefined>;
}

/** Sees all, for ever: for tests of what has nothing to do with access. */
export const SEES_ALL: LiveViewer = { scope: EVERYTHING, stats: true, renew: async () => SEES_ALL };

export function viewerOf({ scope, caller, renew }: Access): LiveViewer {
  return {
    scope,
    stats: mayEverywhere(caller, 'server:read'),
    renew: async () => {
      const access = await renew();
      return access === undefined ? undefined : viewerOf(access);
    },
  };
}
