import { NativeSelect, TextInput } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import type { AuditSearch } from '../app/router.tsx';
import { useWho } from '../session/who.ts';
import { EmptyNote } from '../ui/empty-note.tsx';
import { NotAllowed } from '../ui/not-allowed.tsx';
import { useTyped } from '../ui/use-typed.ts';
import { AuditList } from './audit-list.tsx';
import styles from './audit.module.css';

const route = getRouteApi('/audit');
const SINCE = [
  { value: '', label: 'Any time' },
  { value: 'now-1h', label: 'The last hour' },
  { value: 'now-24h', label: 'The last day' },
  { value: 'now-7d', label: 'The last week' },
  { value: 'now-30d', label: 'The last 30 days' },
];
const FIELDS = [
  ['action', 'Action', 'certificate.revoke'],
  ['kind', 'Kind of object', 'device'],
  ['id', 'Id of the object', 'sensor123'],
  ['actor', 'Id of who did it', 'admin'],
] as const;

/** What was changed, by whom and from where. */
export function AuditPage() {
  const { may } = useWho();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const go = (next: AuditSearch) => void navigate({ search: filled(next), replace: true });
  if (!may('audit:read')) return <NotAllowed permission="audit:read" />;
  return (
    <>
      <h1>Audit</h1>
      <div className={styles.filters} role="search">
        {FIELDS.map(([name, label, example]) => (
          <AuditField
            key={name}
            label={label}
            example={example}
            inAddress={search[name] ?? ''}
            onCommit={(text) => go({ ...search, [name]: text })}
          />
        ))}
        <NativeSelect
          aria-label="Since when"
          data={SINCE}
          value={search.from ?? ''}
          onChange={(event) => go({ ...search, from: event.currentTarget.value })}
        />
      </div>
      <AuditList query={{ ...search }} empty={<NoChanges isFiltered={Object.keys(search).length > 0} />} />
    </>
  );
}

interface AuditFieldProps {
  readonly label: string;
  readonly example: string;
  readonly inAddress: string;
  readonly onCommit: (text: string) => void;
}

function AuditField({ label, example, inAddress, onCommit }: AuditFieldProps) {
  const typed = useTyped(inAddress, onCommit);
  return (
    <TextInput
      aria-label={label}
      placeholder={`${label}: ${example}`}
      spellCheck={false}
      autoCapitalize="none"
      autoComplete="off"
      value={typed.text}
      onChange={(event) => typed.type(event.currentTarget.value)}
    />
  );
}

function NoChanges({ isFiltered }: { readonly isFiltered: boolean }) {
  return (
    <EmptyNote
      title={isFiltered ? 'No change matches' : 'Nothing was changed yet'}
      command={{ title: 'The same from a shell', command: 'npx selsyn audit' }}
    >
      {isFiltered
        ? 'Kind, id, action and actor are compared as a whole.'
        : 'Every change that a person, a key, a device or the server makes shows here.'}
    </EmptyNote>
  );
}

function filled(search: AuditSearch): AuditSearch {
  return Object.fromEntries(
    Object.entries(search)
      .map(([name, value]): [string, string] => [name, String(value).trim()])
      .filter(([, value]) => value !== ''),
  );
}
