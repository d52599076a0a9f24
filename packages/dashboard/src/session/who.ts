import { createContext, useContext } from 'react';
import { may, mayEverywhere, type Who } from '../api/who.ts';

export const WhoContext = createContext<Who | undefined>(undefined);

export interface SignedIn {
  readonly who: Who;
  /** At a node of the group tree; without one: anywhere at all. */
  readonly may: (permission: string, group?: string) => boolean;
  /** With what belongs to no group. */
  readonly mayEverywhere: (permission: string) => boolean;
}

/** Who is signed in: what they may not do is not offered. The server decides, this only spares them the refusal. */
export function useWho(): SignedIn {
  const who = useContext(WhoContext);
  if (who === undefined) throw new Error('nobody is signed in in this tree');
  return {
    who,
    may: (permission, group) => may(who, permission, group),
    mayEverywhere: (permission) => mayEverywhere(who, permission),
  };
}
