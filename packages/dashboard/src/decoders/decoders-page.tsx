import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { fetchDecoders, type Decoder } from '../api/decoders.ts';
import { fetchAllDeviceTypes } from '../api/device-types.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { Icon } from '../ui/icons.tsx';
import { NotAllowed } from '../ui/not-allowed.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { Section } from '../ui/section.tsx';
import { DecoderEditor } from './decoder-editor.tsx';
import styles from './decoders.module.css';

const route = getRouteApi('/telemetry/decoders');

/** What reads the payloads of devices: those that are there, an editor, and a place to try a message. */
export function DecodersPage() {
  const { client } = useServices();
  const { may, mayEverywhere } = useWho();
  const { name: wanted } = route.useSearch();
  const navigate = route.useNavigate();
  const [creating, setCreating] = useState(false);
  const decoders = useQuery({
    queryKey: ['decoders'],
    queryFn: ({ signal }) => fetchDecoders(client, signal),
    enabled: may('types:read'),
  });
  const types = useQuery({
    queryKey: ['device-types', 'all'],
    queryFn: ({ signal }) => fetchAllDeviceTypes(client, signal),
    enabled: may('types:read'),
  });
  if (!may('types:read')) return <NotAllowed permission="types:read" />;
  if (decoders.error !== null) return <ProblemNotice error={decoders.error} onRetry={() => void decoders.refetch()} />;
  const items = decoders.data ?? [];
  const shown = items.find(({ name }) => name === wanted) ?? items.find(({ isBuiltIn }) => !isBuiltIn) ?? items[0];
  const usersOf = (name: string) => (types.data ?? []).filter(({ codec }) => codec === name).map((type) => type.name);
  const open = (name: string | undefined) => {
    setCreating(false);
    void navigate({ search: name === undefined ? {} : { name } });
  };
  return (
    <Section
      title="Decoders"
      note="They make points of what devices send. A device type names one as its codec; without one it is the platform’s own JSON."
      actions={
        mayEverywhere('types:write') && (
          <Button leftSection={<Icon name="plus" />} onClick={() => setCreating(true)}>
            New decoder
          </Button>
        )
      }
    >
      <div className={styles.page}>
        <nav className={styles.list} aria-label="Decoders">
          {items.map((decoder) => (
            <DecoderLink
              key={decoder.name}
              decoder={decoder}
              users={usersOf(decoder.name)}
              isShown={!creating && decoder === shown}
              onOpen={() => setCreating(false)}
            />
          ))}
        </nav>
        {creating && (
          <DecoderEditor
            key="new"
            decoder={undefined}
            users={[]}
            types={types.data ?? []}
            onSaved={open}
            onRemoved={() => open(undefined)}
          />
        )}
        {!creating && shown !== undefined && (
          <DecoderEditor
            key={`${shown.name} ${shown.updatedAtMs}`}
            decoder={shown}
            users={usersOf(shown.name)}
            types={types.data ?? []}
            onSaved={open}
            onRemoved={() => open(undefined)}
          />
        )}
      </div>
    </Section>
  );
}

interface DecoderLinkProps {
  readonly decoder: Decoder;
  readonly users: readonly string[];
  readonly isShown: boolean;
  readonly onOpen: () => void;
}

function DecoderLink({ decoder, users, isShown, onOpen }: DecoderLinkProps) {
  const { name, isBuiltIn, format } = decoder;
  const kind = typeof format['kind'] === 'string' ? format['kind'] : '';
  return (
    <Link
      to="/telemetry/decoders"
      search={{ name }}
      className={styles.entry}
      data-decoder={name}
      data-shown={isShown}
      onClick={onOpen}
    >
      <strong>{name}</strong>
      <small>
        {isBuiltIn ? 'built in' : kind}
        {users.length > 0 && ` · ${users.length === 1 ? users[0] : `${users.length} types`}`}
      </small>
    </Link>
  );
}
