import { NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useId } from 'react';
import { fetchDeviceTypes } from '../api/device-types.ts';
import { fetchFleets } from '../api/fleets.ts';
import { fetchGroups } from '../api/groups.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { TARGET_KINDS, type Target, type TargetKind } from './target.ts';
import styles from './targets.module.css';

interface TargetInputProps {
  readonly kinds: readonly TargetKind[];
  readonly target: Target;
  readonly onChange: (target: Target) => void;
  /** What is wrong with it; empty: nothing. */
  readonly fault: string;
  /** By the Enter key. */
  readonly onEnter?: () => void;
}

/** Names many devices: by a group, a fleet, a type, their ids or a filter. What there is of each is offered. */
export function TargetInput({ kinds, target, onChange, fault, onEnter }: TargetInputProps) {
  const listId = useId();
  const { kind, value } = target;
  const offered = useOffered(kind, value);
  const { example, note } = TARGET_KINDS[kind];
  return (
    <div className={styles.target}>
      <NativeSelect
        label="Devices of"
        data={kinds.map((each) => ({ value: each, label: TARGET_KINDS[each].label }))}
        value={kind}
        onChange={(event) => onChange({ kind: kinds.find((each) => each === event.currentTarget.value) ?? 'group', value: '' })}
      />
      <TextInput
        className={styles.value}
        label={note}
        placeholder={example}
        list={listId}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        value={value}
        error={fault === '' ? null : fault}
        onChange={(event) => onChange({ kind, value: event.currentTarget.value })}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || onEnter === undefined) return;
          event.preventDefault();
          onEnter();
        }}
      />
      <datalist id={listId}>
        {offered.map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
    </div>
  );
}

/** Names to choose from; of groups those below the one that is typed. */
function useOffered(kind: TargetKind, value: string): readonly string[] {
  const { client } = useServices();
  const { may } = useWho();
  const parent = value.slice(0, Math.max(1, value.lastIndexOf('/'))).replace(/^(?!\/).*/, '/');
  const groups = useQuery({
    queryKey: ['groups', parent, 'offered'],
    queryFn: ({ signal }) => fetchGroups(client, parent, undefined, signal),
    enabled: kind === 'group' && may('groups:read'),
    retry: false,
  });
  const fleets = useQuery({
    queryKey: ['fleets'],
    queryFn: ({ signal }) => fetchFleets(client, signal),
    enabled: kind === 'fleet' && may('fleets:read'),
  });
  const types = useQuery({
    queryKey: ['device-types'],
    queryFn: ({ signal }) => fetchDeviceTypes(client, signal),
    enabled: kind === 'type' && may('types:read'),
  });
  if (kind === 'group') return groups.data?.items.map(({ path }) => path) ?? [];
  if (kind === 'fleet') return fleets.data ?? [];
  return kind === 'type' ? (types.data ?? []) : [];
}
