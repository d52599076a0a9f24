import { Button, Checkbox } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { fetchHolds, releaseHold, type LegalHold } from '../api/holds.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { useWho } from '../session/who.ts';
import { Badge } from '../ui/badge.tsx';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { Icon } from '../ui/icons.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { Section } from '../ui/section.tsx';
import { usePages } from '../ui/use-pages.ts';
import { HoldDialog } from './hold-dialog.tsx';
import styles from './storage.module.css';

const COLUMNS = ['What is held', 'Why', 'Since', 'State', ''] as const;

/** Legal holds: what they cover stays, whatever its age, whoever asks. */
export function Holds() {
  const { client } = useServices();
  const { may, mayEverywhere } = useWho();
  const queries = useQueryClient();
  const [all, setAll] = useState(false);
  const [holding, setHolding] = useState(false);
  const [releasing, setReleasing] = useState<LegalHold>();
  const state = all ? undefined : 'in-force';
  const pages = usePages({ key: ['holds', state], fetch: (cursor, signal) => fetchHolds(client, state, cursor, signal) });
  const release = useMutation({
    mutationFn: releaseHold.bind(null, client),
    onSuccess: () => setReleasing(undefined),
    onSettled: () => {
      for (const key of ['holds', 'audit', 'retention-plan']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const mayRelease = ({ kind, name }: LegalHold) =>
    kind === 'group' ? may('storage:write', name) : kind === 'type' ? mayEverywhere('storage:write') : may('storage:write');
  return (
    <Section
      title="Legal holds"
      note="What is held is not let go, its devices cannot be removed, and their telemetry cannot be erased."
      actions={
        <>
          <Checkbox label="Also released ones" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />
          {may('storage:write') && (
            <Button leftSection={<Icon name="plus" />} onClick={() => setHolding(true)}>
              Hold
            </Button>
          )}
        </>
      }
    >
      <PagedTable
        label="Legal holds"
        columns={COLUMNS}
        pages={pages}
        row={(hold) => (
          <tr key={hold.id} data-hold={hold.id} data-released={hold.releasedAtMs !== undefined}>
            <td data-label="Held">
              <span>
                {hold.kind} <strong>{hold.name}</strong>
              </span>
            </td>
            <td data-label="Why">{hold.reason}</td>
            <td data-label="Since">
              <span>
                {formatTime(hold.createdAtMs)}
                <small>{hold.createdBy}</small>
              </span>
            </td>
            <td data-label="State">
              <span>
                {hold.releasedAtMs === undefined ? <Badge tone="warn">in force</Badge> : <Badge tone="plain">released</Badge>}
                {hold.releasedAtMs !== undefined && (
                  <small>
                    {formatTime(hold.releasedAtMs)} {hold.releasedBy}
                  </small>
                )}
              </span>
            </td>
            <td className={styles.action}>
              {hold.releasedAtMs === undefined && mayRelease(hold) && (
                <Button
                  variant="default"
                  size="compact-xs"
                  aria-label={`Release ${hold.name}`}
                  onClick={() => setReleasing(hold)}
                >
                  Release
                </Button>
              )}
            </td>
          </tr>
        )}
        empty={<EmptyNote title={all ? 'Nothing was ever held' : 'Nothing is held'} />}
      />
      <HoldDialog opened={holding} onClose={() => setHolding(false)} />
      <ConfirmDialog
        opened={releasing !== undefined}
        title="Release this hold?"
        action="Release it"
        keep="Keep it"
        isPending={release.isPending}
        error={release.error}
        onConfirm={() => releasing !== undefined && release.mutate(releasing.id)}
        onClose={() => setReleasing(undefined)}
        onClosed={release.reset}
      >
        <p>
          What of {releasing?.kind} <strong>{releasing?.name}</strong> is too old, and held by nothing else, goes with the next
          pass of retention.
        </p>
      </ConfirmDialog>
    </Section>
  );
}
