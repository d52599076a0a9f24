import { Button, NativeSelect } from '@mantine/core';
import { Link, getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { fetchQuarantine, type Decision, type Quarantined } from '../api/enrolment.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { formatCount } from '../format/number-format.ts';
import { useWho } from '../session/who.ts';
import { Badge, type Tone } from '../ui/badge.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { When } from '../ui/when.tsx';
import { DecideDialog } from './decide-dialog.tsx';
import styles from './provisioning.module.css';

const route = getRouteApi('/provisioning');
const REFETCH_MS = 10_000;
const STATES = [
  { value: 'waiting', label: 'Waiting for a decision' },
  { value: 'all', label: 'All' },
];
const TONES: Readonly<Record<string, Tone>> = { waiting: 'warn', refused: 'bad', released: 'good', enrolled: 'good' };

/** Serial numbers that enrolled again: a copied unit, or one that was set back. Somebody has to decide. */
export function QuarantineTab() {
  const { client } = useServices();
  const { state = 'waiting' } = route.useSearch();
  const navigate = route.useNavigate();
  const [deciding, setDeciding] = useState<{ readonly item: Quarantined; readonly decision: Decision }>();
  const pages = usePages({
    key: ['quarantine', state],
    fetch: (cursor, signal) => fetchQuarantine(client, { state }, cursor, signal),
    refetchEveryMs: REFETCH_MS,
  });
  return (
    <section aria-label="Quarantine">
      <div className={styles.filters}>
        <NativeSelect
          aria-label="State"
          data={STATES}
          value={state}
          onChange={(event) => {
            const next = event.currentTarget.value;
            void navigate({ search: { tab: 'quarantine', ...(next !== 'waiting' && { state: next }) }, replace: true });
          }}
        />
      </div>
      <PagedTable
        label="Quarantine"
        columns={['Serial', 'State', 'Why', 'Came', 'From', '']}
        pages={pages}
        row={(item) => (
          <QuarantineRow
            key={`${item.template} ${item.serial} ${item.lastAtMs}`}
            item={item}
            onDecide={(decision) => setDeciding({ item, decision })}
          />
        )}
        empty={
          <EmptyNote
            title={state === 'waiting' ? 'Nothing waits for a decision' : 'Nothing was put in quarantine'}
            command={{ title: 'The same from a shell', command: 'npx selsyn provisioning quarantine list' }}
          >
            A serial number that enrols a second time comes here.
          </EmptyNote>
        }
      />
      <DecideDialog deciding={deciding} onClose={() => setDeciding(undefined)} />
    </section>
  );
}

interface QuarantineRowProps {
  readonly item: Quarantined;
  readonly onDecide: (decision: Decision) => void;
}

function QuarantineRow({ item, onDecide }: QuarantineRowProps) {
  const { may } = useWho();
  return (
    <tr data-quarantine={item.serial} data-state={item.state}>
      <td data-label="Serial">
        <span>
          {item.serial}
          <small>
            <Link to="/devices/$deviceId" params={{ deviceId: item.deviceId }}>
              {item.deviceId}
            </Link>{' '}
            · {item.template}
          </small>
        </span>
      </td>
      <td data-label="State">
        <span>
          <Badge tone={TONES[item.state] ?? 'plain'}>{item.state}</Badge>
          {item.resolvedBy !== undefined && (
            <small>
              by {item.resolvedBy} {item.resolvedAtMs !== undefined && formatTime(item.resolvedAtMs)}
            </small>
          )}
        </span>
      </td>
      <td data-label="Why">{item.reason}</td>
      <td data-label="Came">
        <span>
          <When timeMs={item.lastAtMs} />
          <small>{item.attempts === 1 ? 'once' : `${formatCount(item.attempts)} times`}</small>
        </span>
      </td>
      <td data-label="From">
        <span>
          {item.remoteAddress ?? '–'}
          <small>
            {item.door}
            {item.claimBatch !== undefined && ` ${item.claimBatch}`}
          </small>
        </span>
      </td>
      <td>
        <div className={styles.buttons}>
          {item.state === 'waiting' && may('provisioning:write', item.group) && (
            <>
              <Button variant="default" size="xs" onClick={() => onDecide('release')}>
                Release
              </Button>
              <Button variant="default" size="xs" onClick={() => onDecide('refuse')}>
                Refuse
              </Button>
            </>
          )}
        </div>
      </td>
    </tr>
  );
}
