import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { testForwarder, type Forwarder } from '../api/forwarders.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { formatBytes, formatCount } from '../format/number-format.ts';
import { Badge } from '../ui/badge.tsx';
import { Fact, Facts } from '../ui/facts.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { When } from '../ui/when.tsx';
import { filterText } from './forwarder-words.ts';
import styles from './forwarders.module.css';
import { RefusedRecords } from './refused-records.tsx';

interface ForwarderDetailsProps {
  readonly forwarder: Forwarder;
  /** Absent: it may not be changed. */
  readonly onEdit: (() => void) | undefined;
  readonly onRemove: (() => void) | undefined;
}

export function ForwarderDetails({ forwarder, onEdit, onRemove }: ForwarderDetailsProps) {
  const { client } = useServices();
  const { id, format, filter, secretNames, createdAtMs, state } = forwarder;
  const test = useMutation({ mutationFn: async () => (await testForwarder(client, id)) ?? '' });
  return (
    <div className={styles.details}>
      <Facts>
        <Fact name="Sends">{filterText(filter)}</Fact>
        <Fact name="As">{format === 'raw' ? 'payloads as they came' : 'samples as the platform reads them'}</Fact>
        <Fact name="Secrets">{secretNames.length === 0 ? 'none' : secretNames.join(', ')}</Fact>
        {state !== undefined && <Fact name="Bytes sent">{formatBytes(state.sentBytes)}</Fact>}
        {state !== undefined && state.filtered > 0 && <Fact name="Filtered out">{formatCount(state.filtered)}</Fact>}
        {state !== undefined && state.undecodable > 0 && <Fact name="No telemetry">{formatCount(state.undecodable)}</Fact>}
        <Fact name="Added">{formatTime(createdAtMs)}</Fact>
      </Facts>
      {state?.lastError !== undefined && (
        <p className={styles.lastError} data-testid="last-error">
          Last error, <When timeMs={state.lastError.atMs} />: {state.lastError.message}
        </p>
      )}
      {state?.lastRefusal !== undefined && (
        <p className={styles.lastError} data-testid="last-refusal">
          Last refusal, <When timeMs={state.lastRefusal.atMs} />: {state.lastRefusal.message}
        </p>
      )}
      {onRemove !== undefined && (
        <div className={styles.buttons}>
          <Button variant="default" size="xs" loading={test.isPending} onClick={() => test.mutate()}>
            Send a test record
          </Button>
          <Button variant="default" size="xs" onClick={onEdit}>
            Change…
          </Button>
          <Button variant="default" size="xs" onClick={onRemove}>
            Remove…
          </Button>
          {test.data !== undefined && (
            <span role="status" className={styles.tested}>
              <Badge tone={test.data === '' ? 'good' : 'bad'}>{test.data === '' ? 'it was taken' : 'it failed'}</Badge>{' '}
              {test.data}
            </span>
          )}
        </div>
      )}
      {test.error !== null && <ProblemNotice error={test.error} />}
      {state !== undefined && state.refused > 0 && (
        <RefusedRecords id={id} count={state.refused} mayWrite={onRemove !== undefined} />
      )}
    </div>
  );
}
