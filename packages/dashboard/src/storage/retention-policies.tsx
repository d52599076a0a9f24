import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import {
  confirmClock,
  DEFAULT_POLICY,
  fetchRetention,
  KEPT_LEVELS,
  removeRetentionPolicy,
  type RetentionPolicy,
} from '../api/retention.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';
import { DataTable } from '../ui/data-table.tsx';
import { Icon } from '../ui/icons.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { Section } from '../ui/section.tsx';
import { DryRun } from './dry-run.tsx';
import { LetGoList } from './let-go-list.tsx';
import { PolicyDialog } from './policy-dialog.tsx';
import { conditionText, keptText, LEVEL_NAMES } from './storage-words.ts';
import styles from './storage.module.css';

const REFETCH_MS = 30_000;
const COLUMNS = ['Policy', ...KEPT_LEVELS.map((level) => LEVEL_NAMES[level]), ''];

/** How long what is kept, what would go now, and what went last. */
export function RetentionPolicies() {
  const { client } = useServices();
  const { mayEverywhere } = useWho();
  const queries = useQueryClient();
  const [editing, setEditing] = useState(false);
  const [edited, setEdited] = useState<RetentionPolicy>();
  const [removing, setRemoving] = useState<RetentionPolicy>();
  const [planning, setPlanning] = useState(false);
  const { data, error, refetch } = useQuery({
    queryKey: ['retention'],
    queryFn: ({ signal }) => fetchRetention(client, signal),
    refetchInterval: REFETCH_MS,
  });
  const refresh = () => {
    for (const key of ['retention', 'storage', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
  };
  const remove = useMutation({
    mutationFn: removeRetentionPolicy.bind(null, client),
    onSuccess: () => setRemoving(undefined),
    onSettled: refresh,
  });
  const believe = useMutation({ mutationFn: async () => await confirmClock(client), onSettled: refresh });
  const mayWrite = mayEverywhere('storage:write');
  const edit = (policy: RetentionPolicy | undefined) => {
    setEdited(policy);
    setEditing(true);
  };
  return (
    <Section
      title="Retention"
      note="The most specific policy that says something of a level counts. What is too old goes within ten minutes."
      actions={
        <>
          <Button variant="default" aria-pressed={planning} onClick={() => setPlanning(!planning)}>
            {planning ? 'Hide what would go' : 'What would go now'}
          </Button>
          {mayWrite && (
            <Button leftSection={<Icon name="plus" />} onClick={() => edit(undefined)}>
              Add a policy
            </Button>
          )}
        </>
      }
    >
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {data?.clockFault !== undefined && (
        <div className={styles.warning} role="alert">
          <p>
            <strong>Nothing goes by its age.</strong> {data.clockFault}
          </p>
          {mayWrite && (
            <Button variant="default" size="xs" loading={believe.isPending} onClick={() => believe.mutate()}>
              The clock is right
            </Button>
          )}
        </div>
      )}
      {planning && <DryRun policies={[]} mayRun={mayWrite} />}
      {data !== undefined && (
        <DataTable label="Retention policies" columns={COLUMNS}>
          {data.policies.map((policy) => (
            <tr key={policy.name} data-policy={policy.name}>
              <td data-label="Policy">
                <span>
                  <strong>{policy.name}</strong>
                  <small>{conditionText(policy)}</small>
                </span>
              </td>
              {KEPT_LEVELS.map((level) => (
                <td key={level} data-label={LEVEL_NAMES[level]}>
                  {keptText(policy, level)}
                </td>
              ))}
              <td className={styles.action}>
                {mayWrite && (
                  <div>
                    <Button variant="default" size="compact-xs" aria-label={`Edit ${policy.name}`} onClick={() => edit(policy)}>
                      Edit
                    </Button>
                    {policy.name !== DEFAULT_POLICY && (
                      <Button
                        variant="default"
                        size="compact-xs"
                        aria-label={`Remove ${policy.name}`}
                        onClick={() => setRemoving(policy)}
                      >
                        Remove
                      </Button>
                    )}
                  </div>
                )}
              </td>
            </tr>
          ))}
        </DataTable>
      )}
      {data !== undefined && <LetGoList letGo={data.letGo} lastPassMs={data.lastPassMs} />}
      <PolicyDialog opened={editing} edited={edited} onClose={() => setEditing(false)} />
      <ConfirmDialog
        opened={removing !== undefined}
        title="Remove this policy?"
        action="Remove it"
        keep="Keep it"
        isPending={remove.isPending}
        error={remove.error}
        onConfirm={() => removing !== undefined && remove.mutate(removing.name)}
        onClose={() => setRemoving(undefined)}
        onClosed={remove.reset}
      >
        <p>
          What <strong>{removing?.name}</strong> is about is kept as less specific policies say from then on, and goes where these
          keep it shorter.
        </p>
      </ConfirmDialog>
    </Section>
  );
}
