import { useWho } from '../session/who.ts';
import { NotAllowed } from '../ui/not-allowed.tsx';
import { ArchiveState } from './archive-state.tsx';
import { DiskUse } from './disk-use.tsx';
import { Erasures } from './erasures.tsx';
import { Holds } from './holds.tsx';
import { RetentionPolicies } from './retention-policies.tsx';

/** What takes how much, how long it is kept, what may not go, and what had to. */
export function StoragePage() {
  const { may, mayEverywhere } = useWho();
  if (!may('storage:read')) return <NotAllowed permission="storage:read" />;
  // Holds are of groups; all else is about what all devices have sent.
  const all = mayEverywhere('storage:read');
  return (
    <>
      {all && <DiskUse />}
      {all && <RetentionPolicies />}
      {all && <ArchiveState />}
      <Holds />
      <Erasures listed={all} />
    </>
  );
}
