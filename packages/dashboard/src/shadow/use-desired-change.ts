import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Json } from '../api/json.ts';
import { toProblem } from '../api/problem.ts';
import { fetchShadow, patchDesired, type Shadow, type ShadowName } from '../api/shadows.ts';
import { useServices } from '../app/services.ts';
import { changeDesired, type DesiredOutcome } from './change-desired.ts';

interface DesiredChange {
  readonly save: (patch: Json) => void;
  /** The same patch on top of what somebody else has written. */
  readonly overwrite: () => void;
  readonly forgetConflict: () => void;
  readonly conflict: Extract<DesiredOutcome, { kind: 'conflict' }> | undefined;
  readonly isPending: boolean;
  readonly error: Error | null;
}

/** Writes what is desired on top of the shadow that was looked at. */
export function useDesiredChange(name: ShadowName, base: Shadow | undefined, onSaved: () => void): DesiredChange {
  const { client } = useServices();
  const queries = useQueryClient();
  const [conflict, setConflict] = useState<DesiredChange['conflict']>();
  const change = useMutation({
    mutationFn: async ({ patch, on }: { readonly patch: Json; readonly on: Shadow | undefined }) =>
      await changeDesired(
        {
          read: async () => await fetchShadow(client, name).catch(undefinedIfNone),
          write: async (written, version) => await patchDesired(client, name, written, version),
        },
        patch,
        on,
      ),
    onSuccess: (outcome) => {
      void queries.invalidateQueries({ queryKey: ['shadow', name.device] });
      void queries.invalidateQueries({ queryKey: ['audit'] });
      if (outcome.kind === 'conflict') return setConflict(outcome);
      setConflict(undefined);
      onSaved();
    },
  });
  return {
    save: (patch) => change.mutate({ patch, on: base }),
    overwrite: () => {
      if (change.variables !== undefined) change.mutate({ patch: change.variables.patch, on: conflict?.current });
    },
    forgetConflict: () => setConflict(undefined),
    conflict,
    isPending: change.isPending,
    error: change.error,
  };
}

function undefinedIfNone(error: unknown): undefined {
  if (toProblem(error).code === 'shadow.not-found') return undefined;
  throw error;
}
