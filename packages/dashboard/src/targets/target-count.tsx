import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import type { ApiClient } from '../api/client.ts';
import { countDevices } from '../api/devices.ts';
import { countFleet } from '../api/fleets.ts';
import { fetchGroup } from '../api/groups.ts';
import { toProblem } from '../api/problem.ts';
import { useServices } from '../app/services.ts';
import { formatCount } from '../format/number-format.ts';
import { deviceIds, type Target } from './target.ts';
import styles from './targets.module.css';

const SETTLE_MS = 400;

/** How many devices a target means now: said before anything is done to them. */
export function TargetCount({ target }: { readonly target: Target }) {
  const { client } = useServices();
  const [settled] = useDebouncedValue(target, SETTLE_MS);
  const value = settled.value.trim();
  const { data, error } = useQuery({
    queryKey: ['devices', 'target-count', settled.kind, value],
    queryFn: ({ signal }) => countOf(client, { ...settled, value }, signal),
    enabled: value !== '',
    retry: false,
  });
  return (
    <p className={styles.count} aria-live="polite" data-testid="target-count" data-fault={error !== null}>
      {value !== '' && error !== null && toProblem(error).detail}
      {value !== '' && error === null && data !== undefined && (data === 1 ? '1 device' : `${formatCount(data)} devices`)}
      {'\u00a0'}
    </p>
  );
}

async function countOf(client: ApiClient, { kind, value }: Target, signal: AbortSignal): Promise<number> {
  switch (kind) {
    case 'group':
      return (await fetchGroup(client, value, signal)).devicesBelow;
    case 'fleet':
      return await countFleet(client, value, signal);
    case 'type':
      return await countDevices(client, { filter: `type = ${JSON.stringify(value)}` }, signal);
    case 'filter':
      return await countDevices(client, { filter: value }, signal);
    case 'device':
      return deviceIds(value).length;
  }
}
