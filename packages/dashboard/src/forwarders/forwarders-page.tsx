import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { fetchForwarders, type Forwarder } from '../api/forwarders.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { DataTable } from '../ui/data-table.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { Icon } from '../ui/icons.tsx';
import { NotAllowed } from '../ui/not-allowed.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { Section } from '../ui/section.tsx';
import { ForwarderDialog } from './forwarder-dialog.tsx';
import { FORWARDER_COLUMNS, ForwarderRow } from './forwarder-row.tsx';
import { RemoveForwarderDialog } from './remove-forwarder-dialog.tsx';

const REFETCH_MS = 3_000;

/** Who gets copies of live telemetry, and how that goes. */
export function ForwardersPage() {
  const { client } = useServices();
  const { mayEverywhere } = useWho();
  const [editing, setEditing] = useState<Forwarder | 'new'>();
  const [removing, setRemoving] = useState<Forwarder>();
  const allowed = mayEverywhere('forwarders:read');
  const { data, error, refetch } = useQuery({
    queryKey: ['forwarders'],
    queryFn: ({ signal }) => fetchForwarders(client, signal),
    refetchInterval: REFETCH_MS,
    enabled: allowed,
  });
  if (!allowed) return <NotAllowed permission="forwarders:read" at="/" />;
  const mayWrite = mayEverywhere('forwarders:write');
  return (
    <Section
      title="Forwarders"
      note="Each sends a copy of live telemetry somewhere else, at least once. While its target is away the log keeps what it has not sent."
      actions={
        mayWrite && (
          <Button leftSection={<Icon name="plus" />} onClick={() => setEditing('new')}>
            Add a forwarder
          </Button>
        )
      }
    >
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {data?.length === 0 && (
        <EmptyNote
          title="Nobody gets copies yet"
          command={mayWrite ? { title: 'The same from a shell', command: 'npx selsyn forwarder add --help' } : undefined}
        >
          To a webhook, a topic of Kafka, another MQTT broker, or InfluxDB.
        </EmptyNote>
      )}
      {data !== undefined && data.length > 0 && (
        <DataTable label="Forwarders" columns={FORWARDER_COLUMNS}>
          {data.map((forwarder) => (
            <ForwarderRow
              key={forwarder.id}
              forwarder={forwarder}
              onEdit={mayWrite ? () => setEditing(forwarder) : undefined}
              onRemove={mayWrite ? () => setRemoving(forwarder) : undefined}
            />
          ))}
        </DataTable>
      )}
      <ForwarderDialog about={editing} onClose={() => setEditing(undefined)} />
      <RemoveForwarderDialog forwarder={removing} onClose={() => setRemoving(undefined)} />
    </Section>
  );
}
