import { Link } from '@tanstack/react-router';
import type { PresenceAlert } from '../api/presence.ts';
import { Badge } from '../ui/badge.tsx';
import { When } from '../ui/when.tsx';
import { goneWords } from './gone-words.ts';
import styles from './presence.module.css';

export const MISSED_COLUMNS = ['Device', 'What', 'Gone since', 'Why'] as const;

export function MissedRow({ alert }: { readonly alert: PresenceAlert }) {
  const { deviceId, group, isFlapping, sinceMs, reason, losses } = alert;
  return (
    <tr data-missed={deviceId} data-kind={isFlapping ? 'flapping' : 'offline'}>
      <td data-label="Device">
        <span>
          <Link to="/devices/$deviceId" params={{ deviceId }}>
            {deviceId}
          </Link>
          {group !== '/' && <small>{group}</small>}
        </span>
      </td>
      <td data-label="What">
        <Badge tone={isFlapping ? 'warn' : 'bad'}>{isFlapping ? `comes and goes, ${losses} times` : 'gone'}</Badge>
      </td>
      <td data-label="Gone since" className={styles.since}>
        <When timeMs={sinceMs} />
      </td>
      <td data-label="Why">
        <span>{goneWords(reason)}</span>
      </td>
    </tr>
  );
}
