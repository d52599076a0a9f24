import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { fetchShadowDefaults, removeShadowDefault, type ShadowDefault } from '../api/shadow-defaults.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { shadowTitle } from '../shadow/shadow-words.ts';
import { targetWords } from '../targets/target.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { Icon } from '../ui/icons.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { When } from '../ui/when.tsx';
import styles from './bulk.module.css';
import { DefaultDialog } from './default-dialog.tsx';

const COLUMNS = ['Devices', 'Shadow', 'Desired', 'Changed', ''] as const;

/** What devices inherit from their type and their groups. */
export function DefaultsTab() {
  const { client } = useServices();
  const { may, mayEverywhere } = useWho();
  const queries = useQueryClient();
  const [editing, setEditing] = useState(false);
  const [edited, setEdited] = useState<ShadowDefault>();
  const [removing, setRemoving] = useState<ShadowDefault>();
  const pages = usePages({
    key: ['shadow-defaults'],
    fetch: (cursor, signal) => fetchShadowDefaults(client, cursor, signal),
  });
  const remove = useMutation({
    mutationFn: removeShadowDefault.bind(null, client),
    onSuccess: () => setRemoving(undefined),
    onSettled: () => {
      for (const key of ['shadow-defaults', 'shadow-updates', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const mayChange = ({ target }: ShadowDefault) =>
    target.startsWith('group:') ? may('shadows:write', target.slice('group:'.length)) : mayEverywhere('shadows:write');
  const edit = (item: ShadowDefault | undefined) => {
    setEdited(item);
    setEditing(true);
  };
  return (
    <section aria-label="Defaults">
      <div className={styles.head}>
        <p>
          What is desired of devices unless something nearer says otherwise: a device goes before its group, a group before those
          above it, all of them before the type. Devices that join get it at once.
        </p>
        {may('shadows:write') && (
          <Button leftSection={<Icon name="plus" />} onClick={() => edit(undefined)}>
            Set a default
          </Button>
        )}
      </div>
      <PagedTable
        label="Defaults"
        columns={COLUMNS}
        pages={pages}
        row={(item) => (
          <tr key={`${item.target} ${item.shadow}`} data-default={item.target}>
            <td data-label="Devices">{targetWords(item.target)}</td>
            <td data-label="Shadow">{shadowTitle(item.shadow)}</td>
            <td data-label="Desired">
              <code className={styles.json} title={JSON.stringify(item.desired)}>
                {JSON.stringify(item.desired)}
              </code>
            </td>
            <td data-label="Changed">
              <When timeMs={item.updatedAtMs} />
            </td>
            <td className={styles.action}>
              {mayChange(item) && (
                <div>
                  <Button
                    variant="default"
                    size="compact-xs"
                    aria-label={`Change the default of ${targetWords(item.target)}`}
                    onClick={() => edit(item)}
                  >
                    Change
                  </Button>
                  <Button
                    variant="default"
                    size="compact-xs"
                    aria-label={`Remove the default of ${targetWords(item.target)}`}
                    onClick={() => setRemoving(item)}
                  >
                    Remove
                  </Button>
                </div>
              )}
            </td>
          </tr>
        )}
        empty={
          <EmptyNote
            title="No default yet"
            command={
              may('shadows:write')
                ? {
                    title: 'The same from a shell',
                    command: `npx selsyn shadow default set group:/acme '{"report":{"everySec":60}}'`,
                  }
                : undefined
            }
          >
            A default of a group or a type reaches every device below it, also those that come later.
          </EmptyNote>
        }
      />
      <DefaultDialog opened={editing} edited={edited} onClose={() => setEditing(false)} />
      <ConfirmDialog
        opened={removing !== undefined}
        title="Remove this default?"
        action="Remove it"
        keep="Keep it"
        isPending={remove.isPending}
        error={remove.error}
        onConfirm={() => removing !== undefined && remove.mutate(removing)}
        onClose={() => setRemoving(undefined)}
        onClosed={remove.reset}
      >
        <p>
          Devices of <strong>{removing === undefined ? '' : targetWords(removing.target)}</strong> no longer inherit it. An update
          takes it from those that are there.
        </p>
      </ConfirmDialog>
    </section>
  );
}
