import { NativeSelect, TextInput } from '@mantine/core';
import { Link, getRouteApi } from '@tanstack/react-router';
import { fetchAttempts, OUTCOMES, type Attempt } from '../api/enrolment.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { Badge, type Tone } from '../ui/badge.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { useTyped, type Typed } from '../ui/use-typed.ts';
import styles from './provisioning.module.css';

const route = getRouteApi('/provisioning');
const REFETCH_MS = 10_000;
const TONES: Readonly<Record<string, Tone>> = {
  enrolled: 'good',
  renewed: 'good',
  refused: 'bad',
  quarantined: 'warn',
  abandoned: 'warn',
};
const OPTIONS = [{ value: '', label: 'Any outcome' }, ...OUTCOMES.map((value) => ({ value, label: value }))];

/** What became of everybody who wanted to enrol, step by step. */
export function AttemptsTab() {
  const { client } = useServices();
  const { outcome = '', serial = '', claim = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const query = {
    outcome: outcome === '' ? undefined : outcome,
    serial: serial === '' ? undefined : serial,
    claim: claim === '' ? undefined : claim,
  };
  const pages = usePages({
    key: ['attempts', query],
    fetch: (cursor, signal) => fetchAttempts(client, query, cursor, signal),
    refetchEveryMs: REFETCH_MS,
  });
  const go = (next: { readonly outcome?: string; readonly serial?: string; readonly claim?: string }) => {
    const all = { outcome, serial, claim, ...next };
    const filled = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
    void navigate({ search: { tab: 'attempts', ...filled }, replace: true });
  };
  const bySerial = useTyped(serial, (text) => go({ serial: text }));
  const byClaim = useTyped(claim, (text) => go({ claim: text }));
  return (
    <section aria-label="Attempts">
      <div className={styles.filters} role="search">
        <NativeSelect
          aria-label="Outcome"
          data={OPTIONS}
          value={outcome}
          onChange={(event) => go({ outcome: event.currentTarget.value })}
        />
        <Field label="Serial number" typed={bySerial} />
        <Field label="Claim batch or token" typed={byClaim} />
      </div>
      <PagedTable
        label="Attempts to enrol"
        columns={['When', 'Outcome', 'Serial', 'By', 'Steps']}
        pages={pages}
        row={(attempt) => <AttemptRow key={attempt.id} attempt={attempt} />}
        empty={
          <EmptyNote
            title={outcome + serial + claim === '' ? 'Nobody has tried to enrol yet' : 'No attempt matches'}
            command={{ title: 'The same from a shell', command: 'npx selsyn provisioning attempts' }}
          >
            Attempts of the last 30 days are kept. Devices enrol by a claim certificate, a token, EST, or a registered authority.
          </EmptyNote>
        }
      />
    </section>
  );
}

function Field({ label, typed }: { readonly label: string; readonly typed: Typed }) {
  return (
    <TextInput
      aria-label={label}
      placeholder={label}
      spellCheck={false}
      autoComplete="off"
      value={typed.text}
      onChange={(event) => typed.type(event.currentTarget.value)}
    />
  );
}

function AttemptRow({ attempt }: { readonly attempt: Attempt }) {
  const { atMs, outcome, serial, deviceId, door, claimBatch, template, remoteAddress, steps } = attempt;
  const isDevice = outcome === 'enrolled' || outcome === 'renewed';
  return (
    <tr data-attempt={attempt.id} data-outcome={outcome}>
      <td data-label="When" className={styles.time}>
        {formatTime(atMs)}
      </td>
      <td data-label="Outcome">
        <Badge tone={TONES[outcome] ?? 'plain'}>{outcome}</Badge>
      </td>
      <td data-label="Serial">
        <span>
          {serial ?? '–'}
          {deviceId !== undefined && (
            <small>
              {isDevice ? (
                <Link to="/devices/$deviceId" params={{ deviceId }}>
                  {deviceId}
                </Link>
              ) : (
                deviceId
              )}
            </small>
          )}
        </span>
      </td>
      <td data-label="By">
        <span>
          {door}
          {claimBatch !== undefined && ` ${claimBatch}`}
          <small>{[template, remoteAddress].filter((part) => part !== undefined).join(' · ')}</small>
        </span>
      </td>
      <td data-label="Steps">
        <ol className={styles.steps}>
          {steps.map((step, at) => (
            // Steps may repeat, and never change their places.
            <li key={`${at} ${step}`}>{step}</li>
          ))}
        </ol>
      </td>
    </tr>
  );
}
