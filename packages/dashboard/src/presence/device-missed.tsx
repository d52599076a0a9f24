import { useQuery } from '@tanstack/react-query';
import { fetchOpenAlerts } from '../api/presence.ts';
import { useServices } from '../app/services.ts';
import { Icon } from '../ui/icons.tsx';
import { When } from '../ui/when.tsx';
import { goneWords } from './gone-words.ts';
import styles from './presence.module.css';

const REFETCH_MS = 10_000;

/** That a device is missed, where it is. */
export function DeviceMissed({ device }: { readonly device: string }) {
  const { client } = useServices();
  const { data } = useQuery({
    queryKey: ['presence-alerts', device],
    queryFn: ({ signal }) => fetchOpenAlerts(client, { device }, undefined, signal),
    refetchInterval: REFETCH_MS,
  });
  const alert = data?.items[0];
  if (alert === undefined) return null;
  const { isFlapping, losses, sinceMs, reason } = alert;
  return (
    <div className={styles.note} role="status" data-testid="device-missed">
      <Icon name="alert" />
      <p>
        <strong>{isFlapping ? `It comes and goes: ${losses} times lately.` : 'It is missed.'}</strong>{' '}
        {isFlapping ? 'It last went' : 'It went'} <When timeMs={sinceMs} />. {isFlapping && goneWords(reason)}
      </p>
    </div>
  );
}
